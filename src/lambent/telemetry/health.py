"""How the platform itself is doing: its event loop, its process, its environments and its queue."""

from collections import deque
from collections.abc import Mapping, Sequence

from prometheus_client import Metric, ProcessCollector
from prometheus_client.metrics_core import GaugeMetricFamily

from lambent.kit.clock import Clock

_EVERY_S = 1.0
_KEPT = 60


class LoopLag:
    """How late the event loop is: the most of the last minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lags: deque[float] = deque(maxlen=_KEPT)

    async def run(self) -> None:
        """Measure, forever."""
        while True:
            began = self._clock.monotonic()
            await self._clock.sleep(_EVERY_S)
            self._lags.append(max(self._clock.monotonic() - began - _EVERY_S, 0.0))

    @property
    def worst_s(self) -> float:
        """In seconds; 0 before the first measurement."""
        return max(self._lags, default=0.0)


def health_families(
    *,
    lag_s: float,
    environments: Mapping[str, int],
    memory_mb: tuple[int, int],
    queued: int,
    dropped_metrics: int,
) -> Sequence[Metric]:
    """The families of the platform itself; `memory_mb` is what is available and all of it. Reads
    `/proc`."""
    lag = GaugeMetricFamily(
        "lambent_event_loop_lag_seconds",
        "How late the platform's event loop was at most in the last minute.",
        lag_s,
    )
    states = GaugeMetricFamily(
        "lambent_environments", "Execution environments by state.", labels=["state"]
    )
    for state, number in environments.items():
        states.add_metric([state], number)
    available, total = (
        GaugeMetricFamily(f"lambent_memory_{name}_bytes", text, value << 20)
        for name, text, value in (
            ("available", "Memory that is left for further environments.", memory_mb[0]),
            ("total", "Memory of the host, or of the platform's control group.", memory_mb[1]),
        )
    )
    queue = GaugeMetricFamily(
        "lambent_queued_events", "Asynchronous events that wait or run.", queued
    )
    dropped = GaugeMetricFamily(
        "lambent_dropped_metric_points",
        "Metrics that could not be written since the platform started.",
        dropped_metrics,
    )
    return [
        lag,
        states,
        available,
        total,
        queue,
        dropped,
        *ProcessCollector(registry=None).collect(),
    ]
