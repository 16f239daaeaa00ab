"""Days, times and durations in texts, in English words and in digits.

A day without a year is the next one, as in AWS.
https://docs.aws.amazon.com/lexv2/latest/dg/built-in-slot-date.html
"""

import datetime
import re

from lambent.model.lex.numbers import ORDINALS, whole_number_of
from lambent.model.lex.words import folded

Day = datetime.date
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august"),
    *("september", "october", "november", "december"),
)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_RELATIVE = {
    "today": 0,
    "tonight": 0,
    "tomorrow": 1,
    "day after tomorrow": 2,
    "the day after tomorrow": 2,
    "yesterday": -1,
}
_UNITS = {"day": 1, "week": 7}
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_SLASHED = re.compile(r"(\d{1,2})[/.-](\d{1,2})(?:[/.-](\d{2}|\d{4}))?")
_IN = re.compile(r"in (.{1,40}) (day|week)s?")
_AGO = re.compile(r"(.{1,40}) (day|week)s? ago")
_ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?")
_CLOCK = re.compile(r"(\d{1,2})(?:[:.h](\d{2}))?(?::\d{2})?\s?(am|pm|a\.m|p\.m)?")
_DURATION = re.compile(r"(.{1,40}) (second|minute|hour|day|week|month|year)s?")
_LETTERS = {
    **{"second": "TS", "minute": "TM", "hour": "TH"},
    **{"day": "D", "week": "W", "month": "M", "year": "Y"},
}
_HOURS = {"morning": "am", "afternoon": "pm", "evening": "pm", "night": "pm"}


def day_of(text: str, today: Day, *, has_month_first: bool) -> str | None:
    """The day that a text is, such as `2026-12-24`; None if it is none. `has_month_first` says how
    12/24 is read."""
    plain = folded(text).removeprefix("on ").replace(",", "")
    day = _relative(plain, today) or _numeric(plain, today, has_month_first)
    day = day or _named(plain, today)
    return None if day is None else day.isoformat()


def _relative(plain: str, today: Day) -> Day | None:
    if plain in _RELATIVE:
        return _moved(today, _RELATIVE[plain])
    name = plain.removeprefix("next ").removeprefix("this ")
    if name in _WEEKDAYS:
        ahead = (_WEEKDAYS.index(name) - today.weekday()) % 7
        return _moved(today, ahead or (0 if plain.startswith("this ") else 7))
    for pattern, sign in ((_IN, 1), (_AGO, -1)):
        if (match := pattern.fullmatch(plain)) is not None:
            count = 1 if match[1] in ("a", "one") else whole_number_of(match[1])
            return None if count is None else _moved(today, sign * count * _UNITS[match[2]])
    return None


def _moved(day: Day, days: int) -> Day | None:
    try:
        return day + datetime.timedelta(days=days)
    except OverflowError:
        return None


def _numeric(plain: str, today: Day, has_month_first: bool) -> Day | None:
    if (match := _ISO.fullmatch(plain)) is not None:
        return _date(int(match[1]), int(match[2]), int(match[3]))
    if (match := _SLASHED.fullmatch(plain)) is None:
        return None
    first, second = int(match[1]), int(match[2])
    month, day = (first, second) if has_month_first else (second, first)
    if match[3] is None:
        return _coming(month, day, today)
    year = int(match[3])
    return _date(year + 2000 if year < 100 else year, month, day)


def _named(plain: str, today: Day) -> Day | None:
    """`december 24`, `24th of december 2026`, `the first of may`."""
    words = [word for word in plain.split() if word not in ("the", "of")]
    year = None
    if len(words) == 3 and words[2].isdecimal() and len(words[2]) == 4:
        year, words = int(words[2]), words[:2]
    if len(words) != 2:
        return None
    months = [_month_of(word) for word in words]
    days = [_day_number(word) for word in words]
    for month, day in ((months[0], days[1]), (months[1], days[0])):
        if month is not None and day is not None:
            return _coming(month, day, today) if year is None else _date(year, month, day)
    return None


def _month_of(word: str) -> int | None:
    if len(word) < 3:
        return None
    found = [at for at, name in enumerate(_MONTHS) if name == word or name[:3] == word]
    return found[0] + 1 if found else None


def _day_number(word: str) -> int | None:
    if word in ORDINALS:
        return ORDINALS[word]
    match = _ORDINAL.fullmatch(word)
    return None if match is None else int(match[1])


def _coming(month: int, day: int, today: Day) -> Day | None:
    """The next such day; of the 29th of February, within eight years."""
    for year in range(today.year, today.year + 9):
        found = _date(year, month, day)
        if found is not None and found >= today:
            return found
    return None


def _date(year: int, month: int, day: int) -> Day | None:
    try:
        return Day(year, month, day)
    except ValueError:
        return None


def times_of(text: str) -> list[str]:
    """The times that a text may be, `17:00`, the first as the best; none if it is no time. Without
    `am` or `pm`, an hour from 1 to 12 is one of two."""
    plain = folded(text).removeprefix("at ").removesuffix(" o'clock")
    if plain in ("noon", "midday"):
        return ["12:00"]
    if plain == "midnight":
        return ["00:00"]
    for word, half in _HOURS.items():
        plain = plain.removesuffix(f" in the {word}") + (
            f" {half}" if plain.endswith(f" in the {word}") else ""
        )
    match = _CLOCK.fullmatch(plain) or _CLOCK.fullmatch(_digits(plain))
    if match is None:
        return []
    hour, minute = int(match[1]), int(match[2] or 0)
    half = (match[3] or "").replace(".", "")
    if minute > 59 or hour > 23 or (half and not 1 <= hour <= 12):
        return []
    if half:
        return [f"{hour % 12 + (12 if half == 'pm' else 0):02}:{minute:02}"]
    if 1 <= hour <= 12 and len(match[1]) < 2 + (hour >= 10):
        return [f"{hour % 12 + add:02}:{minute:02}" for add in ((0, 12) if hour < 12 else (12, 0))]
    return [f"{hour:02}:{minute:02}"]


def _digits(plain: str) -> str:
    """`five thirty pm` as `5:30 pm`, `half past five` as `5:30`."""
    for words, minute in (("half past ", 30), ("quarter past ", 15), ("a quarter past ", 15)):
        if plain.startswith(words):
            hour, _, half = plain.removeprefix(words).partition(" ")
            number = whole_number_of(hour)
            return "" if number is None else f"{number}:{minute} {half}".strip()
    words_of_time = plain.split()
    half = words_of_time.pop() if words_of_time and words_of_time[-1] in ("am", "pm") else ""
    if not 1 <= len(words_of_time) <= 3:
        return ""
    hour_, minute_ = whole_number_of(words_of_time[0]), 0
    if len(words_of_time) > 1:
        rest = whole_number_of(" ".join(words_of_time[1:]))
        if rest is None:
            return ""
        minute_ = rest
    return "" if hour_ is None else f"{hour_}:{minute_:02} {half}".strip()


def duration_of(text: str) -> str | None:
    """The duration that a text is, such as `PT3H` or `P2W`; None if it is none."""
    match = _DURATION.fullmatch(folded(text).removeprefix("for "))
    if match is None:
        return None
    count = 1 if match[1] in ("a", "an") else whole_number_of(match[1])
    if count is None:
        return None
    letters = _LETTERS[match[2]]
    return f"PT{count}{letters[1]}" if letters[0] == "T" else f"P{count}{letters}"
