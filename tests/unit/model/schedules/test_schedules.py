"""Schedule expressions: what is refused, and that the next time is the next time."""

import calendar
import datetime
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.schedules.cron import Cron
from lambent.model.schedules.expressions import (
    At,
    Rate,
    Schedule,
    delay_in_window,
    parse,
    zone_of,
)

UTC = datetime.UTC
BERLIN = zone_of("Europe/Berlin")
NEW_YORK = zone_of("America/New_York")


def at(text: str, zone: datetime.tzinfo = UTC) -> float:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def following(expression: str, after: str, count: int, zone: datetime.tzinfo = UTC) -> list[str]:
    """The next times, as clocks in the zone show them."""
    schedule = Schedule(parse(expression, is_loose=True), at(after, zone), zone)
    found, moment = [], at(after, zone)
    for _ in range(count):
        due = schedule.next_after(moment)
        if due is None:
            break
        found.append(f"{datetime.datetime.fromtimestamp(due, zone):%Y-%m-%dT%H:%M}")
        moment = due
    return found


@pytest.mark.parametrize(
    "text",
    [
        *("", "rate", "rate()", "rate(5)", "rate(0 minutes)", "rate(-1 minutes)"),
        *("rate(1 minutes)", "rate(5 minute)", "rate(1.5 hours)", "rate(30 seconds)"),
        *("rate(5 Minutes)", "Rate(5 minutes)", " rate(5 minutes)", "rate(9999999999 days)"),
        *("cron()", "cron(* * * * *)", "cron(* * * * * *)", "cron(0 9 ? * ? *)"),
        *("cron(60 * * * ? *)", "cron(* 24 * * ? *)", "cron(* * 0 * ? *)", "cron(* * 32 * ? *)"),
        *("cron(* * * 13 ? *)", "cron(* * ? * 0 *)", "cron(* * ? * 8 *)", "cron(* * * * ? 1969)"),
        *("cron(*/0 * * * ? *)", "cron(5-1 * * * ? *)", "cron(? * * * ? *)", "cron(, * * * ? *)"),
        *("cron(* * W * ? *)", "cron(* * 1L * ? *)", "cron(* * ? * 2#6 *)", "cron(* * ? * 2#0 *)"),
        *("cron(* * ? * LW *)", "cron(L * * * ? *)", "cron(* * * FOO ? *)", "cron(* * ? * MON# *)"),
        *("cron(*/30 * * * * ? *)", "cron(* * 1W,2 * ? *)", "cron(*-5 * * * ? *)"),
        *("at(2030-01-01T00:00:00)", "cron(٣ * * * ? *)", "rate(٣ minutes)"),
    ],
)
def test_expressions_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse(text)


def test_a_scheduler_takes_more() -> None:
    assert parse("rate(1 minutes)", is_loose=True) == Rate(60.0)
    assert parse("at(2030-01-01T10:20:30)", is_loose=True) == At(
        datetime.datetime(2030, 1, 1, 10, 20, 30)
    )
    for text in ("at(2030-02-30T00:00:00)", "at(2030-01-01)", "at(2030-01-01T25:00:00)"):
        with pytest.raises(ValueError, match=r"\w"):
            parse(text, is_loose=True)


