"""What a target of a rule gets: the event, a part of it, a constant, or a template with values.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lambent.kit.strict_json import parse_plain

_STEP = re.compile(
    r"\.([A-Za-z0-9_-]{1,256})|\['([^']{1,256})'\]|\[\"([^\"]{1,256})\"\]|\[([0-9]{1,6})\]",
    re.ASCII,
)
_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.-]{1,256})>", re.ASCII)
_RESERVED = "aws.events."
_ABSENT = object()

Path = Sequence[str | int]


class Rule(NamedTuple):
    """The rule that an event matched."""

    name: str
    arn: str


def read_path(text: str) -> Path:
    """Parse a path such as `$.detail.items[0].name`. Raises `ValueError`."""
    if not text.startswith("$"):
        raise ValueError(f"a path begins with $: {text!r}")
    path: list[str | int] = []
    at = 1
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise ValueError(f"not a path: {text!r}")
        name = match[1] or match[2] or match[3]
        path.append(name if name is not None else int(match[4]))
        at = match.end()
    return path


def check_input(target: Mapping[str, Any]) -> None:
    """Raise `ValueError` if the input of a target is not valid; the message says what."""
    if sum(name in target for name in ("Input", "InputPath", "InputTransformer")) > 1:
        raise ValueError("only one of Input, InputPath and InputTransformer may be there")
    if "Input" in target:
        try:
            parse_plain(target["Input"])
        except ValueError as error:
            raise ValueError("JSON syntax error in Input") from error
    if "InputPath" in target:
        read_path(target["InputPath"])
    for name, path in target.get("InputTransformer", {}).get("InputPathsMap", {}).items():
        if name.lower().startswith("aws"):
            raise ValueError(f"the name {name} is reserved")
        read_path(path)


def input_for(target: Mapping[str, Any], event: str, rule: Rule) -> str:
    """The input of a target, valid as `check_input` says, for an event, both as JSON texts."""
    constant = target.get("Input")
    if constant is not None:
        return str(constant)
    path, transformer = target.get("InputPath"), target.get("InputTransformer")
    if path is None and transformer is None:
        return event
    document = parse_plain(event)
    if path is not None:
        found = _find(document, read_path(path))
        return "{}" if found is _ABSENT else _written(found)
    assert transformer is not None
    values = {
        name: _find(document, read_path(where))
        for name, where in transformer.get("InputPathsMap", {}).items()
    }
    return _filled(transformer["InputTemplate"], values, document, rule)


def find_in(document: Any, path: str) -> Any:
    """The value at a path; None if there is none. Raises `ValueError` for what is no path."""
    found = _find(document, read_path(path))
    return None if found is _ABSENT else found


def values_in(parameters: Any, event: str) -> Any:
    """Parameters in which a text that is a path is replaced by the value in the event, as text;
    what is not there is empty."""
    return _replaced(parameters, parse_plain(event))


def _replaced(parameters: Any, event: Any) -> Any:
    if isinstance(parameters, dict):
        return {name: _replaced(value, event) for name, value in parameters.items()}
    if isinstance(parameters, list):
        return [_replaced(value, event) for value in parameters]
    if not isinstance(parameters, str) or not parameters.startswith("$"):
        return parameters
    try:
        found = _find(event, read_path(parameters))
    except ValueError:
        return parameters
    if found is _ABSENT:
        return ""
    return found if isinstance(found, str) else _written(found).replace('"', "")


def _find(document: Any, path: Path) -> Any:
    for step in path:
        if isinstance(step, str):
            document = document.get(step, _ABSENT) if isinstance(document, dict) else _ABSENT
        elif isinstance(document, list) and step < len(document):
            document = document[step]
        else:
            return _ABSENT
        if document is _ABSENT:
            return _ABSENT
    return document


def _filled(template: str, values: Mapping[str, Any], event: Mapping[str, Any], rule: Rule) -> str:
    """The template with values. Within quotes a value is text, elsewhere it is JSON."""
    filled: list[str] = []
    at, is_quoted = 0, False
    for match in _PLACEHOLDER.finditer(template):
        between = template[at : match.start()]
        is_quoted ^= _changes_quoting(between)
        name = match[1]
        value = values[name] if name in values else _reserved(name, event, rule)
        if name not in values and value is _ABSENT:
            text = match[0]
        else:
            text = _as_text(value) if is_quoted else _written(None if value is _ABSENT else value)
        filled += (between, text)
        at = match.end()
    return "".join((*filled, template[at:]))


def _changes_quoting(text: str) -> bool:
    """Whether an odd number of quotes is in it, without those after a backslash."""
    return re.sub(r"\\.", "", text, flags=re.DOTALL).count('"') % 2 == 1


def _reserved(name: str, event: Mapping[str, Any], rule: Rule) -> Any:
    if name == f"{_RESERVED}rule-arn":
        return rule.arn
    if name == f"{_RESERVED}rule-name":
        return rule.name
    if name == f"{_RESERVED}event.ingestion-time":
        return event.get("time", "")
    if name == f"{_RESERVED}event.json":
        return event
    if name == f"{_RESERVED}event":
        return {member: value for member, value in event.items() if member != "detail"}
    return _ABSENT


def _as_text(value: Any) -> str:
    """A value within a JSON text."""
    if value is _ABSENT or value is None:
        return ""
    text = value if isinstance(value, str) else _written(value)
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
