"""What API Gateway gives its templates: `$input` and `$util`."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from lambent.kit.strict_json import parse_plain
from lambent.triggers.apis.vtl.budget import Budget, InputError, TemplateError
from lambent.triggers.apis.vtl.values import Host, Value, from_json, to_text

Parameters = Mapping[str, Mapping[str, str]]
"""By `path`, `querystring` and `header`, in the order in which `$input.params(name)` looks."""
_WRONG_PERCENT = re.compile(r"%(?![0-9a-fA-F]{2})")
_ESCAPED = re.compile(r"""[\x00-\x1f"'/\\\x7f-\U0010ffff]""")
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def input_variable(body: str, parameters: Parameters) -> Host:
    """`$input`, for a body, which is parsed when it is needed."""
    made = _Input(body, parameters)
    return Host(
        "$input",
        methods={"path": made.path, "json": made.json, "params": made.params},
        properties={"body": made.body},
    )


class _Input:
    """What `$input` does."""

    def __init__(self, body: str, parameters: Parameters) -> None:
        self._body = body
        self._parameters = parameters
        self._document: Value = None
        self._is_parsed = False

    def body(self, _budget: Budget) -> str:
        """`$input.body`: an empty body is an empty object, as in AWS."""
        return self._body or "{}"

    def path(self, budget: Budget, arguments: Sequence[Value]) -> Value:
        """`$input.path(x)`: a value that the template may change."""
        return from_json(self._find(budget, arguments), budget)

    def json(self, budget: Budget, arguments: Sequence[Value]) -> str:
        """`$input.json(x)`: JSON, and an empty text if there is no such value."""
        found = self._find(budget, arguments)
        if found is None:
            return '""'
        text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
        budget.make(len(text))
        return text

    def params(self, budget: Budget, arguments: Sequence[Value]) -> Value:
        """`$input.params()`, all of them, or `$input.params(x)`, the first of that name."""
        budget.step()
        places = ("path", "querystring", "header")
        if not arguments:
            return {place: dict(self._parameters.get(place, {})) for place in places}
        name = to_text(arguments[0], budget)
        for place in places:
            values = self._parameters.get(place, {})
            if name in values:
                return values[name]
        headers = self._parameters.get("header", {})
        return next((headers[key] for key in headers if key.lower() == name.lower()), None)

    def _find(self, budget: Budget, arguments: Sequence[Value]) -> Value:
        path = to_text(arguments[0], budget) if arguments else "$"
        # The library takes long to import, and few templates have paths.
        from lambent.triggers.apis.vtl.json_path import find

        return find(self._parsed(budget), path, budget)

    def _parsed(self, budget: Budget) -> Value:
        if not self._is_parsed:
            budget.read(len(self._body))
            try:
                self._document = parse_plain(self._body) if self._body.strip() else {}
            except ValueError as error:
                fault = f"Could not parse request body into json: {error}"
                raise InputError(fault) from None
            self._is_parsed = True
        return self._document


def _escape_javascript(text: str) -> str:
    return _ESCAPED.sub(_escape_character, text)


def _escape_character(found: re.Match[str]) -> str:
    character = found.group()
    if character in "\"'/\\":
        return f"\\{character}"
    if character in _SHORT:
        return _SHORT[character]
    if character == "\x7f":
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex().upper()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _parse_json(budget: Budget, arguments: Sequence[Value]) -> Value:
    if len(arguments) != 1:
        return None
    text = to_text(arguments[0], budget)
    budget.read(len(text))
    try:
        document = parse_plain(text)
    except ValueError:
        raise TemplateError("$util.parseJson gets a text that is not JSON.") from None
    return from_json(document, budget)


def _url_encode(text: str) -> str:
    return quote_plus(text, safe="*", errors="replace").replace("~", "%7E")


def _url_decode(text: str) -> str:
    if _WRONG_PERCENT.search(text):
        raise TemplateError("$util.urlDecode gets a text with a wrong percent sign.")
    return unquote_plus(text)


def _base64_encode(text: str) -> str:
    return base64.b64encode(text.encode(errors="replace")).decode()


def _base64_decode(text: str) -> str:
    try:
        return base64.b64decode(text).decode(errors="replace")
    except (binascii.Error, ValueError):
        raise TemplateError("$util.base64Decode gets a text that is not Base64.") from None


def _utility(function: Callable[[str], Value], growth: int) -> Any:
    """A function of one text, whose result has at most `growth` times as many characters."""

    def method(budget: Budget, arguments: Sequence[Value]) -> Value:
        if len(arguments) != 1:
            return None
        text = to_text(arguments[0], budget)
        budget.make(growth * len(text))
        return function(text)

    return method


UTIL = Host(
    "$util",
    methods={
        "escapeJavaScript": _utility(_escape_javascript, 2),
        "parseJson": _parse_json,
        "urlEncode": _utility(_url_encode, 3),
        "urlDecode": _utility(_url_decode, 1),
        "base64Encode": _utility(_base64_encode, 2),
        "base64Decode": _utility(_base64_decode, 1),
    },
)
