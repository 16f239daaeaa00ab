"""The model's constraints, checked and worded as AWS does."""

import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lambent.gateway.models import OperationModel, Shape
from lambent.model.errors import ApiError
from lambent.model.limits import MEMORY_MB_MAX, TIMEOUT_S_MAX

_CHECKED_BY_THE_USE_CASE = frozenset({"Runtime"})
"""Shapes whose enumeration AWS checks with a text and code of its own."""
_VALUES_AT_MOST = {"Timeout": TIMEOUT_S_MAX, "MemorySize": MEMORY_MB_MAX}
"""By shape: less than the model says, which knows features that are not offered."""
_ENUMS_IN_AWS_ORDER = {
    "EventSourcePosition": ("LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"),
    "InvokeMode": ("RESPONSE_STREAM", "BUFFERED"),
    "RecursiveLoop": ("Terminate", "Allow"),
}
"""By shape, where AWS words them in another order than the model. There is no rule."""
_NULL_IS_NOT_NAMED = frozenset({"AdditionalVersion", "SecurityGroupId", "SubnetId"})
"""Shapes of members of which AWS does not say that they must not be null."""
_VALUE_CHARACTERS_MAX = 1000
_VIOLATIONS_MAX = 100
_UNICODE_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": "",
    r"\p{Z}": r"\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}
_DASH_AFTER_CLASS = re.compile(r"(\\[wds])-(?!\])")
_DOT = re.compile(r"(\\.|\[\^?\]?(?:\\.|[^\]\\])*\])|\.", re.DOTALL)
"""Or an escape, or a class, in which it is a dot."""
_NOT_END_OF_LINE = r"[^\n\r\x85\u2028\u2029]"
"""Python takes it for a range."""


def validate(operation: OperationModel, params: Mapping[str, Any]) -> None:
    """Raises `ValidationException` that lists the violated constraints."""
    shape = operation.input_shape
    if shape is None:
        return
    violations = list(itertools.islice(_structure(shape, params, ""), _VIOLATIONS_MAX))
    if violations:
        count = len(violations)
        noun = "error" if count == 1 else "errors"
        text = "; ".join(violations)
        raise ApiError("ValidationException", f"{count} validation {noun} detected: {text}")


def _structure(shape: Shape, value: Mapping[str, Any], path: str) -> Iterator[str]:
    if getattr(shape, "is_document_type", False):
        return
    required = set(shape.required_members)
    for name, member in shape.members.items():
        below = _join(path, name)
        if name in value:
            yield from _value(member, value[name], below)
        elif name in required:
            yield (f"Value null at '{below}' failed to satisfy constraint: Member must not be null")


def _value(shape: Shape, value: Any, path: str) -> Iterator[str]:
    for constraint, holds in _constraints(shape):
        if not holds(value):
            yield _violation(shape, value, path, constraint)
    kind = shape.type_name
    if kind == "structure":
        yield from _structure(shape, value, path)
    elif kind == "list":
        if shape.member.type_name in ("structure", "list", "map"):
            for number, item in enumerate(value, 1):
                yield from _value(shape.member, item, f"{path}.{number}.member")
        else:
            yield from _members(shape.member, value, shape, value, path)
    elif kind == "map":
        yield from _members(shape.key, value.keys(), shape, value, path, "Map keys must")
        if shape.value.type_name in ("structure", "list", "map"):
            for key, item in value.items():
                yield from _value(shape.value, item, f"{path}.{key}.member")
        else:
            yield from _members(shape.value, value.values(), shape, value, path, "Map value must")


def _members(
    shape: Shape,
    items: Iterable[Any],
    whole_shape: Shape,
    whole: Any,
    path: str,
    subject: str = "Member must",
) -> Iterator[str]:
    """Scalars of a list or map: AWS names the whole and lists all constraints of a member."""
    constraints = _constraints(shape)
    if any(not holds(item) for item in items for _, holds in constraints):
        texts = [text for text, _ in constraints]
        if shape.name not in _NULL_IS_NOT_NAMED:
            texts.append("not be null")
        listed = ", ".join(f"Member must {text}" for text in texts)
        yield _violation(whole_shape, whole, path, f"satisfy constraint: [{listed}]", subject)