@pytest.mark.parametrize(
    "name", ["", "../etc/passwd", "/etc/localtime", "Europe", "Mars/Base", "a\0b"]
)
def test_time_zones_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        zone_of(name)


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("cron(0 9 * * ? *)", "2026-01-01T09:00", ["2026-01-02T09:00", "2026-01-03T09:00"]),
        (
            "cron(0/20 8,9 ? * MON-FRI *)",
            "2026-01-02T09:30",
            ["2026-01-02T09:40", "2026-01-05T08:00"],
        ),
        ("cron(0 0 L * ? *)", "2028-02-01T00:00", ["2028-02-29T00:00", "2028-03-31T00:00"]),
        ("cron(0 0 LW * ? *)", "2026-01-15T00:00", ["2026-01-30T00:00", "2026-02-27T00:00"]),
        ("cron(0 0 1W * ? *)", "2026-07-15T00:00", ["2026-08-03T00:00", "2026-09-01T00:00"]),
        ("cron(0 0 31W * ? *)", "2026-01-01T00:00", ["2026-01-30T00:00", "2026-03-31T00:00"]),
        ("cron(0 0 ? * L *)", "2026-01-01T00:00", ["2026-01-03T00:00", "2026-01-10T00:00"]),
        ("cron(0 0 ? * 6L *)", "2026-01-01T00:00", ["2026-01-30T00:00", "2026-02-27T00:00"]),
        ("cron(0 0 ? * 2#1 *)", "2026-01-06T00:00", ["2026-02-02T00:00", "2026-03-02T00:00"]),
        ("cron(0 0 ? * 5#5 *)", "2026-01-01T00:00", ["2026-01-29T00:00", "2026-04-30T00:00"]),
        ("cron(0 0 ? * SAT-SUN *)", "2026-01-01T00:00", ["2026-01-03T00:00", "2026-01-04T00:00"]),
        ("cron(0 0 29 FEB ? *)", "2026-01-01T00:00", ["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("cron(0 0 1 1 ? 2027-2028)", "2026-01-01T00:00", ["2027-01-01T00:00", "2028-01-01T00:00"]),
        ("cron(0 0 31 2 ? *)", "2026-01-01T00:00", []),
        ("cron(0 0 1 1 ? 2020)", "2026-01-01T00:00", []),
        ("rate(90 minutes)", "2026-01-01T00:00", ["2026-01-01T01:30", "2026-01-01T03:00"]),
        ("at(2026-01-01T00:30:00)", "2026-01-01T00:00", ["2026-01-01T00:30"]),
        ("at(2025-01-01T00:30:00)", "2026-01-01T00:00", []),
    ],
)
def test_the_next_times(expression: str, after: str, expected: list[str]) -> None:
    assert following(expression, after, 2) == expected


def test_a_local_time_that_does_not_exist_is_skipped() -> None:
    daily = following("cron(30 2 * * ? *)", "2026-03-28T00:00", 3, BERLIN)
    assert daily == ["2026-03-28T02:30", "2026-03-30T02:30", "2026-03-31T02:30"]
    often = following("cron(0/30 * * * ? *)", "2026-03-29T01:00", 3, BERLIN)
    assert often == ["2026-03-29T01:30", "2026-03-29T03:00", "2026-03-29T03:30"]


def test_a_local_time_that_exists_twice_is_due_once() -> None:
    daily = following("cron(30 1 * * ? *)", "2026-10-31T12:00", 2, NEW_YORK)
    assert daily == ["2026-11-01T01:30", "2026-11-02T01:30"]
    schedule = Schedule(parse("cron(30 1 * * ? *)"), 0.0, NEW_YORK)
    first = schedule.next_after(at("2026-10-31T12:00", NEW_YORK))
    assert first == at("2026-11-01T05:30")  # Daylight saving time, four hours behind UTC.
    again = schedule.next_after(first)
    assert again == at("2026-11-02T06:30")


def test_a_rate_is_a_duration() -> None:
    """A day has 24 hours, also where clocks change."""
    found = following("rate(1 day)", "2026-03-28T12:00", 2, BERLIN)
    assert found == ["2026-03-29T13:00", "2026-03-30T13:00"]


def test_bounds() -> None:
    start, end = at("2026-01-01T10:00"), at("2026-01-01T12:00")
    hourly = Schedule(parse("cron(0 * * * ? *)"), 0.0, UTC, start, end)
    assert hourly.next_after(0.0) == start
    assert hourly.next_after(at("2026-01-01T11:00")) == end
    assert hourly.next_after(end) is None
    rate = Schedule(parse("rate(45 minutes)"), 0.0, UTC, start, end)
    assert rate.next_after(0.0) == start
    assert rate.next_after(at("2026-01-01T11:30")) is None


def test_a_rate_without_a_start_is_due_at_once() -> None:
    created = at("2026-01-01T10:00:07")
    schedule = Schedule(parse("rate(5 minutes)"), created)
    assert schedule.next_after(created - 1) == created
    assert schedule.next_after(created) == created + 300


def test_a_flexible_window_spreads_and_is_stable() -> None:
    delays = {delay_in_window(f"s{number}", 1e9, 15) for number in range(200)}
    assert len(delays) > 100
    assert all(0 <= delay < 900 for delay in delays)
    assert delay_in_window("s1", 1e9, 15) == delay_in_window("s1", 1e9, 15)
    assert delay_in_window("s1", 1e9, 0) == 0


