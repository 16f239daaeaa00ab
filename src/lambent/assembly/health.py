"""How this platform is doing, for `/_lambent/metrics`."""

from collections.abc import Sequence

from prometheus_client import Metric

from lambent.invocation.ports import Node
from lambent.kit.computing import computed
from lambent.store.store import Store
from lambent.telemetry.health import LoopLag, health_families
from lambent.telemetry.series.store import MetricStore


class PlatformHealth:
    """See `gateway.metrics_page.Health`."""

    def __init__(self, node: Node, store: Store, metrics: MetricStore, lag: LoopLag) -> None:
        self._node = node
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

        def read() -> Sequence[Metric]:
            return health_families(
                lag_s=self._lag.worst_s,
                environments=environments,
                queued=queued,
                dropped_metrics=self._metrics.lost,
            )

        return await computed(read)
