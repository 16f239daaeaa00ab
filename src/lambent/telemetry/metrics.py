"""What is counted, by function, under AWS's names, for whoever collects it.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

import re
from collections import OrderedDict

from lambent.model.function import FunctionKey

_FUNCTIONS_MAX = 10_000
"""Of more, those that nothing was counted of for longest are forgotten."""


class Metrics:
    """Sums since the platform was started."""

    def __init__(self) -> None:
        self._functions: OrderedDict[FunctionKey, dict[str, tuple[int, float]]] = OrderedDict()

    def add(self, name: str, key: FunctionKey, value: float = 1, *, count: int = 1) -> None:
        """Count values of a metric (`AsyncEventsReceived`, …) whose sum is `value`."""
        metrics = self._functions.get(key)
        if metrics is None:
            metrics = self._functions[key] = {}
            if len(self._functions) > _FUNCTIONS_MAX:
                self._functions.popitem(last=False)
        else:
            self._functions.move_to_end(key)
        known_count, known_sum = metrics.get(name, (0, 0.0))
        metrics[name] = known_count + count, known_sum + value

    def render(self, account: str) -> bytes:
        """Those of one account as text for Prometheus: `lambent_async_events_received_sum` and
        `…_count` of `AsyncEventsReceived`; ages are in milliseconds."""
        lines: dict[str, list[str]] = {}
        for key, metrics in self._functions.items():
            if key.account != account:
                continue
            labels = f'{{region="{key.region}",function="{key.name}"}}'
            for name, (count, total) in metrics.items():
                series = lines.setdefault(_series(name), [])
                series.append(f"{_series(name)}_sum{labels} {total:.15g}")
                series.append(f"{_series(name)}_count{labels} {count}")
        text = [line for name in sorted(lines) for line in (f"# TYPE {name} summary", *lines[name])]
        return "".join(f"{line}\n" for line in text).encode()


def _series(name: str) -> str:
    return "lambent" + re.sub(r"[A-Z]", lambda match: f"_{match[0].lower()}", name)
