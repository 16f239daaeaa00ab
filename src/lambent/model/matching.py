"""The pattern language of filter criteria: whether a JSON document fits a pattern.

Patterns are those that `model.filters` finds well-formed, read by `kit.strict_json`. A leaf of a
pattern is about the scalars at its path: one, or several if there are arrays on the way, or none.
Any of them may fit; objects are no scalars. Texts are compared code point by code point, numbers as
they are written (300 is not 300.0), but by their value within `numeric`.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html

Documents come from strangers: whatever they hold, matching neither raises nor takes longer than
the document is long, for each condition of the pattern.
"""

import decimal
import ipaddress
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import NoneType
from typing import Any

from lambent.kit.strict_json import Number

Holds = Callable[[Mapping[str, Any]], bool]
"""Whether an object fits."""
Test = Callable[[Any], bool]
"""Whether a value fits, or a scalar."""

_MISSING = object()
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WILDCARD_PIECE = re.compile(r"\\([*\\])|(\*)|(.)", re.DOTALL)


def compile_object(
    pattern: Mapping[str, Any], special: Mapping[str, Callable[[Any], Test]] | None = None
) -> Holds:
    """What a pattern asks of an object. `special` compiles fields that the pattern has at its top,
    by name."""
    compilers = special or {}
    fields: list[tuple[str, Test]] = []
    choices: list[tuple[Holds, ...]] = []
    for name, value in pattern.items():
        if name == "$or" and is_choice(value):
            choices.append(tuple(compile_object(choice, special) for choice in value))
        else:
            compiler: Callable[[Any], Test] = compilers.get(name, compile_value)
            fields.append((name, compiler(value)))

    def holds(document: Mapping[str, Any]) -> bool:
        for name, test in fields:
            if not test(document.get(name, _MISSING)):
                return False
        return not choices or all(any(test(document) for test in choice) for choice in choices)

    return holds


def is_choice(value: Any) -> bool:
    """Whether the value of `$or` in a valid pattern has alternatives, each an object with fields.
    Otherwise it has conditions, as the value of a field that is called so."""
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(
            isinstance(choice, dict)
            and all(isinstance(field, dict | list) for field in choice.values())
            for choice in value
        )
    )


def compile_value(pattern: Mapping[str, Any] | Sequence[Any]) -> Test:
    """What a field of a pattern asks of the value at its path."""
    return _within(pattern) if isinstance(pattern, Mapping) else _leaf(pattern)


def _within(pattern: Mapping[str, Any]) -> Test:
    """Where there is no object, its fields are missing. Of an array, one object must fit whole."""
    holds = compile_object(pattern)
    without = holds({})

    def test(value: Any) -> bool:
        if isinstance(value, dict):
            return holds(value)
        if isinstance(value, list):
            objects = [item for item in _flat(value) if isinstance(item, dict)]
            if objects:
                return any(map(holds, objects))
        return without

    return test


def _leaf(conditions: Sequence[Any]) -> Test:
    without = {"exists": False} in conditions
    fits = _any_of(conditions)

    def test(value: Any) -> bool:
        scalars = _scalars(value)
        if len(scalars) == 1:
            return fits(scalars[0])
        return any(map(fits, scalars)) if scalars else without

    return test


def _flat(array: list[Any]) -> list[Any]:
    """What is in an array and in those within it, in no order."""
    flat, pending = [], list(array)
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        else:
            flat.append(item)
    return flat


def _scalars(value: Any) -> Sequence[Any]:
    kind = type(value)
    if kind in (str, Number, bool, NoneType):
        return (value,)
    if kind is list:
        return [scalar for item in _flat(value) for scalar in _scalars(item)]
    if kind in (int, float):
        return (_written(value),)
    return ()


def _written(number: int | float) -> Number:
    """As JSON has it; what Python does not write out (beyond 4,300 digits) is like no other."""
    try:
        return Number(number)
    except ValueError:
        return Number("NaN")


