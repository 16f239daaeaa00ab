"""Applies parameter mappings: to a request before its integration, and to the response."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from lambent.model.parameter_mapping import Change, Changes
from lambent.model.selections import JsonBody, LookUp, Selection
from lambent.triggers.apis.http.call import HttpCall
from lambent.triggers.apis.http.variables import (
    context_value,
    look_up,
    query_items,
    stage_variables,
    text_of,
)
from lambent.triggers.cors import Headers

VALUE_MAX = 10_240
"""Characters of a value."""
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_STATUS = re.compile(r"[2-5]\d\d")


class Outgoing(NamedTuple):
    """A request as its integration receives it."""

    headers: Mapping[str, str]
    """By lower-case name."""
    query: str
    """Percent-encoded."""
    path: str | None = None
    """The path instead of the client's; None if it is not changed."""


def map_request(changes: Changes, call: HttpCall, headers: Mapping[str, str]) -> Outgoing:
    """Apply the changes of an integration. Raises ValueError for a value that is too long."""
    query = call.request.exchange.query
    if not changes:
        return Outgoing(headers, query)
    find = look_up(call)
    changed, items, path = dict(headers), None, None
    for change in changes:
        value = _value(change, find)
        if value is None:
            continue
        if change.place == "header":
            _change_header(changed, change, value)
        elif change.place == "path":
            path = value if value.startswith("/") else f"/{value}"
        else:
            items = _change_items(query_items(query) if items is None else items, change, value)
    return Outgoing(changed, query if items is None else urlencode(items), path)


def map_response(
    changes: Changes, call: HttpCall, status: int, headers: Headers, body: bytes
) -> tuple[int, Headers]:
    """Apply the changes for a status code. Raises ValueError for a value that is too long."""
    if not changes:
        return status, headers
    find = _look_up_in_response(call, headers, body)
    found = list(headers)
    for change in changes:
        value = _value(change, find)
        if value is None:
            continue
        if change.place == "statuscode":
            status = int(value) if _STATUS.fullmatch(value) else status
            continue
        if change.action in ("overwrite", "remove"):
            found = [pair for pair in found if pair[0].lower() != change.name]
        if change.action != "remove":
            # As UTF-8 on the wire, which is written as latin-1.
            found.append((change.name, value.encode("utf-8", "replace").decode("latin-1")))
    return status, found


def _value(change: Change, find: LookUp) -> str | None:
    """The value of a change, without control characters; None if there is nothing to change."""
    if change.action == "remove":
        return ""
    value = change.value.render(find, VALUE_MAX)
    return None if value is None else _CONTROLS.sub(" ", value)


def _change_header(headers: dict[str, str], change: Change, value: str) -> None:
    name = change.name
    if change.action == "remove":
        headers.pop(name, None)
    elif change.action == "append" and name in headers:
        headers[name] = f"{headers[name]},{value}"
    else:
        headers[name] = value


def _change_items(
    items: Sequence[tuple[str, str]], change: Change, value: str
) -> list[tuple[str, str]]:
    kept = [item for item in items if change.action == "append" or item[0] != change.name]
    return kept if change.action == "remove" else [*kept, (change.name, value)]


def _look_up_in_response(call: HttpCall, headers: Headers, body: bytes) -> LookUp:
    document = JsonBody(body)

    def find(selection: Selection) -> str | None:
        match selection.source:
            case "response.header":
                values = [value for name, value in headers if name.lower() == selection.name]
                return ",".join(values) if values else None
            case "response.body":
                return document.find(selection)
            case "stageVariables":
                return stage_variables(call).get(selection.name)
        return text_of(context_value(call, selection.name))

    return find
