"""Values of templates: dict, list, str, int, float, bool, None, and the few classes below. How they
are printed and compared, as Java does."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.triggers.apis.vtl.budget import Budget, TemplateError

Value = Any
NUMBER_BITS_MAX = 256


class JsonList(list[Value]):
    """A list that was parsed from JSON. It prints as JSON; lists made in templates do not."""

    __slots__ = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a map."""

    key: Value
    value: Value


@dataclasses.dataclass(frozen=True, slots=True)
class Host:
    """A value that the interpreter's user provides, such as `$input`."""

    name: str
    methods: Mapping[str, Callable[[Budget, Sequence[Value]], Value]]
    properties: Mapping[str, Callable[[Budget], Value]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """A value with properties that can also be called, such as `$foreach`."""

    facts: Mapping[str, Value]


class Renderable:
    """A value that renders when it is printed: what `#define` makes."""

    __slots__ = ()

    def text(self) -> str:
        """Render it. Raises `TemplateError`."""
        raise NotImplementedError


def from_json(value: Value, budget: Budget) -> Value:
    """A parsed JSON document as a value of templates. The document is not changed. Raises
    `TemplateError`."""
    if isinstance(value, dict):
        budget.step(1 + len(value) // 10)
        return {key: from_json(item, budget) for key, item in value.items()}
    if isinstance(value, list):
        budget.step(1 + len(value) // 10)
        return JsonList([from_json(item, budget) for item in value])
    return value


def to_text(value: Value, budget: Budget) -> str:
    """What `$value` prints. Raises `TemplateError`."""
    if isinstance(value, str):
        budget.make(len(value))
        return value
    parts: list[str] = []
    _write(value, budget, parts, is_json=False)
    return "".join(parts)


def to_json(value: Value, budget: Budget) -> str:
    """A value as compact JSON. Raises `TemplateError`."""
    parts: list[str] = []
    _write(value, budget, parts, is_json=True)
    return "".join(parts)


def _write(value: Value, budget: Budget, parts: list[str], is_json: bool) -> None:
    budget.step()
    text = _scalar(value, is_json)
    if text is None:
        budget.enter()
        _write_container(value, budget, parts, is_json)
        budget.leave()
        return
    budget.make(len(text))
    parts.append(text)


def _scalar(value: Value, is_json: bool) -> str | None:
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False) if is_json else value
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return number_text(value)
        case Host():
            return value.name
        case Facts():
            return ""
        case Renderable():
            return _scalar(value.text(), is_json)
    return None


def _write_container(value: Value, budget: Budget, parts: list[str], is_json: bool) -> None:
    if isinstance(value, Entry):
        _write(value.key, budget, parts, is_json=False)
        parts.append("=")
        _write(value.value, budget, parts, is_json=False)
        return
    if isinstance(value, dict):
        parts.append("{")
        for index, (key, item) in enumerate(value.items()):
            if index:
                parts.append("," if is_json else ", ")
            _write(_key_text(key) if is_json else key, budget, parts, is_json)
            parts.append(":" if is_json else "=")
            _write(item, budget, parts, is_json)
        parts.append("}")
        return
    if not isinstance(value, list):
        raise TypeError(type(value))
    is_json = is_json or isinstance(value, JsonList)
    parts.append("[")
    for index, item in enumerate(value):
        if index:
            parts.append("," if is_json else ", ")
        _write(item, budget, parts, is_json)
    parts.append("]")


def _key_text(key: Value) -> str:
    return key if isinstance(key, str) else _scalar(key, is_json=False) or ""


def number_text(number: float) -> str:
    """A number as Java's `Double.toString` writes it."""
    if number != number:
        return "NaN"
    if number in (float("inf"), float("-inf")):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0 or 1e-3 <= abs(number) < 1e7:
        return _plain(number)
    mantissa, _, exponent = f"{number:.17e}".partition("e")
    digits = repr(number).partition("e")[0].replace(".", "").replace("-", "").strip("0")
    sign = "-" if mantissa.startswith("-") else ""
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{int(exponent)}"


def _plain(number: float) -> str:
    text = repr(number)
    if "e" in text:  # repr turns to exponents below 1e-4, which is not reached here
        text = f"{number:f}"
    return text


def is_number(value: Value) -> bool:
    """Whether a value is a number; booleans are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def checked_number(number: Value) -> Value:
    """Raises `TemplateError` for a number that is too large."""
    if isinstance(number, int) and number.bit_length() > NUMBER_BITS_MAX:
        raise TemplateError("A number is too large.")
    return number


def is_true(value: Value) -> bool:
    """What `#if` makes of a value: only `false` and null are false."""
    return value if isinstance(value, bool) else value is not None


def are_equal(left: Value, right: Value, budget: Budget) -> bool:
    """`==`: numbers by value, others of the same kind by content, else by what they print."""
    budget.step()
    if left is None or right is None:
        return left is right
    if is_number(left) and is_number(right):
        return bool(left == right)
    if isinstance(left, str) and isinstance(right, str):
        budget.read(min(len(left), len(right)))
        return left == right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and _all_equal(zip(left, right, strict=True), budget)
    if isinstance(left, dict) and isinstance(right, dict):
        if left.keys() != right.keys():
            return False
        return _all_equal(((left[key], right[key]) for key in left), budget)
    return to_text(left, budget) == to_text(right, budget)


def _all_equal(pairs: Any, budget: Budget) -> bool:
    budget.enter()
    is_equal = all(are_equal(left, right, budget) for left, right in pairs)
    budget.leave()
    return is_equal
