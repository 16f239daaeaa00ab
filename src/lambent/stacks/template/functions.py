"""The functions of templates. Each takes a run and its argument, which is not evaluated."""

import base64
import ipaddress
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from lambent.stacks.template import shapes
from lambent.stacks.template.budget import Budget
from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.inputs import Inputs
from lambent.stacks.template.parts import Mappings
from lambent.stacks.template.sections import written_out
from lambent.stacks.template.values import UNKNOWN

CIDRS_MAX = 256


class NoValue:
    """What `AWS::NoValue` is: a member with this value is left out."""

    __slots__ = ()


NO_VALUE = NoValue()


class Run(Protocol):
    """One evaluation, as functions see it."""

    budget: Budget
    inputs: Inputs
    mappings: Mappings

    def value(self, raw: Any) -> Any:
        """A value, evaluated."""

    def truth(self, raw: Any) -> bool:
        """A condition, evaluated."""

    def holds(self, condition: str) -> bool:
        """Whether a condition of the template holds."""

    def ref(self, name: str) -> Any:
        """What Ref returns."""

    def attribute(self, name: str, attribute: str) -> Any:
        """What Fn::GetAtt returns."""

    def exported(self, name: str) -> Any:
        """What Fn::ImportValue returns."""


def text_of(value: Any, complaint: str) -> str:
    """A scalar as a text. Raises `TemplateError` with the complaint for others."""
    try:
        return written_out(value)
    except TypeError:
        raise TemplateError(complaint) from None


def _ref(run: Run, raw: Any) -> Any:
    return run.ref(shapes.ref(raw))


def _get_att(run: Run, raw: Any) -> Any:
    name, written = shapes.get_att(raw)
    attribute = run.value(written)
    if not isinstance(attribute, str):
        raise shapes.wrong("Fn::GetAtt")
    return run.attribute(name, attribute)


def _sub(run: Run, raw: Any) -> Any:
    text, own = shapes.sub(raw)
    variables = {name: run.value(value) for name, value in own.items()}
    parts: list[str] = []
    known = True
    for part in shapes.sub_parts(text):
        run.budget.step()
        if isinstance(part, shapes.Literal):
            value: Any = part.text
        elif part.written in variables:
            value = variables[part.written]
        elif part.attribute is None:
            value = run.ref(part.name)
        else:
            value = run.attribute(part.name, part.attribute)
        if value is UNKNOWN:
            known = False
            continue
        if value is NO_VALUE:
            continue
        written = text_of(
            value,
            "Template error: Fn::Sub expression does not resolve to a string: the value of"
            f" {part.written if isinstance(part, shapes.Variable) else part.text} is not a string.",
        )
        run.budget.make(len(written))
        parts.append(written)
    return "".join(parts) if known else UNKNOWN


def _join(run: Run, raw: Any) -> Any:
    delimiter, items = shapes.join(raw)
    values = run.value(items)
    if values is UNKNOWN or (
        isinstance(values, list) and any(value is UNKNOWN for value in values)
    ):
        return UNKNOWN
    if not isinstance(values, list):
        raise shapes.wrong("Fn::Join")
    complaint = "Template error: every Fn::Join object requires a list of strings to be joined."
    texts = [text_of(value, complaint) for value in values]
    run.budget.make(sum(map(len, texts)) + len(delimiter) * len(texts))
    return delimiter.join(texts)


def _split(run: Run, raw: Any) -> Any:
    delimiter, source = shapes.split(raw)
    text = run.value(source)
    if text is UNKNOWN:
        return UNKNOWN
    if not isinstance(text, str):
        raise shapes.wrong("Fn::Split")
    run.budget.step(text.count(delimiter))
    run.budget.make(len(text))
    return text.split(delimiter)


def _select(run: Run, raw: Any) -> Any:
    index, items = (run.value(part) for part in shapes.select(raw))
    if index is UNKNOWN or items is UNKNOWN:
        return UNKNOWN
    try:
        at = int(written_out(index))
    except (TypeError, ValueError):
        at = -1
    if not isinstance(items, list) or (isinstance(index, str) and len(index) > 10):
        raise shapes.wrong("Fn::Select")
    if not 0 <= at < len(items):
        raise TemplateError(
            f"Template error: Fn::Select cannot select nonexistent value at index {index}"
        )
    return items[at]


def _find_in_map(run: Run, raw: Any) -> Any:
    lookup = shapes.find_in_map(raw)
    if lookup.has_default:
        raise shapes.wrong("Fn::FindInMap")
    return _looked_up(run, lookup)


def _find_in_map_or_default(run: Run, raw: Any) -> Any:
    return _looked_up(run, shapes.find_in_map(raw))


def _looked_up(run: Run, lookup: shapes.Lookup) -> Any:
    names = [run.value(name) for name in (lookup.mapping, lookup.top, lookup.second)]
    if any(name is UNKNOWN for name in names):
        return UNKNOWN
    complaint = "Template error: every Fn::FindInMap object must have names that are strings."
    mapping, top, second = (text_of(name, complaint) for name in names)
    found = run.mappings.get(mapping, {}).get(top, {}).get(second)
    if found is not None:
        return run.budget.copy(found)
    if lookup.has_default:
        return run.value(lookup.default)
    if mapping not in run.mappings:
        raise TemplateError(
            f"Template error: Mapping named '{mapping}' is not present in the 'Mappings' section of"
            " template."
        )
    raise TemplateError(f"Template error: Unable to get mapping for {mapping}::{top}::{second}")