# -- against a day-by-day oracle ---------------------------------------------------------------

_minute_fields = st.sampled_from(["*", "0", "5", "0/20", "3-7", "10,50", "*/30"])
_hour_fields = st.sampled_from(["*", "0", "2", "8-10", "*/6", "1,23"])
_month_fields = st.sampled_from(["*", "2", "JAN-MAR", "3,10", "*/5"])
_day_fields = st.sampled_from(
    [
        *(("*", "?"), ("1", "?"), ("31", "?"), ("10-12", "?"), ("L", "?"), ("LW", "?")),
        *(("15W", "?"), ("?", "2"), ("?", "MON-FRI"), ("?", "L"), ("?", "3L"), ("?", "2#2")),
    ]
)
_moments = st.integers(int(at("2024-01-01T00:00")), int(at("2028-01-01T00:00")))


def _names_day(of_month: str, of_week: str, day: datetime.date) -> bool:
    length = calendar.monthrange(day.year, day.month)[1]
    number = day.isoweekday() % 7 + 1
    workdays = [
        each
        for each in range(1, length + 1)
        if datetime.date(day.year, day.month, each).isoweekday() <= 5
    ]
    match (of_month, of_week):
        case ("L", _):
            return day.day == length
        case ("LW", _):
            return day.day == workdays[-1]
        case ("15W", _):
            return day.day == min(workdays, key=lambda each: abs(each - 15))
        case ("?", "MON-FRI"):
            return 2 <= number <= 6
        case ("?", "L"):
            return number == 7
        case ("?", "3L"):
            return number == 3 and day.day + 7 > length
        case ("?", "2#2"):
            return number == 2 and 8 <= day.day <= 14
        case ("?", _):
            return number == int(of_week)
        case ("*", _):
            return True
        case ("10-12", _):
            return 10 <= day.day <= 12
    return day.day == int(of_month)


@given(_minute_fields, _hour_fields, _month_fields, _day_fields, _moments)
def test_the_next_time_is_the_first_that_fits(
    minute: str, hour: str, month: str, days: tuple[str, str], moment: int
) -> None:
    """Nothing between lies in the expression, and what is found does. The days are found by
    walking, without the parser's help."""
    if days == ("?", "L"):
        days = ("?", "7")  # In AWS's words, the last day of a week.
    text = f"{minute} {hour} {days[0]} {month} {days[1]} *"
    due = Schedule(parse(f"cron({text})"), 0.0).next_after(float(moment))
    cron = Cron.parse(f"{minute} {hour} * {month} ? *")
    day = datetime.datetime.fromtimestamp(moment, UTC).date()
    for _ in range(1500):
        if day.month in cron.months and _names_day(*days, day):
            for clock in itertools.product(cron.hours, cron.minutes):
                expected = datetime.datetime(day.year, day.month, day.day, *clock, tzinfo=UTC)
                if expected.timestamp() > moment:
                    assert due == expected.timestamp()
                    return
        day += datetime.timedelta(days=1)
    assert due is None


@given(
    st.sampled_from(["cron(*/7 1-3 * * ? *)", "cron(30 2 * * ? *)", "cron(0 0 ? * 2#1 *)"]),
    st.sampled_from([UTC, BERLIN, NEW_YORK]),
    _moments,
)
def test_times_only_grow_and_exist(text: str, zone: datetime.tzinfo, moment: int) -> None:
    schedule = Schedule(parse(text), 0.0, zone)
    previous = float(moment)
    for _ in range(5):
        due = schedule.next_after(previous)
        assert due is not None
        assert due > previous
        previous = due


@given(
    st.sampled_from(
        ["cron(*/7 1-3 * * ? *)", "cron(0 3 * * ? *)", "cron(* * * 1 ? *)", "rate(7 minutes)"]
    ),
    st.integers(0, 60 * 24 * 40),
)
def test_of_missed_times_the_latest_is_found(text: str, minutes: int) -> None:
    start = at("2026-01-05T00:00")
    schedule = Schedule(parse(text), start)
    due = schedule.next_after(start)
    assert due is not None
    moment = due + minutes * 60
    latest = schedule.latest_until(due, moment)
    assert due <= latest <= moment
    later = schedule.next_after(latest)
    assert later is None or later > moment
    assert math.isclose(latest, due) or schedule.next_after(latest - 1) == latest
