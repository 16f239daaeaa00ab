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


def get_att(raw: Any) -> tuple[str, Any]:
    """The resource, and the attribute or a function that returns it."""
    if isinstance(raw, str):
        raw = raw.split(".", 1)
    if not _is_list(raw, 2) or not all(raw) or not isinstance(raw[0], str):
        raise TemplateError(
            "Template error: every Fn::GetAtt object requires two non-empty parameters, the"
            " resource name and the resource attribute"
        )
    return raw[0], raw[1]


def ref(raw: Any) -> str:
    """The name."""
    if not raw or not isinstance(raw, str):
        raise TemplateError("Template error: every Ref object must have a single String value.")
    return raw


def sub(raw: Any) -> tuple[str, Mapping[str, Any]]:
    """The text and the variables of its own."""
    if isinstance(raw, str):
        return raw, {}
    if (
        isinstance(raw, list)
        and len(raw) == 2
        and isinstance(raw[0], str)
        and isinstance(raw[1], dict)
    ):
        return raw[0], raw[1]
    raise TemplateError(
        "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments."
        " Specify a string as first argument, and an optional second argument to specify a mapping"
        " of values to replace in the string"
    )


def sub_parts(text: str) -> list[Literal | Variable]:
    """The parts of a Fn::Sub text. `${!Name}` is the literal `${Name}`."""
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
    if _is_list(raw, 2) and isinstance(raw[0], str) and isinstance(raw[1], list | dict):
        return raw[0], raw[1]
    raise TemplateError(
        "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and"
        " (2) a list of strings to be joined or a function that returns a list of strings (such as"
        " Fn::GetAZs) to be joined."
    )


def split(raw: Any) -> tuple[str, Any]:
    """The delimiter and the text, or a function that returns it."""
    if _is_list(raw, 2) and isinstance(raw[0], str) and raw[0] and isinstance(raw[1], str | dict):
        return raw[0], raw[1]
    raise TemplateError(
        "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and"
        " (2) a string to be split or a function that returns a string to be split."
    )


def select(raw: Any) -> tuple[Any, Any]:
    """The index and the list, or functions that return them."""
    if _is_list(raw, 2) and isinstance(raw[1], list | dict):
        return raw[0], raw[1]
    raise TemplateError(
        "Template error: Fn::Select requires a list argument with two elements: an integer index"
        " and a list"
    )


def find_in_map(raw: Any) -> Lookup:
    """The names, and the default of the language extensions."""
    if isinstance(raw, list) and len(raw) == 3:
        return Lookup(raw[0], raw[1], raw[2], None, False)
    if (
        isinstance(raw, list)
        and len(raw) == 4
        and isinstance(raw[3], dict)
        and set(raw[3]) == {"DefaultValue"}
    ):
        return Lookup(raw[0], raw[1], raw[2], raw[3]["DefaultValue"], True)
    raise TemplateError(
        "Template error: every Fn::FindInMap object requires three parameters, the map name, map"
        " key and the attribute for return value"
    )


def condition_if(raw: Any) -> tuple[str, Any, Any]:
    """The name of the condition and the two values."""
    if not _is_list(raw, 3):
        raise TemplateError("Template error: Fn::If requires a list argument with three elements")
    if not isinstance(raw[0], str):
        raise TemplateError(
            "Template error: Fn::If requires a list argument with the first element being a"
            " condition"
        )
    return raw[0], raw[1], raw[2]


def equals(raw: Any) -> tuple[Any, Any]:
    """The two values."""
    if not _is_list(raw, 2):
        raise TemplateError(
            "Template error: every Fn::Equals object requires a list of 2 string parameters."
        )
    return raw[0], raw[1]


def conjunction(name: str) -> Callable[[Any], Sequence[Any]]:
    """Of Fn::And and Fn::Or: what reads the conditions."""

    def read(raw: Any) -> Sequence[Any]:
        if not isinstance(raw, list) or not 2 <= len(raw) <= 10:
            raise TemplateError(
                f"Template error: every {name} object requires a list of at least 2 and at most 10"
                " boolean parameters."
            )
        return raw

    return read


def negation(raw: Any) -> Any:
    """The condition."""
    if not _is_list(raw, 1):
        raise TemplateError("Template error: every Fn::Not object requires one boolean parameter.")
    return raw[0]


def cidr(raw: Any) -> tuple[Any, Any, Any]:
    """The block, the number of blocks, and the bits of each or None."""
    if isinstance(raw, list) and len(raw) in (2, 3):
        return raw[0], raw[1], raw[2] if len(raw) == 3 else None
    raise TemplateError(
        "Template error: every Fn::Cidr object requires two parameters, (1) an IP address block and"
        " (2) the count of CIDRs to generate, and an optional third, (3) the number of subnet bits"
        " for the CIDR."
    )


def text_or_function(name: str) -> Callable[[Any], Any]:
    """Of a function that takes one text: what reads it."""

    def read(raw: Any) -> Any:
        if not isinstance(raw, str | dict):
            raise TemplateError(
                f"Template error: every {name} object must have a String-typed value."
            )
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
    "Fn::And": conjunction("Fn::And"),
    "Fn::Or": conjunction("Fn::Or"),
    "Fn::Not": negation,
    "Fn::Cidr": cidr,
    "Fn::Base64": text_or_function("Fn::Base64"),
    "Fn::GetAZs": text_or_function("Fn::GetAZs"),
    "Fn::ImportValue": text_or_function("Fn::ImportValue"),
}
"""What reads the argument of a function. Raises `TemplateError`."""
