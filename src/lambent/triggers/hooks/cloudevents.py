"""Hooks of the kind `cloudevents`: CloudEvents 1.0 over HTTP, one in the headers (binary mode), one
in the body (structured) or several (batched).

A function gets an event in the JSON format, whatever the mode was. A bus gets the attributes
`source`, `type`, `time` and `subject` as Source, DetailType, Time and Resources, and the data as
Detail.
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md
"""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from lambent.kit import quick_json
from lambent.triggers.hooks.kind import (
    Entry,
    HookRefused,
    HookRequest,
    Received,
    instant,
    parsed,
    require_method,
    require_no_path,
)
from lambent.triggers.hooks.requests import DEADLINE_S, respond
from lambent.triggers.hooks.tokens import require_token
from lambent.triggers.url_response import UrlResponse

_BATCH_MAX = 100
_ATTRIBUTES_MAX = 100
_STRUCTURED, _BATCHED = "application/cloudevents", "application/cloudevents-batch"
_NEEDED = ("specversion", "id", "source", "type")
_ATTRIBUTE = re.compile(r"[a-z0-9]{1,128}")
_ORIGIN = re.compile(r"[A-Za-z0-9.*:/_-]{1,253}")
_VERSION = "1.0"
Event = Mapping[str, Any]


async def receive(request: HookRequest) -> Received | UrlResponse:
    """See `Receive`."""
    require_no_path(request)
    if request.exchange.method == "OPTIONS":
        return _consent(request)
    require_method(request, "POST")
    require_token(request)
    kind = request.exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
    form, _, encoding = kind.partition("+")
    if form not in (_STRUCTURED, _BATCHED):
        events = [await _binary(request, kind)]
    elif encoding != "json":
        raise HookRefused(415, "Only the JSON format of CloudEvents is offered.")
    elif form == _STRUCTURED:
        events = [_checked(await parsed(request.exchange.body))]
    else:
        found = await parsed(request.exchange.body)
        if not isinstance(found, list):
            raise HookRefused(400, "A batch is an array of CloudEvents.")
        if len(found) > _BATCH_MAX:
            raise HookRefused(413, f"A batch has at most {_BATCH_MAX} CloudEvents.")
        events = [_checked(event) for event in found]
    return _received(request, events)


def _received(request: HookRequest, events: list[Event]) -> Received:
    if request.hook.bus is not None:
        return Received(entries=[_entry(event) for event in events])
    payloads = [quick_json.encode(event) for event in events]
    if not request.hook.is_synchronous:
        return Received(events=payloads)
    if len(payloads) != 1:
        raise HookRefused(400, "A caller that waits sends one CloudEvent, and no batch.")
    return Received(events=payloads, respond=respond, deadline_s=DEADLINE_S)


def _consent(request: HookRequest) -> UrlResponse:
    """Allow a sender to send here, who asks first: Azure Event Grid does."""
    origin = request.exchange.headers.get("webhook-request-origin", "")
    if _ORIGIN.fullmatch(origin) is None:
        raise HookRefused(400, "The header WebHook-Request-Origin is missing or not valid.")
    per_minute = max(1, int(request.hook.rate * 60))
    return UrlResponse(
        200,
        [
            ("Allow", "OPTIONS, POST"),
            ("WebHook-Allowed-Origin", origin),
            ("WebHook-Allowed-Rate", str(per_minute)),
        ],
        b"",
    )


async def _binary(request: HookRequest, kind: str) -> Event:
    headers, body = request.exchange.headers, request.exchange.body
    event: dict[str, Any] = {
        name[3:]: _attribute(value) for name, value in headers.items() if name.startswith("ce-")
    }
    if "content-type" in headers:
        event["datacontenttype"] = headers["content-type"]
    if body and (kind in ("", "application/json", "text/json") or kind.endswith("+json")):
        event["data"] = await parsed(body)
    elif body and kind.startswith("text/"):
        event["data"] = body.decode("utf-8", "replace")
    elif body:
        event["data_base64"] = base64.b64encode(body).decode()
    return _checked(event)


def _attribute(value: str) -> str:
    """Values of headers are UTF-8, percent-encoded. Some senders write UTF-8 itself, and older
    versions of the SDK for Python write latin-1."""
    try:
        return unquote(value.encode("latin-1").decode())
    except UnicodeDecodeError:
        return value


def _checked(event: Any) -> Event:
    if not isinstance(event, dict):
        raise HookRefused(400, "A CloudEvent is an object.")
    for name in _NEEDED:
        value = event.get(name)
        if not isinstance(value, str) or not value:
            raise HookRefused(400, f"The CloudEvent has no attribute {name}.")
    if event["specversion"] != _VERSION:
        raise HookRefused(400, "Only version 1.0 of CloudEvents is offered.")
    if len(event) > _ATTRIBUTES_MAX:
        raise HookRefused(400, "The CloudEvent has too many attributes.")
    for name, value in event.items():
        if name in ("data", "data_base64"):
            continue
        is_value = value is None or isinstance(value, str | bool | int)
        if _ATTRIBUTE.fullmatch(name) is None or not is_value:
            raise HookRefused(400, "An attribute of the CloudEvent is not valid.")
    if "data" in event and "data_base64" in event:
        raise HookRefused(400, "The CloudEvent has data twice.")
    return event


def _entry(event: Event) -> Entry:
    data = event.get("data")
    if "data_base64" in event:
        data = {"data_base64": event["data_base64"]}
    elif not isinstance(data, dict):
        data = {"data": data}
    entry: dict[str, Any] = {
        "Source": event["source"],
        "DetailType": event["type"],
        "Detail": json.dumps(data),
    }
    if event.get("subject"):
        entry["Resources"] = [event["subject"]]
    if event.get("time"):
        try:
            entry["Time"] = instant(event["time"])
        except (AttributeError, ValueError) as error:
            raise HookRefused(400, "The time of the CloudEvent is not valid.") from error
    return entry
