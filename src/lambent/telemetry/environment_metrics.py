"""Metrics of the namespace `LambdaInsights`: memory, CPU time and traffic of environments.

A loop looks at the environments once a minute, never on the path of a call. CPU time and traffic
are what was used since the last look; an environment that has used nothing is left out.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Lambda-Insights-metrics.html
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from lambent.kit.clock import Clock
from lambent.model.function import FunctionKey
from lambent.telemetry.series.keys import Dimensions, MetricKey, dimensions_of
from lambent.telemetry.series.store import MetricStore

_NAMESPACE = "LambdaInsights"
_MB = 1 << 20


class Usage(NamedTuple):
    """What an environment has used so far."""

    id: str
    key: FunctionKey
    version: str
    memory_mb: int
    """What the function is configured to have."""
    memory_bytes: int | None
    memory_used_max_mb: int
    cpu_s: float | None
    sent_bytes: int
    received_bytes: int


class EnvironmentSampler:
    """See the module."""

    def __init__(
        self,
        look: Callable[[], Iterable[Usage]],
        store: MetricStore,
        clock: Clock,
        every_s: float,
    ) -> None:
        """`look` returns the environments that exist now; `every_s` is 0 if nothing is wanted."""
        self._look = look
        self._store = store
        self._clock = clock
        self._every_s = every_s
        self._before: dict[str, Usage] = {}

    async def run(self) -> None:
        """Look at environments, forever."""
        while self._every_s:
            await self._clock.sleep(self._every_s)
            self.sample()

    def sample(self) -> None:
        """Record what was used since the last look."""
        before, self._before = self._before, {}
        for usage in self._look():
            self._before[usage.id] = usage
            old = before.get(usage.id)
            start = usage._replace(cpu_s=0.0, sent_bytes=0, received_bytes=0)
            values = dict(_values(old or start, usage))
            if not any(values[name] for name in ("cpu_total_time", "total_network")):
                continue
            by_function = {"function_name": usage.key.name}
            chosen: tuple[Dimensions, ...] = (
                (),
                dimensions_of(by_function),
                dimensions_of({**by_function, "version": usage.version}),
            )
            for name, value in values.items():
                for dimensions in chosen:
                    unit = _UNITS[name]
                    key = MetricKey(usage.key.scope, _NAMESPACE, name, dimensions, unit)
                    self._store.record(key, value)


_UNITS = {
    "cpu_total_time": "Milliseconds",
    "rx_bytes": "Bytes",
    "tx_bytes": "Bytes",
    "total_network": "Bytes",
    "total_memory": "Megabytes",
    "used_memory_max": "Megabytes",
    "memory_utilization": "Percent",
}


def _values(old: Usage, new: Usage) -> Iterator[tuple[str, float]]:
    # A box that was replaced counts from zero again.
    cpu_s, old_cpu_s = new.cpu_s or 0.0, old.cpu_s or 0.0
    yield "cpu_total_time", 1000 * (cpu_s - old_cpu_s if cpu_s >= old_cpu_s else cpu_s)
    received = _since(old.received_bytes, new.received_bytes)
    sent = _since(old.sent_bytes, new.sent_bytes)
    yield "rx_bytes", received
    yield "tx_bytes", sent
    yield "total_network", received + sent
    used_mb = max(float(new.memory_used_max_mb), (new.memory_bytes or 0) / _MB)
    yield "total_memory", new.memory_mb
    yield "used_memory_max", used_mb
    yield "memory_utilization", 100 * used_mb / new.memory_mb


def _since(old: int, new: int) -> int:
    return new - old if new >= old else new
