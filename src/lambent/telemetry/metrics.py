"""Counters by function, with AWS's names, for Prometheus and other collectors.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

import re
from collections import OrderedDict

from lambent.model.function import FunctionKey

_FUNCTIONS_MAX = 10_000
"""Most functions and mappings. Beyond it, those that were not counted for longest are forgotten."""


class Metrics:
    """Sums since the platform started."""

    def __init__(self) -> None:
        self._of: OrderedDict[tuple[FunctionKey, str], dict[str, tuple[int, float]]]
        self._of = OrderedDict()
        """By function, and by mapping if it belongs to one."""

    def add(
        self,
        name: str,
        key: FunctionKey,
        value: float = 1,
        *,
        count: int = 1,
        mapping: str = "",
    ) -> None:
        """Count values of a metric (`AsyncEventsReceived`, …) whose sum is `value`; of an event
        source mapping by its UUID, if it is about one."""
        metrics = self._of.get((key, mapping))
        if metrics is None:
            metrics = self._of[key, mapping] = {}
            if len(self._of) > _FUNCTIONS_MAX:
                self._of.popitem(last=False)
        else:
            self._of.move_to_end((key, mapping))
        known_count, known_sum = metrics.get(name, (0, 0.0))
        metrics[name] = known_count + count, known_sum + value

    def render(self, account: str) -> bytes:
        """Return the metrics of one account as text for Prometheus:
        `lambent_async_events_received_sum` and `…_count` of `AsyncEventsReceived`; ages are in
        milliseconds."""
        lines: dict[str, list[str]] = {}
        for (key, mapping), metrics in self._of.items():
            if key.account != account:
                continue
            of = f',mapping="{mapping}"' if mapping else ""
            labels = f'{{region="{key.region}",function="{key.name}"{of}}}'
            for name, (count, total) in metrics.items():
                series = lines.setdefault(_series(name), [])
                series.append(f"{_series(name)}_sum{labels} {total:.15g}")
                series.append(f"{_series(name)}_count{labels} {count}")
        text = [line for name in sorted(lines) for line in (f"# TYPE {name} summary", *lines[name])]
        return "".join(f"{line}\n" for line in text).encode()


def _series(name: str) -> str:
    return "lambent" + re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name)
