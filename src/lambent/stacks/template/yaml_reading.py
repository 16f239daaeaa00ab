"""YAML → document.

The document is built from the parser's events, on a stack of its own: Python's recursion limit does
not count what a library composes in C, and an alias is measured before it is written out. Plain
scalars are read as YAML 1.1 reads them, except where that would change what was meant: dates,
`12:30` and numbers with a leading zero (account IDs) stay texts.
"""

import dataclasses
import re
from typing import Any

import yaml

from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.shape import check_bounds

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FUNCTIONS = (
    "And", "Base64", "Cidr", "Contains", "EachMemberEquals", "EachMemberIn", "Equals", "FindInMap",
    "GetAZs", "GetAtt", "If", "ImportValue", "Join", "Length", "Not", "Or", "RefAll", "Select",
    "Split", "Sub", "ToJsonString", "Transform", "ValueOf", "ValueOfAll",
)  # fmt: skip
_SHORT_FORMS = {f"!{name}": f"Fn::{name}" for name in _FUNCTIONS} | {
    "!Ref": "Ref",
    "!Condition": "Condition",
}
_STANDARD = "tag:yaml.org,2002:"
_TAGS = {"scalar": ("str", "int", "float", "bool", "null"), "list": ("seq",), "map": ("map",)}

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"yes|Yes|YES|true|True|TRUE|on|On|ON")
_FALSE = re.compile(r"no|No|NO|false|False|FALSE|off|Off|OFF")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0b[01_]+|0x[0-9a-fA-F_]+)")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9_]*)\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?")
_DIGITS_MAX = 400
"""Of a number; longer ones stay texts, since Python refuses to read some of them."""


def read_yaml(text: str) -> Any:
    """The document. Raises `TemplateError` if the text is not YAML, or has a tag, a key or an alias
    that a template cannot have, or is larger than templates may be."""
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_Parser):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise _malformed(error.problem_mark) from None
    except (yaml.YAMLError, UnicodeError):  # characters that YAML does not allow
        raise _malformed(None) from None
    return builder.document


@dataclasses.dataclass(slots=True)
class _Measured:
    """A value, and how large it is when its aliases are written out."""

    value: Any
    nodes: int = 1
    characters: int = 0
    height: int = 0
    """How many levels are in it."""


@dataclasses.dataclass(slots=True)
class _Open:
    """A list or a map whose end has not come."""

    made: _Measured
    wrapper: str | None
    anchor: str | None
    key: str | None = None
    """Of a map: the key whose value comes next."""


class _Builder:
    def __init__(self) -> None:
        self.document: Any = None
        self._documents = 0
        self._open: list[_Open] = []
        self._anchors: dict[str, _Measured | None] = {}
        """None while the value is not complete."""
        self._nodes = 0
        self._characters = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.MappingStartEvent):
            self._start(event, {}, "map")
        elif isinstance(event, yaml.SequenceStartEvent):
            self._start(event, [], "list")
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _malformed(event.start_mark, "The text has several documents.")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        text = event.value
        if self._awaits_key():
            if event.tag not in (None, "!", f"{_STANDARD}str"):
                raise _malformed(event.start_mark, f"A key cannot have the tag {event.tag}.")
            self._set_key(text, event)
            return
        wrapper = self._wrapper(event, "scalar")
        self._grow(1, len(text))
        plain = wrapper is None and event.tag != "!" and (event.implicit[0] or event.tag)
        value = _plain(text, event.tag) if plain else text
        if wrapper == "Fn::GetAtt":
            value = text.split(".", 1)
        self._complete(
            _wrapped(_Measured(value, characters=len(text)), wrapper), event.anchor, event
        )

    def _start(self, event: yaml.CollectionStartEvent, empty: Any, kind: str) -> None:
        if self._awaits_key():
            raise _malformed(event.start_mark, "A key must be a text.")
        self._grow(1, 0)
        wrapper = self._wrapper(event, kind)
        self._open.append(_Open(_Measured(empty), wrapper, event.anchor))
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        check_bounds(0, 0, len(self._open))

    def _end(self, event: yaml.CollectionEndEvent) -> None:
        ended = self._open.pop()
        self._complete(_wrapped(ended.made, ended.wrapper), ended.anchor, event)

    def _alias(self, event: yaml.AliasEvent) -> None:
        if self._awaits_key():
            raise _malformed(event.start_mark, "A key must be a text.")
        meant = self._anchors.get(event.anchor or "")
        if meant is None:
            raise _malformed(event.start_mark, f"*{event.anchor} has no value.")
        self._grow(meant.nodes, meant.characters)
        check_bounds(0, 0, len(self._open) + meant.height)
        self._complete(meant, None, event)

    def _complete(self, made: _Measured, anchor: str | None, event: yaml.Event) -> None:
        if anchor is not None:
            self._anchors[anchor] = made
        if not self._open:
            self.document = made.value
            return
        outer = self._open[-1]
        into = outer.made
        into.nodes += made.nodes
        into.characters += made.characters
        into.height = max(into.height, made.height + 1)
        if isinstance(into.value, list):
            into.value.append(made.value)
        else:
            into.value[outer.key] = made.value
            outer.key = None

    def _set_key(self, key: str, event: yaml.ScalarEvent) -> None:
        outer = self._open[-1]
        if key in outer.made.value:
            raise TemplateError(
                f"Template format error: Duplicate key found: {key} {_place(event.start_mark)}"
            )
        outer.key = key
        outer.made.characters += len(key)
        self._grow(0, len(key))

    def _awaits_key(self) -> bool:
        if not self._open:
            return False
        outer = self._open[-1]
        return outer.key is None and isinstance(outer.made.value, dict)

    def _grow(self, nodes: int, characters: int) -> None:
        self._nodes += nodes
        self._characters += characters
        check_bounds(self._nodes, self._characters, 0)

    def _wrapper(self, event: yaml.NodeEvent, kind: str) -> str | None:
        tag = getattr(event, "tag", None)
        if tag in (None, "!") or _is_standard(tag, kind):
            return None
        wrapper = _SHORT_FORMS.get(tag)
        if wrapper is None:
            raise _malformed(event.start_mark, f"The tag {tag} is not known.")
        return wrapper


def _wrapped(inner: _Measured, wrapper: str | None) -> _Measured:
    if wrapper is None:
        return inner
    return _Measured(
        {wrapper: inner.value},
        nodes=inner.nodes + 1,
        characters=inner.characters + len(wrapper),
        height=inner.height + 1,
    )


def _is_standard(tag: str | None, kind: str) -> bool:
    return (
        tag is not None and tag.startswith(_STANDARD) and tag.removeprefix(_STANDARD) in _TAGS[kind]
    )


def _plain(text: str, tag: str | None) -> Any:
    """What a scalar without quotation marks means. A tag such as `!!str` wins."""
    if tag == f"{_STANDARD}str" or len(text) > _DIGITS_MAX:
        return text
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _INTEGER.fullmatch(text):
        digits = text.replace("_", "")
        based = digits.lstrip("+-")[:2] in ("0x", "0b")
        return int(digits, 0 if based else 10)
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    return text


def _malformed(mark: Any, why: str = "") -> TemplateError:
    return TemplateError(
        " ".join(filter(None, ("Template format error: YAML not well-formed.", _place(mark), why)))
    )


def _place(mark: Any) -> str:
    return "" if mark is None else f"(line {mark.line + 1}, column {mark.column + 1})"
