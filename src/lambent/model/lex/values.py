"""What a slot takes: AWS's built-in slot types as far as text alone decides, and those of a bot.

https://docs.aws.amazon.com/lexv2/latest/dg/howitworks-builtins-slots.html
"""

import dataclasses
import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.kit.linear_regex import PatternError, compile_pattern
from lambent.model.lex.dates import day_of, duration_of, times_of
from lambent.model.lex.numbers import number_of
from lambent.model.lex.words import folded, windows

Params = Mapping[str, Any]
_WINDOW_WORDS, _FOUND_WORDS_MAX = 6, 60
_ALPHANUMERIC = re.compile(r"[^\W_]{1,200}")
_EMAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_PHONE = re.compile(r"\+?[0-9 ().-]{5,30}")
_UK_POSTAL_CODE = re.compile(r"[A-Za-z]{1,2}[0-9][A-Za-z0-9]?\s?[0-9][A-Za-z]{2}")
_CONFIRMATIONS = {
    "Yes": (
        *("yes", "y", "yeah", "yep", "yup", "sure", "ok", "okay", "correct", "right", "of course"),
        *("yes please", "please do", "that's right", "that is right", "that's correct"),
        *("ja", "sí", "si", "oui", "sim", "はい", "是"),
    ),
    "No": (
        *("no", "n", "nope", "nah", "no thanks", "no thank you", "incorrect", "wrong", "not now"),
        *("don't", "do not", "nein", "non", "não", "いいえ", "不是"),
    ),
    "Maybe": ("maybe", "perhaps", "possibly", "vielleicht", "peut-être", "quizás", "talvez"),
    "Don't know": ("don't know", "i don't know", "not sure", "i'm not sure", "no idea"),
}
_CONFIRMED = {text: name for name, texts in _CONFIRMATIONS.items() for text in texts}
FREE_TEXT = frozenset(
    f"AMAZON.{name}"
    for name in (
        *("FreeFormInput", "City", "Country", "State", "FirstName", "LastName", "StreetName"),
        *("Airport", "Actor", "Artist", "Author", "Book", "Corporation", "LocalBusiness"),
        *("Movie", "MusicAlbum", "MusicGroup", "Person", "SportsTeam", "TVSeries"),
    )
)
"""Types whose lists AWS has: here any text is a value of them."""


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """A value of a slot."""

    original: str
    interpreted: str
    resolved: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As sessions and events have it."""
        return {
            "shape": "Scalar",
            "value": {
                "originalValue": self.original,
                "interpretedValue": self.interpreted,
                "resolvedValues": list(self.resolved),
            },
        }


@dataclasses.dataclass(frozen=True, slots=True)
class Context:
    """What values depend on besides their text."""

    today: datetime.date
    locale: str
    """`en_US`."""


Resolve = Callable[[str, Context], Value | None]


@dataclasses.dataclass(frozen=True, slots=True)
class SlotType:
    """A slot type, ready for use."""

    resolve: Resolve
    """The value that a whole text is, or None."""
    is_free: bool = False
    """Whether any text is a value."""
    values: tuple[str, ...] = ()
    """All texts that are values, if there is a list of them."""

    def find(self, text: str, context: Context) -> Value | None:
        """The one value in a text. None if there is none, or if it is not clear which: of values
        that overlap the longest counts."""
        if self.is_free or len(text.split()) > _FOUND_WORDS_MAX:
            return None
        for size in range(_WINDOW_WORDS, 0, -1):
            sized = [each for each in windows(text, size) if len(each.split()) == size]
            found = [self.resolve(each.strip(".,!?;:"), context) for each in sized]
            distinct = {each.interpreted: each for each in found if each is not None}
            if distinct:
                return next(iter(distinct.values())) if len(distinct) == 1 else None
        return None


def _simple(read: Callable[[str], str | None]) -> SlotType:
    def resolve(text: str, context: Context) -> Value | None:
        found = read(text)
        return None if found is None else Value(text, found, (found,))

    return SlotType(resolve)


def _day(text: str, context: Context) -> Value | None:
    month_first = context.locale in ("en_US", "es_US", "en_CA")
    found = day_of(text, context.today, has_month_first=month_first)
    return None if found is None else Value(text, found, (found,))


def _time(text: str, context: Context) -> Value | None:
    found = times_of(text)
    return Value(text, found[0], tuple(found)) if found else None


def _matching(pattern: re.Pattern[str], strip: str = "") -> Callable[[str], str | None]:
    def read(text: str) -> str | None:
        plain = text.strip()
        if pattern.fullmatch(plain) is None:
            return None
        return re.sub(f"[{re.escape(strip)}]", "", plain) if strip else plain

    return read


def _phone(text: str) -> str | None:
    found = _matching(_PHONE, " ().-")(text)
    return found if found is not None and 7 <= len(found.lstrip("+")) <= 15 else None


def _percentage(text: str) -> str | None:
    plain = text.strip()
    for ending in ("%", "percent", "per cent"):
        if plain.lower().endswith(ending):
            return number_of(plain[: -len(ending)])
    return number_of(plain)


def _free(text: str, context: Context) -> Value | None:
    plain = text.strip()
    return Value(plain, plain, (plain,)) if plain else None


BUILT_IN: Mapping[str, SlotType] = {
    "AMAZON.Number": _simple(number_of),
    "AMAZON.Date": SlotType(_day),
    "AMAZON.Time": SlotType(_time),
    "AMAZON.Duration": _simple(duration_of),
    "AMAZON.Percentage": _simple(_percentage),
    "AMAZON.Confirmation": _simple(lambda text: _CONFIRMED.get(folded(text))),
    "AMAZON.AlphaNumeric": _simple(_matching(_ALPHANUMERIC)),
    "AMAZON.EmailAddress": _simple(_matching(_EMAIL)),
    "AMAZON.PhoneNumber": _simple(_phone),
    "AMAZON.UKPostalCode": _simple(_matching(_UK_POSTAL_CODE)),
    **dict.fromkeys(FREE_TEXT, SlotType(_free, is_free=True)),
}
"""By signature."""


def confirmation_of(text: str) -> str | None:
    """`Yes`, `No`, `Maybe`, `Don't know`, or None."""
    return _CONFIRMED.get(folded(text))


def custom_slot_type(definition: Params) -> SlotType:
    """A slot type of a bot. Raises `ValueError` with the reason if it cannot be used."""
    for member in ("compositeSlotTypeSetting", "externalSourceSetting"):
        if definition.get(member):
            raise ValueError(f"{member} is not offered: use a list of values.")
    parent = None
    if signature := definition.get("parentSlotTypeSignature"):
        parent = BUILT_IN.get(signature)
        if parent is None:
            raise ValueError(f"The built-in slot type {signature} is not offered.")
    setting = definition.get("valueSelectionSetting") or {}
    pattern = (setting.get("regexFilter") or {}).get("pattern")
    if pattern is not None:
        return _filtered(parent or BUILT_IN["AMAZON.AlphaNumeric"], pattern)
    listed = _listed(definition.get("slotTypeValues") or ())
    if not listed and parent is not None:
        return parent
    is_restricted = setting.get("resolutionStrategy") != "OriginalValue"

    def resolve(text: str, context: Context) -> Value | None:
        plain = text.strip()
        name = listed.get(folded(plain))
        if name is not None:
            return Value(plain, name if is_restricted else plain, (name,))
        if parent is not None and (found := parent.resolve(text, context)) is not None:
            return found
        if is_restricted or not plain or parent is not None:
            return None
        return Value(plain, plain, ())

    is_free = not is_restricted and parent is None
    return SlotType(resolve, is_free, tuple(listed))


def _listed(values: Sequence[Params]) -> dict[str, str]:
    """By text as it is compared, the value. A value wins over the synonym of another."""
    names = [each["sampleValue"]["value"] for each in values]
    found = {
        folded(synonym["value"]): name
        for each, name in zip(values, names, strict=True)
        for synonym in each.get("synonyms") or ()
    }
    found |= {folded(name): name for name in names}
    return {text: name for text, name in found.items() if text}


def _filtered(parent: SlotType, pattern: str) -> SlotType:
    try:
        compiled = compile_pattern(pattern)
    except PatternError as error:
        raise ValueError(f"The pattern {pattern!r} is not valid: {error}") from None

    def resolve(text: str, context: Context) -> Value | None:
        plain = text.strip()
        try:
            if len(plain) > 200 or not compiled.matches(plain):
                return None
        except PatternError:
            return None
        return parent.resolve(plain, context)

    return SlotType(resolve)