def _violation(
    shape: Shape, value: Any, path: str, constraint: str, subject: str = "Member must"
) -> str:
    """Values that the model calls sensitive are not repeated."""
    shown = "" if shape.metadata.get("sensitive") else f" '{_shown(value)}'"
    return f"Value{shown} at '{path}' failed to satisfy constraint: {subject} {constraint}"


@functools.cache
def _constraints(shape: Shape) -> tuple[tuple[str, Any], ...]:
    """Text (after "Member must") and predicate of each constraint of one shape."""
    found: list[tuple[str, Any]] = []
    limits: Mapping[str, Any] = shape.metadata
    kind = shape.type_name
    low, high = limits.get("min"), _VALUES_AT_MOST.get(shape.name, limits.get("max"))
    if kind in ("string", "blob", "list", "map"):
        if high is not None:
            found.append((f"have length less than or equal to {high}", _at_most_long(high)))
        if low is not None:
            found.append((f"have length greater than or equal to {low}", _at_least_long(low)))
    elif kind in ("integer", "long", "float", "double"):
        if high is not None:
            found.append((f"have value less than or equal to {high}", _at_most(high)))
        if low is not None:
            found.append((f"have value greater than or equal to {low}", _at_least(low)))
    pattern = limits.get("pattern")
    if pattern is not None and (compiled := compile_pattern(pattern)) is not None:
        found.append((f"satisfy regular expression pattern: {pattern}", compiled.fullmatch))
    values = getattr(shape, "enum", None)
    if values and shape.name not in _CHECKED_BY_THE_USE_CASE:
        listed = ", ".join(_ENUMS_IN_AWS_ORDER.get(shape.name, values))
        found.append((f"satisfy enum value set: [{listed}]", frozenset(values).__contains__))
    return tuple(found)


def compile_pattern(pattern: str) -> re.Pattern[str] | None:
    """A pattern of the model, written for Java, or None if Python's `re` cannot read it.

    Java's classes are ASCII's unless they are written `\\p{…}`, which Python does not know: its
    own `\\w` stands for letters and numbers of all scripts then. Java's `.` is none of the
    characters that end a line, Python's only not `\\n`.
    """
    flags = re.NOFLAG
    if r"\p{" in pattern:
        for java, python in _UNICODE_CLASSES.items():
            pattern = pattern.replace(java, python)
    else:
        flags |= re.ASCII
    pattern = _DASH_AFTER_CLASS.sub(r"\1\\-", pattern)
    pattern = _DOT.sub(lambda found: found[1] or _NOT_END_OF_LINE, pattern)
    try:
        return re.compile(pattern, flags)
    except re.error:
        return None


def _at_most(limit: float) -> Any:
    return lambda value: value <= limit


def _at_least(limit: float) -> Any:
    return lambda value: value >= limit


def _at_most_long(limit: int) -> Any:
    return lambda value: len(value) <= limit


def _at_least_long(limit: int) -> Any:
    return lambda value: len(value) >= limit


def _join(path: str, name: str) -> str:
    """AWS words paths in camel case."""
    lowered = name[:1].lower() + name[1:]
    return f"{path}.{lowered}" if path else lowered


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return "java.nio.HeapByteBuffer"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        text = "[" + ", ".join(_shown(item) for item in value[:100]) + "]"
    elif isinstance(value, Mapping):
        pairs = list(value.items())[:100]
        text = "{" + ", ".join(f"{key}={_shown(item)}" for key, item in pairs) + "}"
    else:
        text = str(value)
    return text[:_VALUE_CHARACTERS_MAX]
