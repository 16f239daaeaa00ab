"""Schedule expressions, `rate(…)`, `cron(…)` and `at(…)`, and when they are due.

Times are epoch seconds. In a time zone with daylight saving time a local time that does not exist
is skipped, and a local time that exists twice is due the first time only; a rate is a duration and
knows no time zone.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

import datetime
import math
import re
import zlib
import zoneinfo
from typing import NamedTuple

from lambent.model.schedules.cron import Cron

_RATE = re.compile(r"rate\(\s*([0-9]{1,9})\s+(minute|hour|day)(s?)\s*\)", re.ASCII)
_CRON = re.compile(r"cron\(([^()]{1,240})\)", re.ASCII)
_AT = re.compile(r"at\(([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})\)", re.ASCII)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}", re.ASCII)
_UNIT_S = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_SEARCHED_MAX = 100_000
"""Local times that are skipped in a row: a day without minutes has 1,440."""


class Rate(NamedTuple):
    """A period, in seconds."""

    period_s: float


class At(NamedTuple):
    """One local time."""

    moment: datetime.datetime


Expression = Rate | Cron | At


def parse(text: str, *, is_loose: bool = False) -> Expression:
    """Parse an expression. `is_loose` allows what only EventBridge Scheduler takes: `at(…)`, and
    `minutes` for 1 or `minute` for more. Raises `ValueError`."""
    match = _RATE.fullmatch(text)
    if match is not None:
        count, unit, plural = int(match[1]), match[2], match[3]
        if count < 1 or (not is_loose and (count > 1) is not bool(plural)):
            raise ValueError(f"a rate is a positive number of minutes, hours or days: {text!r}")
        return Rate(count * _UNIT_S[unit])
    match = _CRON.fullmatch(text)
    if match is not None:
        return Cron.parse(match[1])
    match = _AT.fullmatch(text) if is_loose else None
    if match is not None:
        return At(datetime.datetime.fromisoformat(match[1]))
    raise ValueError(f"not a schedule expression: {text!r}")


def zone_of(name: str) -> datetime.tzinfo:
    """A time zone of the system's database, by name. Raises `ValueError`."""
    if name == "UTC":
        return datetime.UTC
    if _ZONE.fullmatch(name) is None:
        raise ValueError(f"not a time zone: {name!r}")
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"not a time zone: {name!r}") from error


class Schedule(NamedTuple):
    """An expression with its bounds."""

    expression: Expression
    anchor: float
    """When a rate begins: the schedule's start, or else its creation."""
    zone: datetime.tzinfo = datetime.UTC
    start: float = -math.inf
    end: float = math.inf
    """Both bounds belong to the time that they enclose. `at(…)` has none."""

    @property
    def is_recurring(self) -> bool:
        """Whether it may be due more than once."""
        return not isinstance(self.expression, At)

    def next_after(self, moment: float) -> float | None:
        """The first time after `moment` at which it is due; None if there is none."""
        expression = self.expression
        if isinstance(expression, At):
            due = _epoch(expression.moment, self.zone)
            return due if due > moment else None
        if isinstance(expression, Rate):
            first = max(self.anchor, self.start)
            periods = max(math.floor((moment - first) / expression.period_s) + 1, 0)
            found: float | None = first + periods * expression.period_s
        else:
            found = _next_of_cron(expression, max(moment, self.start - 1), self.zone)
        return found if found is not None and found <= self.end else None

    def latest_until(self, due: float, moment: float) -> float:
        """The last time until `moment` at which it is due, where it is due at `due` and `moment` is
        not earlier: of what was missed, only this counts."""
        if isinstance(self.expression, Rate):
            until = min(moment, self.end)
            return due + math.floor((until - due) / self.expression.period_s) * (
                self.expression.period_s
            )
        before, behind = due, moment
        # Between `before` and `behind` lies the last one. Each step looks into the second half.
        while behind - before > 60.0:
            middle = (before + behind) / 2
            found = self.next_after(middle)
            if found is not None and found <= moment:
                before = found
            else:
                behind = middle
        following = self.next_after(before)
        while following is not None and following <= moment:
            before, following = following, self.next_after(following)
        return before


def delay_in_window(name: str, due: float, minutes: int) -> float:
    """How long after `due` a schedule with a flexible window runs, in seconds: spread over the
    window, and the same each time it is asked."""
    return zlib.crc32(f"{name} {due}".encode()) % (minutes * 60) if minutes else 0.0


def _next_of_cron(cron: Cron, moment: float, zone: datetime.tzinfo) -> float | None:
    if moment >= 1e11:  # Beyond the year 2199 by any zone.
        return None
    local = datetime.datetime.fromtimestamp(max(moment, 0.0) - 60.0, zone).replace(tzinfo=None)
    for _, candidate in zip(range(_SEARCHED_MAX), cron.after(local), strict=False):
        if not _exists(candidate, zone):
            continue
        due = _epoch(candidate, zone)
        if due > moment:
            return due
    return None


def _epoch(local: datetime.datetime, zone: datetime.tzinfo) -> float:
    return local.replace(tzinfo=zone).timestamp()


def _exists(local: datetime.datetime, zone: datetime.tzinfo) -> bool:
    """Whether clocks show this time."""
    moment = local.replace(tzinfo=zone).timestamp()
    return datetime.datetime.fromtimestamp(moment, zone).replace(tzinfo=None) == local