def _any_of(conditions: Iterable[Any]) -> Test:
    """Whether a scalar is one of those, or fits an operator."""
    conditions = list(conditions)
    texts = frozenset(condition for condition in conditions if type(condition) is str)
    numbers = frozenset(condition for condition in conditions if type(condition) is Number)
    constants = tuple(
        condition for condition in conditions if condition is None or isinstance(condition, bool)
    )
    operators = tuple(
        _OPERATORS[name](operand)
        for condition in conditions
        if isinstance(condition, dict)
        for name, operand in condition.items()
    )

    def fits(scalar: Any) -> bool:
        kind = type(scalar)
        equal = texts if kind is str else numbers if kind is Number else constants
        if scalar in equal:
            return True
        return bool(operators) and any(test(scalar) for test in operators)

    return fits


def _exists(wanted: bool) -> Test:
    """What is asked is there; that nothing is there is the leaf's concern."""
    return lambda _: wanted


def _prefix(operand: Any) -> Test:
    if isinstance(operand, str):
        return lambda scalar: type(scalar) is str and scalar.startswith(operand)
    start = operand["equals-ignore-case"].lower()
    return lambda scalar: type(scalar) is str and scalar.lower().startswith(start)


def _suffix(operand: Any) -> Test:
    if isinstance(operand, str):
        return lambda scalar: type(scalar) is str and scalar.endswith(operand)
    end = operand["equals-ignore-case"].lower()
    return lambda scalar: type(scalar) is str and scalar.lower().endswith(end)


def _equals_ignore_case(operand: str) -> Test:
    wanted = operand.lower()
    return lambda scalar: type(scalar) is str and scalar.lower() == wanted


def wildcard_chunks(operand: str) -> list[str]:
    r"""The texts between the stars of a wildcard. `\*` is a star and `\\` a backslash."""
    chunks = [""]
    for found in _WILDCARD_PIECE.finditer(operand):
        if found[2]:
            chunks.append("")
        else:
            chunks[-1] += found[1] or found[3]
    return chunks


def _wildcard(operand: str) -> Test:
    """`*` is any text. The first place where a chunk between stars is found is as good as any
    other, so no way is tried twice."""
    chunks = wildcard_chunks(operand)
    if len(chunks) == 1:
        return lambda scalar: type(scalar) is str and scalar == chunks[0]
    start, *middle, end = chunks

    def test(scalar: Any) -> bool:
        if type(scalar) is not str or not (scalar.startswith(start) and scalar.endswith(end)):
            return False
        at, stop = len(start), len(scalar) - len(end)
        for chunk in middle:
            at = scalar.find(chunk, at, stop)
            if at < 0:
                return False
            at += len(chunk)
        return at <= stop

    return test


def _anything_but(operand: Any) -> Test:
    if isinstance(operand, dict):
        ((name, inner),) = operand.items()
        excluded = _any_of(
            {name: condition} for condition in (inner if isinstance(inner, list) else [inner])
        )
    else:
        excluded = _any_of(operand if isinstance(operand, list) else [operand])
    return lambda scalar: not excluded(scalar)


def _numeric(operand: Sequence[str]) -> Test:
    bounds = [
        (_COMPARISONS[sign], _decimal(number))
        for sign, number in zip(operand[::2], operand[1::2], strict=True)
    ]

    def test(scalar: Any) -> bool:
        if type(scalar) is not Number:
            return False
        number = _decimal(scalar)
        return number is not None and all(
            bound is not None and compare(number, bound) for compare, bound in bounds
        )

    return test


def _decimal(number: str) -> decimal.Decimal | None:
    """Its value, exactly; None if it is none, or if its exponent is beyond 18 digits."""
    try:
        value = decimal.Decimal(number)
    except decimal.InvalidOperation:
        return None
    return value if value.is_finite() else None


def _cidr(operand: str) -> Test:
    network = ipaddress.ip_network(operand, strict=False)

    def test(scalar: Any) -> bool:
        if type(scalar) is not str:
            return False
        try:
            return ipaddress.ip_address(scalar) in network
        except ValueError:
            return False

    return test


_OPERATORS: Mapping[str, Callable[[Any], Test]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "exists": _exists,
    "cidr": _cidr,
}
