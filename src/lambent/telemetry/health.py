"""How the platform itself is doing: its event loop, its process, its environments and its queue."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prometheus_client import Metric, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

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


class Forwarded(NamedTuple):
    """Calls between this node and others, since it started."""

    sent: int
    taken: int
    lost: int
    """Of those sent: their outcome is not known, because the other node was lost."""


def health_families(
    *,
    lag_s: float,
    environments: Mapping[str, int],
    memory_mb: tuple[int, int],
    queued: int,
    dropped_metrics: int,
    forwarded: Forwarded | None = None,
) -> Sequence[Metric]:
    """The families of the platform itself, as one of several nodes if there is `forwarded`;
    `memory_mb` is what is available and all of it. Reads `/proc`."""
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
    families = [
        lag,
        states,
        available,
        total,
        queue,
        dropped,
        *ProcessCollector(registry=None).collect(),
    ]
    return families if forwarded is None else [*families, *_forwarded_families(forwarded)]


def _forwarded_families(forwarded: Forwarded) -> Sequence[Metric]:
    calls = CounterMetricFamily(
        "lambent_forwarded_calls",
        "Calls that this node has sent to other nodes (out) or taken from them (in).",
        labels=["direction"],
    )
    calls.add_metric(["out"], forwarded.sent)
    calls.add_metric(["in"], forwarded.taken)
    lost = CounterMetricFamily(
        "lambent_forwarded_calls_lost",
        "Calls sent to other nodes whose outcome is not known, because the node was lost.",
        forwarded.lost,
    )
    return [calls, lost]
