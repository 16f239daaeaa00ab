"""AWS's cron expressions: six fields, and the local times that they name.

`minutes hours day-of-month month day-of-week year`; one of the two day fields is `?`.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based
"""

import calendar
import datetime
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import NamedTuple

YEAR_MIN, YEAR_MAX = 1970, 2199
_MONTHS = {name: number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: number for number, name in enumerate(("Sun", "Mon", "Tue", "Wed", "Thu", "Fri"), 1)}
_DAYS["Sat"] = 7
_PART = re.compile(r"(\*|[0-9A-Za-z]{1,4})(?:-([0-9A-Za-z]{1,4}))?(?:/([0-9]{1,4}))?", re.ASCII)
_NEAREST = re.compile(r"([0-9]{1,2})W", re.ASCII)
_LAST = re.compile(r"([0-9A-Za-z]{1,3})L", re.ASCII)
_NTH = re.compile(r"([0-9A-Za-z]{1,3})#([1-5])", re.ASCII)

Days = Callable[[int, int], Set[int]]
"""The days of the month that a day field names, by year and month. A field may name days that the
month does not have."""


class Cron(NamedTuple):
    """A parsed expression."""

    minutes: Sequence[int]
    hours: Sequence[int]
    days: Days
    months: Sequence[int]
    years: Sequence[int]

    @classmethod
    def parse(cls, text: str) -> "Cron":
        """Parse six fields. Raises `ValueError`."""
        fields = text.split()
        if len(fields) != 6:
            raise ValueError(f"a cron expression has six fields, not {len(fields)}")
        minutes, hours, of_month, months, of_week, years = fields
        if (of_month == "?") is (of_week == "?"):
            raise ValueError("one of day-of-month and day-of-week must be ?, and not both")
        return cls(
            minutes=_numbers(minutes, 0, 59),
            hours=_numbers(hours, 0, 23),
            days=_days_of_week(of_week) if of_month == "?" else _days_of_month(of_month),
            months=_numbers(months, 1, 12, _MONTHS),
            years=_numbers(years, YEAR_MIN, YEAR_MAX),
        )

    def after(self, moment: datetime.datetime) -> Iterator[datetime.datetime]:
        """The local times after a local time, without seconds, in order."""
        first = moment.replace(second=0, microsecond=0)
        for year in self.years:
            for month in self.months:
                if (year, month) < (first.year, first.month):
                    continue
                for day in sorted(self.days(year, month)):
                    if day > _length(year, month):
                        break
                    if (year, month, day) < (first.year, first.month, first.day):
                        continue
                    for hour in self.hours:
                        for minute in self.minutes:
                            found = datetime.datetime(year, month, day, hour, minute)
                            if found > moment:
                                yield found


def _numbers(
    field: str, low: int, high: int, names: Mapping[str, int] | None = None, *, wraps: bool = False
) -> Sequence[int]:
    """The numbers that a field without `?`, `L`, `W` and `#` names."""
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is no value of a cron field")
        start, end, step_text = match[1], match[2], match[3]
        step = int(step_text) if step_text else 1
        if step < 1 or (start == "*" and end):
            raise ValueError(f"{part!r} is no value of a cron field")
        if start == "*":
            found.update(range(low, high + 1, step))
            continue
        first = _number(start, low, high, names)
        # "5/10" goes on to the end of the field; "5" is one value.
        last = _number(end, low, high, names) if end else (high if step_text else first)
        if last < first and not wraps:
            raise ValueError(f"{part!r} ends before it starts")
        beyond = last + 1 if last >= first else last + 1 + (high - low + 1)
        found.update(low + (each - low) % (high - low + 1) for each in range(first, beyond, step))
    return sorted(found)


def _number(text: str, low: int, high: int, names: Mapping[str, int] | None) -> int:
    number = (names or {}).get(text.capitalize())
    if number is None:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"{text!r} is not between {low} and {high}")
        number = int(text)
    return number


def _length(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]


def _days_of_month(field: str) -> Days:
    if field == "L":
        return lambda year, month: {_length(year, month)}
    if field == "LW":
        return lambda year, month: {_nearest_weekday(year, month, _length(year, month))}
    match = _NEAREST.fullmatch(field)
    if match is not None:
        wanted = _number(match[1], 1, 31, None)
        return lambda year, month: (
            {_nearest_weekday(year, month, wanted)} if wanted <= _length(year, month) else set()
        )
    days = frozenset(_numbers(field, 1, 31))
    return lambda _year, _month: days


def _days_of_week(field: str) -> Days:
    if field == "L":
        field = "7"
    match = _LAST.fullmatch(field)
    if match is not None:
        last = _number(match[1], 1, 7, _DAYS)
        return lambda year, month: {max(_weekdays(year, month, {last}))}
    match = _NTH.fullmatch(field)
    if match is not None:
        wanted, nth = _number(match[1], 1, 7, _DAYS), int(match[2])
        return lambda year, month: set(_weekdays(year, month, {wanted})[nth - 1 : nth])
    days = frozenset(_numbers(field, 1, 7, _DAYS, wraps=True))
    return lambda year, month: set(_weekdays(year, month, days))


def _weekdays(year: int, month: int, wanted: Set[int]) -> list[int]:
    """The days of a month that are certain days of the week, 1 for Sunday."""
    start, length = calendar.monthrange(year, month)  # Monday is 0.
    return [day for day in range(1, length + 1) if (start + day) % 7 + 1 in wanted]


def _nearest_weekday(year: int, month: int, day: int) -> int:
    """The day from Monday to Friday that is nearest to a day, within the month."""
    weekday = calendar.weekday(year, month, day)
    if weekday == calendar.SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == calendar.SUNDAY:
        return day + 1 if day < _length(year, month) else day - 2
    return day
