"""Where the events of hooks go: to a function, at once or through the durable queue, or to a bus.

A service of the platform's own is the caller of the function, `hooks.lambent`, and the function's
policy has to allow it; a relaxed platform does not check that within an account. Who made a hook
for a bus was allowed to send events there.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from lambent.aws.client import AwsUnreachable
from lambent.aws.errors import ClientError
from lambent.model.arn import Arn, Scope
from lambent.model.errors import ApiError
from lambent.model.hooks.hook import Hook
from lambent.model.hooks.kinds import KINDS
from lambent.model.invocation import Outcome
from lambent.model.names import parse_function_name
from lambent.model.principal import service
from lambent.triggers.apis.calls import ApiCall, FunctionCalls
from lambent.triggers.hooks.kind import Entry, HookRefused, HookRequest, Received

PutEvents = Callable[[Scope, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""EventBridge's operation. Raises `ClientError` and `AwsUnreachable`."""
_ENTRIES_MAX = 10
"""Of one request."""


class Delivery:
    """See the module."""

    def __init__(self, calls: FunctionCalls, put_events: PutEvents) -> None:
        self._calls = calls
        self._put_events = put_events

    async def check(self, hook: Hook) -> None:
        """Raise `AccessDeniedException` unless the function of a hook may be called for it."""
        await self._calls.check(_call(hook, b"", hook.options.get("skill")))

    async def keep(self, request: HookRequest, received: Received) -> None:
        """Returns when all events are on disk. Raises `ApiError`; then some of them may be."""
        for event in received.events:
            await self._calls.keep(_call_of(request, received, event))

    async def call(self, request: HookRequest, received: Received) -> Outcome:
        """Call the function with the only event. Raises `TimeoutError`."""
        (event,) = received.events
        call = _call_of(request, received, event)
        return await self._calls.call(call, deadline_s=received.deadline_s)

    async def put(self, hook: Hook, entries: Sequence[Entry]) -> None:
        """Put events on the bus; returns when what follows from them is on disk. Raises `ApiError`,
        and `HookRefused` if the bus refuses one of them."""
        assert hook.bus is not None
        bus = Arn.parse(hook.bus)
        named = [{**entry, "EventBusName": hook.bus} for entry in entries]
        for start in range(0, len(named), _ENTRIES_MAX):
            part = named[start : start + _ENTRIES_MAX]
            try:
                result = await self._put_events(bus.scope, {"Entries": part})
            except (ClientError, AwsUnreachable) as error:
                raise ApiError("ServiceException", f"{error}", status=502) from error
            codes = {entry["ErrorCode"] for entry in result["Entries"] if "ErrorCode" in entry}
            if codes:
                raise HookRefused(400, f"The event bus refuses the event: {min(codes)[:64]}")


def _call_of(request: HookRequest, received: Received, event: bytes) -> ApiCall:
    call = _call(request.hook, event, received.event_source_token)
    return call._replace(request_id=request.request_id, trace_id=request.trace_id)


def _call(hook: Hook, event: bytes, event_source_token: str | None) -> ApiCall:
    assert hook.function is not None
    return ApiCall(
        scope=hook.scope,
        function=parse_function_name(hook.function, hook.scope),
        source_arn=hook.arn,
        event=event,
        request_id="",
        trace_id="",
        service=service(KINDS[hook.kind].principal),
        event_source_token=event_source_token,
    )
