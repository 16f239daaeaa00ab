"""The `Condition` element of policies.

All operators must hold; within one, all keys; of a key's values, one (of a negated operator, none).
A key that the request does not have makes a condition fail, unless it is negated or ends in
`IfExists`.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import base64
import binascii
import datetime
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.model.variables import Context, expand
from lambent.model.wildcards import Pattern, matches, matches_arn, text_of

Test = Callable[[str, Any], bool]
"""Whether a value of the request fits a value of the policy: a text, or a pattern if the operator
knows wildcards."""

_TEXTS = frozenset({"StringEquals", "StringEqualsIgnoreCase"})
_PATTERNS = frozenset({"StringLike", "ArnEquals", "ArnLike"})
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}


def conditions_hold(
    conditions: Mapping[str, Any], context: Context, *, expands: bool = True
) -> bool:
    """Whether a statement's conditions hold, `expands` says whether it has variables. A statement
    with an unknown operator never holds."""
    return all(
        _holds(operator, key, _listed(values), context, expands=expands)
        for operator, keys in conditions.items()
        for key, values in keys.items()
    )


def is_operator(name: str) -> bool:
    """Whether conditions know an operator."""
    qualifier, _, plain = name.rpartition(":")
    plain = plain.removesuffix("IfExists")
    is_known = plain == "Null" or plain in _TESTS or plain in _NEGATED
    return is_known and qualifier in ("", "ForAllValues", "ForAnyValue")


def _holds(
    operator: str, key: str, wanted: Sequence[str], context: Context, *, expands: bool
) -> bool:
    qualifier, separator, plain = operator.partition(":")
    if not separator:
        qualifier, plain = "", operator
    if_exists = plain.endswith("IfExists")
    plain = plain.removesuffix("IfExists")
    given = context.get(key.lower())
    if plain == "Null":
        return any((given is None) == (text.lower() == "true") for text in wanted)
    is_negated = plain in _NEGATED
    plain = _NEGATED.get(plain, plain)
    test = _TESTS.get(plain)
    if test is None:
        return False
    if given is None:
        return if_exists or is_negated or qualifier == "ForAllValues"
    known = [_wanted(plain, value, context, expands=expands) for value in wanted]
    results = [
        any(expected is not None and _safely(test, value, expected) for expected in known)
        for value in given
    ]
    if qualifier == "ForAllValues":
        return all(result != is_negated for result in results)
    if qualifier not in ("", "ForAnyValue"):
        return False
    if is_negated and not qualifier:
        return not any(results)
    return any(result != is_negated for result in results)


def _wanted(operator: str, text: str, context: Context, *, expands: bool) -> Pattern | None:
    """A value of the policy as its operator compares it, None if it matches nothing. Texts and ARNs
    may have variables."""
    if operator not in _TEXTS and operator not in _PATTERNS:
        return text
    if not expands or "${" not in text:
        return text
    pattern = expand(text, context)
    return pattern if pattern is None or operator in _PATTERNS else text_of(pattern)


def _safely(test: Test, value: str, wanted: Pattern) -> bool:
    try:
        return test(value, wanted)
    except (ValueError, TypeError, OverflowError, OSError, binascii.Error):
        return False  # The policy contains an invalid value: the condition is false.


def _date(text: str) -> datetime.datetime:
    if text.isdigit():
        return datetime.datetime.fromtimestamp(int(text), datetime.UTC)
    moment = datetime.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def _in_network(value: str, wanted: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)


_TESTS: Mapping[str, Test] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": lambda value, wanted: matches(wanted, value),
    "ArnEquals": lambda value, wanted: matches_arn(wanted, value),
    "ArnLike": lambda value, wanted: matches_arn(wanted, value),
    "Bool": lambda value, wanted: value.lower() == wanted.lower(),
    "BinaryEquals": lambda value, wanted: base64.b64decode(value) == base64.b64decode(wanted),
    "IpAddress": _in_network,
    "NumericEquals": lambda value, wanted: float(value) == float(wanted),
    "NumericLessThan": lambda value, wanted: float(value) < float(wanted),
    "NumericLessThanEquals": lambda value, wanted: float(value) <= float(wanted),
    "NumericGreaterThan": lambda value, wanted: float(value) > float(wanted),
    "NumericGreaterThanEquals": lambda value, wanted: float(value) >= float(wanted),
    "DateEquals": lambda value, wanted: _date(value) == _date(wanted),
    "DateLessThan": lambda value, wanted: _date(value) < _date(wanted),
    "DateLessThanEquals": lambda value, wanted: _date(value) <= _date(wanted),
    "DateGreaterThan": lambda value, wanted: _date(value) > _date(wanted),
    "DateGreaterThanEquals": lambda value, wanted: _date(value) >= _date(wanted),
}


def _listed(value: Any) -> Sequence[str]:
    found = value if isinstance(value, list) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in found]
