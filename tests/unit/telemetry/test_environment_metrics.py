"""What environments use becomes metrics: differences since the last look."""

from pathlib import Path

import pytest

from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region
from lambent.model.function import FunctionKey
from lambent.telemetry.environment_metrics import EnvironmentSampler, Usage
from lambent.telemetry.series.keys import MetricKey
from lambent.telemetry.series.store import open_metric_store
from lambent.telemetry.settings import TelemetrySettings

KEY = FunctionKey(AccountId("111111111111"), Region("us-east-1"), "f")
FIRST = Usage("e1", KEY, "3", 256, 64 << 20, 80, 0.5, 100, 2000)


@pytest.mark.anyio
async def test_what_was_used_since_the_last_look(tmp_path: Path) -> None:
    """CPU time and traffic are differences; an idle environment adds nothing, and a box that was
    replaced counts from zero."""
    clock, now = ManualClock(), [FIRST]
    async with open_metric_store(tmp_path / "m.db", TelemetrySettings(), clock) as store:
        sampler = EnvironmentSampler(lambda: now, store, clock, 60)

        async def total(name: str, unit: str) -> tuple[float, float, float]:
            dimensions = (("function_name", "f"), ("version", "3"))
            key = MetricKey(KEY.scope, "LambdaInsights", name, dimensions, unit)
            found = await store.read(key, 0, clock.now() + 60, 86_400)
            return (found[0][1].count, found[0][1].sum, found[0][1].max)

        sampler.sample()
        sampler.sample()
        assert await total("cpu_total_time", "Milliseconds") == (1, 500, 500)
        now[:] = [FIRST._replace(cpu_s=0.75, sent_bytes=150, memory_used_max_mb=128)]
        sampler.sample()
        assert await total("cpu_total_time", "Milliseconds") == (2, 750, 500)
        assert (await total("tx_bytes", "Bytes"))[1] == 150
        assert (await total("rx_bytes", "Bytes"))[1] == 2000
        assert (await total("memory_utilization", "Percent"))[2] == 50
        now[:] = [FIRST._replace(cpu_s=0.1, sent_bytes=0, received_bytes=0)]
        sampler.sample()
        assert (await total("cpu_total_time", "Milliseconds"))[1] == pytest.approx(850)
        now[:] = [FIRST._replace(id="e2", cpu_s=None, memory_bytes=None)]
        sampler.sample()
        assert (await total("total_network", "Bytes"))[1] == 2150 + 2100
