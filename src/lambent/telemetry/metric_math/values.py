"""What expressions compute with, and the error of one that cannot be evaluated."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from lambent.telemetry.series.keys import MetricKey


class MathError(ValueError):
    """An expression is wrong; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """Values over time."""

    points: Mapping[float, float]
    """By epoch seconds, in order."""
    period_s: int
    label: str = ""
    metric: MetricKey | None = None
    """Which metric it is, unless it was computed."""
    stat: str = ""

    def map(self, change: Callable[[float], float | None]) -> "Series":
        """The series with changed values; a value that becomes None has no point."""
        points = {}
        for at, value in self.points.items():
            changed = change(value)
            if changed is not None:
                points[at] = changed
        return dataclasses.replace(self, points=points)


Value = float | str | Series | Sequence[Series]
"""A number, a text, a time series or an array of these."""


def is_array(value: Value) -> bool:
    """Whether a value is an array of time series."""
    return not isinstance(value, float | str | Series)
