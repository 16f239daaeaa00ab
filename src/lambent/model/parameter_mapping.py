"""Parameter mapping of HTTP APIs: changes of a request for its integration, and of the response.

`{"overwrite:header.x-user": "$context.authorizer.claims.sub"}` says what is changed and to which
value. Control parses mappings to refuse what is wrong; the data plane applies what was parsed.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lambent.model.selections import REQUEST_SOURCES, RESPONSE_SOURCES, Text, parse_text

_KEY = re.compile(
    r"(?P<action>append|overwrite|remove):"
    r"(?:(?P<place>header|querystring)\.(?P<name>.{1,256})|(?P<whole>path|statuscode))",
    re.DOTALL,
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_QUERY_NAME = re.compile(r"[^\x00-\x20&=#]{1,256}")
_STATUS = re.compile(r"[2-5]\d\d")
_RESERVED = frozenset(
    {
        *("authorization", "connection", "content-encoding", "content-length", "content-location"),
        *("forwarded", "keep-alive", "origin", "proxy-authenticate", "proxy-authorization", "te"),
        *("trailers", "transfer-encoding", "upgrade", "x-forwarded-for", "x-forwarded-host"),
        *("x-forwarded-proto", "via"),
    }
)
_RESERVED_PREFIXES = ("access-control-", "apigw-", "x-amz-", "x-amzn-")


class Change(NamedTuple):
    """One change."""

    action: str
    """`append`, `overwrite` or `remove`."""
    place: str
    """`header`, `querystring`, `path` or `statuscode`."""
    name: str
    """Of the header, in lower case, or of the query parameter; else empty."""
    value: Text


Changes = Sequence[Change]


def parse_request_changes(parameters: Mapping[str, str]) -> Changes:
    """The changes that `RequestParameters` of an HTTP API's integration describe. Raises
    ValueError with a message for the client."""
    return _parse(parameters, ("header", "querystring", "path"), REQUEST_SOURCES)


def parse_response_changes(parameters: Mapping[str, Mapping[str, str]]) -> Mapping[int, Changes]:
    """The changes that `ResponseParameters` describe, by the status code of the integration. Raises
    ValueError with a message for the client."""
    found = {}
    for status, changes in parameters.items():
        if _STATUS.fullmatch(status) is None:
            raise ValueError(f"{status[:32]!r} is not a status code from 200 to 599")
        found[int(status)] = _parse(changes, ("header", "statuscode"), RESPONSE_SOURCES)
    return found


def _parse(
    parameters: Mapping[str, str], places: Sequence[str], sources: frozenset[str]
) -> Changes:
    changes = []
    for key, value in parameters.items():
        match = _KEY.fullmatch(key)
        place = None if match is None else match["place"] or match["whole"]
        if match is None or place is None or place not in places:
            raise ValueError(f"Invalid mapping expression specified: {key[:256]}")
        action, name = match["action"], match["name"] or ""
        if place in ("path", "statuscode") and action != "overwrite":
            raise ValueError(f"Invalid mapping expression specified: {key[:256]}")
        if place == "header":
            name = name.lower()
            if _TOKEN.fullmatch(name) is None:
                raise ValueError(f"Invalid header name in mapping expression: {key[:256]}")
            if name in _RESERVED or name.startswith(_RESERVED_PREFIXES):
                raise ValueError(f"Operations on header {name} are restricted")
        elif place == "querystring" and _QUERY_NAME.fullmatch(name) is None:
            raise ValueError(f"Invalid query string name in mapping expression: {key[:256]}")
        text = Text([]) if action == "remove" else parse_text(value, sources)
        if place == "statuscode" and not text.selections and _STATUS.fullmatch(value) is None:
            raise ValueError(f"{value[:32]!r} is not a status code from 200 to 599")
        changes.append(Change(action, place, name, text))
    return changes
