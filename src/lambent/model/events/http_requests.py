"""The request that an API destination gets: its address, the target's parameters and those of its
connection, which win.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from lambent.kit.strict_json import parse_plain
from lambent.model.events.connections import is_header, values

_NO_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
_LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f]")


class HttpRequest(NamedTuple):
    """One request."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        """Without its secrets."""
        return f"HttpRequest({self.method} {urlsplit(self.url).hostname})"


def build(
    endpoint: str,
    method: str,
    event: bytes,
    target: Mapping[str, Any],
    connection: Mapping[str, Any] | None,
) -> HttpRequest:
    """`target` and `connection` are HttpParameters and InvocationHttpParameters."""
    parts = urlsplit(endpoint)
    path = parts.path or "/"
    for value in target.get("PathParameterValues") or ():
        path = path.replace("*", _segment(value), 1)
    pairs = {
        **(target.get("QueryStringParameters") or {}),
        **values(connection, "QueryStringParameters"),
    }
    query = "&".join(text for text in (parts.query, urlencode(pairs)) if text)
    headers = {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "Amazon/EventBridge/ApiDestinations",
        **_headers(target.get("HeaderParameters") or {}),
        **_headers(values(connection, "HeaderParameters")),
    }
    body = b"" if method in _NO_BODY else _body(event, values(connection, "BodyParameters"))
    url = f"{parts.scheme}://{parts.netloc}{path}{'?' if query else ''}{query}"
    return HttpRequest(method, url, headers, body)


def _segment(value: str) -> str:
    """One segment of a path: a value of an event leads to no other directory."""
    return value.replace(".", "%2E") if value in (".", "..") else quote(value, safe="")


def _headers(given: Mapping[str, str]) -> Mapping[str, str]:
    return {
        name.lower(): _LINE_BREAKS.sub(" ", value).strip()
        for name, value in given.items()
        if is_header(name)
    }


def _body(event: bytes, more: Mapping[str, str]) -> bytes:
    """Parameters of the connection become members of an event that is an object."""
    if not more:
        return event
    try:
        document = parse_plain(event.decode())
    except ValueError:
        return event
    if not isinstance(document, dict):
        return event
    return json.dumps({**document, **more}, ensure_ascii=False, separators=(",", ":")).encode(
        errors="replace"
    )
