"""The value of a slot from a text, as sessions and events have it."""

import re
from typing import Any

from lambent.model.lex.locale import Slot
from lambent.model.lex.values import Context

_VALUES_MAX = 50
_SEPARATOR = re.compile(r"\s*,\s*(?:and\s+)?|\s+and\s+|\s*&\s*", re.IGNORECASE)


def resolve_slot(slot: Slot, text: str, context: Context) -> dict[str, Any] | None:
    """The value that a whole text is; None if it is none."""
    if slot.is_list:
        return _resolve_list(slot, text, context)
    value = slot.type.resolve(text, context)
    return None if value is None else value.document()


def find_in(slot: Slot, text: str, context: Context) -> dict[str, Any] | None:
    """The value that a text is, or else the one value in it; None if it is not clear."""
    found = resolve_slot(slot, text, context)
    if found is not None or slot.is_list:
        return found
    value = slot.type.find(text, context)
    return None if value is None else value.document()


def interpreted(value: dict[str, Any] | None) -> str | None:
    """What messages and conditions have for a value; None if there is none."""
    found = (value or {}).get("value") or {}
    text = found.get("interpretedValue")
    return text if isinstance(text, str) else None


def given_value(text: str) -> dict[str, Any]:
    """A value that the bot's author has written."""
    value = {"originalValue": text, "interpretedValue": text, "resolvedValues": [text]}
    return {"shape": "Scalar", "value": value}


def _resolve_list(slot: Slot, text: str, context: Context) -> dict[str, Any] | None:
    texts = [each for each in _SEPARATOR.split(text.strip()) if each]
    found = [slot.type.resolve(each, context) for each in texts[: _VALUES_MAX + 1]]
    values = [each for each in found if each is not None]
    if not values or len(values) != len(found) or len(found) > _VALUES_MAX:
        return None
    joined = ", ".join(each.interpreted for each in values)
    whole = {
        "originalValue": text.strip(),
        "interpretedValue": joined,
        "resolvedValues": [joined],
    }
    return {"shape": "List", "value": whole, "values": [each.document() for each in values]}