def _base64(run: Run, raw: Any) -> Any:
    text = run.value(shapes.SHAPES["Fn::Base64"](raw))
    if text is UNKNOWN:
        return UNKNOWN
    try:
        written = written_out(text)
    except TypeError:
        raise shapes.wrong("Fn::Base64") from None
    run.budget.make(2 * len(written))
    return base64.b64encode(written.encode(errors="replace")).decode()


def _if(run: Run, raw: Any) -> Any:
    condition, then, otherwise = shapes.condition_if(raw)
    return run.value(then if run.holds(condition) else otherwise)


def _import_value(run: Run, raw: Any) -> Any:
    name = run.value(shapes.SHAPES["Fn::ImportValue"](raw))
    if not isinstance(name, str):
        raise TemplateError(
            "Template error: the attribute in Fn::ImportValue must not depend on any resources,"
            " imported values, or Fn::GetAZs"
        )
    return run.budget.copy(run.exported(name))


def _zones(run: Run, raw: Any) -> Any:
    region = run.value(shapes.SHAPES["Fn::GetAZs"](raw))
    if not isinstance(region, str):
        raise shapes.wrong("Fn::GetAZs")
    own = run.inputs.region
    return [(region or own) + zone.removeprefix(own) for zone in run.inputs.zones]


def _cidr(run: Run, raw: Any) -> Any:
    block, count, bits = (None if part is None else run.value(part) for part in shapes.cidr(raw))
    if UNKNOWN in (block, count, bits):
        return UNKNOWN
    try:
        network = ipaddress.ip_network(written_out(block))
        wanted = int(written_out(count))
        host_bits = 8 if bits is None else int(written_out(bits))
    except (TypeError, ValueError):
        raise shapes.wrong("Fn::Cidr") from None
    length = network.max_prefixlen - host_bits
    if (
        not 1 <= wanted <= CIDRS_MAX
        or not network.prefixlen <= length <= network.max_prefixlen
        or wanted > 2 ** (length - network.prefixlen)
    ):
        raise TemplateError(
            f"Template error: Fn::Cidr cannot make {wanted} blocks of {host_bits} bits from"
            f" {block}."
        )
    run.budget.step(20 * wanted)  # since writing an address takes that much longer
    first = int(network.network_address)
    address = type(network.network_address)
    return [f"{address(first + (number << host_bits))}/{length}" for number in range(wanted)]


def _length(run: Run, raw: Any) -> Any:
    items = run.value(raw)
    if items is UNKNOWN:
        return UNKNOWN
    if not isinstance(items, list):
        raise TemplateError("Template error: Fn::Length requires a list.")
    return len(items)


def _to_json_string(run: Run, raw: Any) -> Any:
    value = run.value(raw)
    if has_unknown(value):
        return UNKNOWN
    if not isinstance(value, list | dict):
        raise TemplateError("Template error: Fn::ToJsonString requires an object or a list.")
    # Six times as long as the value at most, whose characters are taken already.
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    run.budget.make(len(text))
    return text


def has_unknown(value: Any) -> bool:
    """Whether there is something unknown in a value."""
    if isinstance(value, dict):
        return any(map(has_unknown, value.values()))
    if isinstance(value, list):
        return any(map(has_unknown, value))
    return value is UNKNOWN


def _equals(run: Run, raw: Any) -> bool:
    left, right = (_comparable(run.value(part)) for part in shapes.equals(raw))
    return bool(left == right)


def _comparable(value: Any) -> Any:
    if value is UNKNOWN or isinstance(value, NoValue):
        raise shapes.wrong("Fn::Equals")
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if isinstance(value, dict):
        return {name: _comparable(member) for name, member in value.items()}
    return written_out(value)


def _and(run: Run, raw: Any) -> bool:
    return all([run.truth(part) for part in shapes.SHAPES["Fn::And"](raw)])


def _or(run: Run, raw: Any) -> bool:
    return any([run.truth(part) for part in shapes.SHAPES["Fn::Or"](raw)])


def _not(run: Run, raw: Any) -> bool:
    return not run.truth(shapes.negation(raw))


def _condition(run: Run, raw: Any) -> bool:
    if not isinstance(raw, str):
        raise TemplateError("Template error: every Condition member must be a string.")
    return run.holds(raw)


Function = Callable[[Run, Any], Any]
VALUES: Mapping[str, Function] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Split": _split,
    "Fn::Select": _select,
    "Fn::FindInMap": _find_in_map,
    "Fn::Base64": _base64,
    "Fn::If": _if,
    "Fn::ImportValue": _import_value,
    "Fn::GetAZs": _zones,
    "Fn::Cidr": _cidr,
}
"""In properties and outputs."""
EXTENDED: Mapping[str, Function] = {
    **VALUES,
    "Fn::FindInMap": _find_in_map_or_default,
    "Fn::Length": _length,
    "Fn::ToJsonString": _to_json_string,
}
"""The same with language extensions."""
BOOLEANS: Mapping[str, Function] = {
    "Fn::Equals": _equals,
    "Fn::And": _and,
    "Fn::Or": _or,
    "Fn::Not": _not,
}
"""In conditions and rules."""
CONDITION: Mapping[str, Function] = {"Condition": _condition}
"""In conditions."""
