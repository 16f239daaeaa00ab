"""Selection expressions of API Gateway's version 2: `$request.header.name`, `$context.requestId`.

A text can mix them with other text if they are in braces: `v1/${request.path.id}`. Control parses
them to refuse what is wrong; the data plane evaluates what was parsed.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

TEXT_MAX = 2048
"""Characters of a text with selections."""
BODY_BYTES_MAX = 102_400
"""Bytes of a body that a path is applied to; the rest is cut off, as in AWS."""

_SELECTION = re.compile(
    r"(?P<source>(?:request|response)\.(?:header|querystring|path|body|multivalueheader)"
    r"|context|stageVariables)(?:(?=\[)|\.|$)(?P<name>.*)",
    re.DOTALL,
)
_IN_BRACES = re.compile(r"\$\{([^{}]{0,1024})\}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_NAME = re.compile(r"[^\x00-\x1f{}]{1,512}")
_CONTEXT = re.compile(r"[A-Za-z0-9._:/-]{1,512}")
_VARIABLE = re.compile(r"[A-Za-z0-9_]{1,64}")
_PATH = re.compile(r"[^?()&|^~\x00-\x1f]{0,512}")
REQUEST_SOURCES = frozenset(
    {
        *("request.header", "request.querystring", "request.path", "request.body"),
        *("context", "stageVariables"),
    }
)
RESPONSE_SOURCES = frozenset({"response.header", "response.body", "context", "stageVariables"})
IDENTITY_SOURCES = frozenset({"request.header", "request.querystring", "context", "stageVariables"})


class Selection(NamedTuple):
    """A value that is looked up in a request or response."""

    source: str
    """`request.header`, `response.body`, `context`, `stageVariables`, …"""
    name: str
    """Of headers in lower case; of a body the JSON path, which begins with `$`. Empty for the whole
    path or body."""
    path: Any = None
    """The JSON path, compiled."""


LookUp = Callable[[Selection], str | None]
"""Returns the value of a selection; None if there is none."""


class Text(NamedTuple):
    """A text with selections in it."""

    parts: Sequence[str | Selection]

    def render(self, look_up: LookUp, limit: int) -> str | None:
        """The text with values. In a mixed text a selection without a value is empty; None if the
        text is one selection and has no value. Raises ValueError for more than `limit`
        characters."""
        found, length = list[str](), 0
        for part in self.parts:
            text = part if isinstance(part, str) else look_up(part)
            if text is None and len(self.parts) == 1:
                return None
            length += len(text or "")
            if length > limit:
                raise ValueError(f"a mapped value has more than {limit} characters")
            found.append(text or "")
        return "".join(found)

    @property
    def selections(self) -> Sequence[Selection]:
        """The selections in it."""
        return [part for part in self.parts if isinstance(part, Selection)]


def parse_text(text: str, sources: frozenset[str] = REQUEST_SOURCES) -> Text:
    """Read a text that may be one selection, or mix selections in braces with other text. Raises
    ValueError."""
    if len(text) > TEXT_MAX:
        raise ValueError(f"the value is longer than {TEXT_MAX} characters")
    if text.startswith("$") and not text.startswith("${"):
        return Text([parse_selection(text, sources)])
    parts: list[str | Selection] = []
    for at, found in enumerate(_IN_BRACES.split(text)):
        if at % 2:
            parts.append(parse_selection(f"${found}", sources))
        elif "${" in found:
            raise ValueError(f"{text[:200]!r} has a brace that is not closed")
        elif found:
            parts.append(found)
    return Text(parts)


def parse_selection(text: str, sources: frozenset[str] = REQUEST_SOURCES) -> Selection:
    """Read one selection, `$request.header.name`. Raises ValueError."""
    match = _SELECTION.fullmatch(text.removeprefix("$"))
    if not text.startswith("$") or match is None or match["source"] not in sources:
        raise ValueError(f"{text[:200]!r} is not a valid selection expression")
    source, name = match["source"], match["name"]
    if source.endswith(".body"):
        return _of_body(source, name, text)
    if source == "request.path" and not name and not text.endswith("."):
        return Selection(source, "")
    kind = source.rpartition(".")[2]
    pattern = {"header": _TOKEN, "context": _CONTEXT, "stageVariables": _VARIABLE}.get(kind, _NAME)
    if pattern.fullmatch(name) is None:
        raise ValueError(f"{text[:200]!r} names nothing that can be selected")
    return Selection(source, name.lower() if kind == "header" else name)


def _of_body(source: str, name: str, text: str) -> Selection:
    if not name and not text.endswith("."):
        return Selection(source, "")
    path = f"${name}" if name.startswith("[") else f"$.{name}"
    if not name or ".." in path or _PATH.fullmatch(name) is None:
        raise ValueError(
            f"{text[:200]!r}: recursive descent and filter expressions are not supported"
        )
    import jsonpath  # It takes long to import, and few selections need it.

    try:
        return Selection(source, path, jsonpath.compile(path))
    except (jsonpath.JSONPathError, RecursionError) as error:
        raise ValueError(f"{text[:200]!r} is not a valid JSON path") from error


class JsonBody:
    """A body that selections are looked up in. It is parsed at most once."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._document: Any = None
        self._is_parsed = False

    def find(self, selection: Selection) -> str | None:
        """The whole body, or what the path leads to: text as it is, other values as JSON; None if
        there is nothing."""
        if selection.path is None:
            return self._data.decode("utf-8", "replace") if self._data else None
        import jsonpath

        try:
            if not self._is_parsed:
                self._is_parsed = True
                self._document = json.loads(self._data[:BODY_BYTES_MAX])
            found = selection.path.findall(self._document)
        except (ValueError, RecursionError, jsonpath.JSONPathError):
            return None
        if not found:
            return None
        value = found if len(found) > 1 or "*" in selection.name else found[0]
        if value is None or isinstance(value, str):
            return value
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
