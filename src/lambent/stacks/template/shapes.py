"""What the functions of templates take: AWS's error texts for arguments of another shape."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lambent.stacks.template.errors import TemplateError


class Lookup(NamedTuple):
    """The arguments of Fn::FindInMap, not evaluated."""

    mapping: Any
    top: Any
    second: Any
    default: Any
    has_default: bool


class Literal(NamedTuple):
    """A part of a Fn::Sub text that stays."""

    text: str


class Variable(NamedTuple):
    """A `${Name}` or `${Name.Attribute}` of a Fn::Sub text."""

    name: str
    attribute: str | None

    @property
    def written(self) -> str:
        """What stands between the braces."""
        return self.name if self.attribute is None else f"{self.name}.{self.attribute}"


_SUB = re.compile(r"\$\{([^{}]*)\}")
_SUB_NAME = re.compile(r"[A-Za-z0-9_.:]+")


_STRING = "every {} object must have a String-typed value."
_CONDITIONS = "every {} object requires a list of at least 2 and at most 10 boolean parameters."
_DEMANDS = {
    "Ref": "every Ref object must have a single String value.",
    "Fn::GetAtt": "every Fn::GetAtt object requires two non-empty parameters, the resource name and"
    " the resource attribute",
    "Fn::Sub": "One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a"
    " string as first argument, and an optional second argument to specify a mapping of values to"
    " replace in the string",
    "Fn::Join": "every Fn::Join object requires two parameters, (1) a string delimiter and (2) a"
    " list of strings to be joined or a function that returns a list of strings (such as"
    " Fn::GetAZs) to be joined.",
    "Fn::Split": "every Fn::Split object requires two parameters, (1) a string delimiter and (2) a"
    " string to be split or a function that returns a string to be split.",
    "Fn::Select": "Fn::Select requires a list argument with two elements: an integer index and a"
    " list",
    "Fn::FindInMap": "every Fn::FindInMap object requires three parameters, the map name, map key"
    " and the attribute for return value",
    "Fn::If": "Fn::If requires a list argument with three elements",
    "Fn::Equals": "every Fn::Equals object requires a list of 2 string parameters.",
    "Fn::And": _CONDITIONS.format("Fn::And"),
    "Fn::Or": _CONDITIONS.format("Fn::Or"),
    "Fn::Not": "every Fn::Not object requires one boolean parameter.",
    "Fn::Cidr": "every Fn::Cidr object requires two parameters, (1) an IP address block and (2) the"
    " count of CIDRs to generate, and an optional third, (3) the number of subnet bits for the"
    " CIDR.",
    "Fn::Base64": _STRING.format("Fn::Base64"),
    "Fn::GetAZs": _STRING.format("Fn::GetAZs"),
    "Fn::ImportValue": _STRING.format("Fn::ImportValue"),
}
"""What AWS says of a function whose arguments are others."""


def wrong(function: str) -> TemplateError:
    """The error for a function whose arguments are not those that it takes."""
    return TemplateError(f"Template error: {_DEMANDS[function]}")


def get_att(raw: Any) -> tuple[str, Any]:
    """The resource, and the attribute or a function that returns it."""
    if isinstance(raw, str):
        raw = raw.split(".", 1)
    if not _is_list(raw, 2) or not all(raw) or not isinstance(raw[0], str):
        raise wrong("Fn::GetAtt")
    return raw[0], raw[1]


def ref(raw: Any) -> str:
    """The name."""
    if not raw or not isinstance(raw, str):
        raise wrong("Ref")
    return raw


def sub(raw: Any) -> tuple[str, Mapping[str, Any]]:
    """The text and the variables of its own."""
    if isinstance(raw, str):
        return raw, {}
    if not _is_list(raw, 2) or not isinstance(raw[0], str) or not isinstance(raw[1], dict):
        raise wrong("Fn::Sub")
    return raw[0], raw[1]


def sub_parts(text: str) -> list[Literal | Variable]:
    """The parts of a Fn::Sub text. `${!Name}` is the literal `${Name}`. Raises `TemplateError`."""
    parts: list[Literal | Variable] = []
    at = 0
    for found in _SUB.finditer(text):
        parts.append(Literal(text[at : found.start()]))
        at = found.end()
        written = found.group(1)
        if written.startswith("!"):
            parts.append(Literal("${" + written[1:] + "}"))
            continue
        if not _SUB_NAME.fullmatch(written):
            raise TemplateError(
                "Template error: variable names in Fn::Sub syntax must contain only alphanumeric"
                " characters, underscores, periods, and colons"
            )
        name, point, attribute = written.partition(".")
        parts.append(Variable(name, attribute if point else None))
    parts.append(Literal(text[at:]))
    return parts


def join(raw: Any) -> tuple[str, Any]:
    """The delimiter and the list, or a function that returns a list."""
    if not _is_list(raw, 2) or not isinstance(raw[0], str) or not isinstance(raw[1], list | dict):
        raise wrong("Fn::Join")
    return raw[0], raw[1]


def split(raw: Any) -> tuple[str, Any]:
    """The delimiter and the text, or a function that returns it."""
    if not _is_list(raw, 2) or not isinstance(raw[1], str | dict):
        raise wrong("Fn::Split")
    if not isinstance(raw[0], str) or not raw[0]:
        raise wrong("Fn::Split")
    return raw[0], raw[1]


def select(raw: Any) -> tuple[Any, Any]:
    """The index and the list, or functions that return them."""
    if not _is_list(raw, 2) or not isinstance(raw[1], list | dict):
        raise wrong("Fn::Select")
    return raw[0], raw[1]


def find_in_map(raw: Any) -> Lookup:
    """The names, and the default of the language extensions."""
    if _is_list(raw, 3):
        return Lookup(raw[0], raw[1], raw[2], None, False)
    if not _is_list(raw, 4) or not isinstance(raw[3], dict) or set(raw[3]) != {"DefaultValue"}:
        raise wrong("Fn::FindInMap")
    return Lookup(raw[0], raw[1], raw[2], raw[3]["DefaultValue"], True)


def condition_if(raw: Any) -> tuple[str, Any, Any]:
    """The name of the condition and the two values."""
    if not _is_list(raw, 3):
        raise wrong("Fn::If")
    if not isinstance(raw[0], str):
        raise TemplateError(
            "Template error: Fn::If requires a list argument with the first element being a"
            " condition"
        )
    return raw[0], raw[1], raw[2]


def equals(raw: Any) -> tuple[Any, Any]:
    """The two values."""
    if not _is_list(raw, 2):
        raise wrong("Fn::Equals")
    return raw[0], raw[1]


def negation(raw: Any) -> Any:
    """The condition."""
    if not _is_list(raw, 1):
        raise wrong("Fn::Not")
    return raw[0]


def cidr(raw: Any) -> tuple[Any, Any, Any]:
    """The block, the number of blocks, and the bits of each or None."""
    if not _is_list(raw, 2) and not _is_list(raw, 3):
        raise wrong("Fn::Cidr")
    return raw[0], raw[1], raw[2] if len(raw) == 3 else None


def _conjunction(function: str) -> Callable[[Any], Sequence[Any]]:
    def read(raw: Any) -> Sequence[Any]:
        if not isinstance(raw, list) or not 2 <= len(raw) <= 10:
            raise wrong(function)
        return raw

    return read


def _text(function: str) -> Callable[[Any], Any]:
    """What reads the argument of a function that takes a text, or a function that returns it."""

    def read(raw: Any) -> Any:
        if not isinstance(raw, str | dict):
            raise wrong(function)
        return raw

    return read


def _is_list(raw: Any, length: int) -> bool:
    return isinstance(raw, list) and len(raw) == length


SHAPES: Mapping[str, Callable[[Any], Any]] = {
    "Ref": ref,
    "Fn::GetAtt": get_att,
    "Fn::Sub": sub,
    "Fn::Join": join,
    "Fn::Split": split,
    "Fn::Select": select,
    "Fn::FindInMap": find_in_map,
    "Fn::If": condition_if,
    "Fn::Equals": equals,
    "Fn::And": _conjunction("Fn::And"),
    "Fn::Or": _conjunction("Fn::Or"),
    "Fn::Not": negation,
    "Fn::Cidr": cidr,
    "Fn::Base64": _text("Fn::Base64"),
    "Fn::GetAZs": _text("Fn::GetAZs"),
    "Fn::ImportValue": _text("Fn::ImportValue"),
}
"""What reads the argument of a function. Raises `TemplateError`."""
