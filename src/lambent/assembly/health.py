"""How this platform and its environments are doing, for metrics."""

from collections.abc import Iterator, Sequence
from functools import partial
from importlib.metadata import version

from prometheus_client import Metric

from lambent.assembly.execution import Execution
from lambent.assembly.storage import Storage
from lambent.invocation.ports import Node
from lambent.kit.computing import computed
from lambent.kit.tasks import start_loop
from lambent.settings import Settings
from lambent.store.store import Store
from lambent.telemetry.environment_metrics import EnvironmentSampler, Usage
from lambent.telemetry.health import Forwarded, LoopLag, health_families
from lambent.telemetry.metrics import Metrics
from lambent.telemetry.otlp_metrics import OtlpMetrics
from lambent.telemetry.series.store import MetricStore


def usage_of_environments(node: Node) -> Iterator[Usage]:
    """What each environment of the node has used so far."""
    for view in node.environments():
        function = view.function
        yield Usage(
            id=view.id,
            key=function.key,
            version=function.version,
            memory_mb=function.memory_mb,
            memory_bytes=view.memory_bytes,
            memory_used_max_mb=view.memory_used_max_mb,
            cpu_s=view.cpu_s,
            sent_bytes=view.sent_bytes,
            received_bytes=view.received_bytes,
        )


class PlatformHealth:
    """See `gateway.metrics_page.Health`."""

    def __init__(
        self, execution: Execution, store: Store, metrics: MetricStore, lag: LoopLag
    ) -> None:
        self._node = execution.node
        self._calls = execution.calls_between_nodes
        self._store = store
        self._metrics = metrics
        self._lag = lag

    async def families(self) -> Sequence[Metric]:
        """Those of the platform itself."""
        load = self._node.load()
        environments = {
            "busy": load.busy,
            "idle": load.idle,
            "frozen": load.frozen,
            "changing": load.changing,
        }
        queued = await self._store.read(lambda tx: tx.async_events.count())
        calls = self._calls
        forwarded = None
        if calls is not None:
            forwarded = Forwarded(calls.links.sent, calls.server.taken, calls.links.lost)

        def read() -> Sequence[Metric]:
            return health_families(
                lag_s=self._lag.worst_s,
                environments=environments,
                memory_mb=(load.memory_available_mb, load.memory_total_mb),
                queued=queued,
                dropped_metrics=self._metrics.lost,
                forwarded=forwarded,
            )

        return await computed(read)


def start_telemetry(
    settings: Settings, storage: Storage, execution: Execution, metrics: Metrics
) -> PlatformHealth:
    """Start to measure the event loop, to sample environments and to export metrics."""
    clock, chosen = storage.clock, settings.telemetry
    lag = LoopLag(clock)
    health = PlatformHealth(execution, storage.store, storage.metrics, lag)
    look = partial(usage_of_environments, execution.node)
    sampler = EnvironmentSampler(look, storage.metrics, clock, chosen.insights_every_s)
    exporter = OtlpMetrics(
        storage.otlp,
        metrics,
        health.families,
        clock,
        every_s=chosen.otlp_metrics_every_s,
        version=version("lambent"),
    )
    start_loop(storage.tasks, clock, lag.run)
    start_loop(storage.tasks, clock, sampler.run)
    start_loop(storage.tasks, clock, exporter.run)
    return health
