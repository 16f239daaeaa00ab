"""Events that are whole HTTP requests, as the kinds `hmac` and `token` make them: in the payload
format 2.0 of function URLs for a function, and the body as the detail for a bus."""

from collections.abc import Callable, Mapping
from typing import Any

from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    Outcome,
    Refused,
    Succeeded,
    TimedOut,
)
from lambent.model.limits import TIMEOUT_S_MAX
from lambent.triggers.hooks.kind import (
    Entry,
    HookRefused,
    HookRequest,
    Once,
    Received,
    json_response,
    of_body,
    parsed,
)
from lambent.triggers.url_event import proxy_event
from lambent.triggers.url_response import FAILED, UrlResponse, read_buffered

DEADLINE_S = TIMEOUT_S_MAX + 60.0
"""Longer than any function may run: its own timeout ends a call."""
_DETAIL_TYPE = "Webhook"


def event_of(request: HookRequest, headers: Mapping[str, str], query: str) -> bytes:
    """The event for a function, with these headers and this query."""
    hook = request.hook
    host = headers.get("host", "")
    return proxy_event(
        request.exchange,
        path=request.path or "/",
        query=query,
        headers=headers,
        context={
            "accountId": hook.scope.account,
            "apiId": hook.name,
            "domainName": host.partition(":")[0],
            "domainPrefix": hook.name,
            "requestId": request.request_id,
        },
        trace_id=request.trace_id,
        now=request.now,
    )


async def received(
    request: HookRequest,
    make_event: Callable[[], bytes],
    *,
    once: Once | None = None,
    event_type: str = "",
) -> Received:
    """The event of a request whose sender is known. `event_type` says where the detail-type is: see
    `Scheme`. Raises `HookRefused`."""
    if request.hook.bus is not None:
        return Received(entries=[await _entry(request, event_type)], once=once)
    event = await of_body(request.exchange.body, make_event)
    if not request.hook.is_synchronous:
        return Received(events=[event], once=once)
    return Received(events=[event], once=once, respond=respond, deadline_s=DEADLINE_S)


async def _entry(request: HookRequest, event_type: str) -> Entry:
    hook = request.hook
    detail = await parsed(request.exchange.body)
    if not isinstance(detail, dict):
        raise HookRefused(400, "The body is not an object of JSON, as events of a bus are.")
    return {
        "Source": hook.options.get("source", f"hook.{hook.name}"),
        "DetailType": hook.options.get("detail_type")
        or _found(request, event_type, detail)[:128]
        or _DETAIL_TYPE,
        "Detail": request.exchange.body.decode(),
    }


def _found(request: HookRequest, event_type: str, detail: Mapping[str, Any]) -> str:
    """The type that the sender calls its event by; empty if there is none."""
    where, _, name = event_type.partition(":")
    if where == "header":
        return request.exchange.headers.get(name, "")
    value: Any = detail
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def respond(outcome: Outcome) -> UrlResponse:
    """The response to a caller that waits: as that of a function URL."""
    match outcome:
        case Succeeded(payload):
            return read_buffered(payload)
        case TimedOut():
            return json_response(504, "The function timed out.")
        case FunctionFailed() | Crashed():
            return FAILED
        case Refused(error):
            if error.status == 429:
                return json_response(429, "Too Many Requests", ("Retry-After", "1"))
            return json_response(502, "The function cannot be called.")
