"""Numbers in texts: digits, and English words up to billions."""

import re

from lambent.model.lex.words import words_of

_DIGITS = re.compile(r"[-+]?\d{1,18}(?:\.\d{1,9})?", re.ASCII)
_GROUPED = re.compile(r"[-+]?\d{1,3}(?:,\d{3}){1,5}(?:\.\d{1,9})?", re.ASCII)
_WORDS_MAX = 20
_ORDINAL_NAMES = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"),
    *("ninth", "tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth"),
    *("sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth"),
)
_TENS_NAMES = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SMALL_NAMES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven"),
    *("eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen"),
    *("sixteen", "seventeen", "eighteen", "nineteen"),
)
_SMALL = {name: value for value, name in enumerate(_SMALL_NAMES)}
_TENS = {name: 10 * (value + 2) for value, name in enumerate(_TENS_NAMES)}
_SCALES = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
ORDINALS = {name: value + 1 for value, name in enumerate(_ORDINAL_NAMES)} | {"thirtieth": 30}


def number_of(text: str) -> str | None:
    """The number that a text is, such as `25` for "twenty-five"; None if it is none."""
    plain = text.strip()
    if _GROUPED.fullmatch(plain) is not None:
        return plain.replace(",", "").lstrip("+")
    if _DIGITS.fullmatch(plain) is not None:
        return plain.lstrip("+")
    words = [part for word in words_of(text) for part in word.split("-") if part]
    if not words or len(words) > _WORDS_MAX:
        return None
    sign = ""
    if words[0] in ("minus", "negative"):
        sign, words = "-", words[1:]
    value = _value_of(words)
    return None if value is None else f"{sign}{value}"


def whole_number_of(text: str) -> int | None:
    """A number from 0 to 999,999,999 without a fraction; None if the text is none."""
    found = number_of(text)
    return int(found) if found is not None and found.isdecimal() and len(found) < 10 else None


def _value_of(words: list[str]) -> int | None:
    """Words of a number: each adds to the hundreds that are read, or scales them."""
    if words == ["a", "dozen"]:
        return 12
    total, current, last = 0, 0, 0
    for at, word in enumerate(words):
        if word == "and" and 0 < at < len(words) - 1 and last >= 100:
            continue
        if word == "a" and words[at + 1 : at + 2] and words[at + 1] in {"hundred", *_SCALES}:
            word = "one"
        if word in _SMALL and (at == 0 or last >= 100 or (last >= 20 and _is_digit(word))):
            current, last = current + _SMALL[word], max(_SMALL[word], 1)
        elif word in _TENS and (at == 0 or last >= 100):
            current, last = current + _TENS[word], _TENS[word]
        elif word == "hundred" and 0 < current < 100:
            current, last = current * 100, 100
        elif word in _SCALES and current and (total == 0 or total > _SCALES[word]):
            total, current, last = total + current * _SCALES[word], 0, _SCALES[word]
        else:
            return None
    return total + current if words else None


def _is_digit(word: str) -> bool:
    return 0 < _SMALL[word] < 10
