"""Asynchronous events that a part of the platform sends in the name of a caller."""

from lambent.asynchronous.queue import AsyncQueue
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.invocation.invoker import Invoker
from lambent.model.errors import ApiError
from lambent.model.limits import ASYNCHRONOUS_EVENT_BYTES_MAX
from lambent.model.names import parse_function_name
from lambent.model.traces import trace_id_of


class EventsOfCallers:
    """See `stacks/ports.py: Events`."""

    def __init__(self, queue: AsyncQueue, invoker: Invoker, authorizer: Authorizer) -> None:
        self._queue = queue
        self._invoker = invoker
        self._authorizer = authorizer

    async def send(self, function_arn: str, event: bytes, caller: Caller) -> None:
        """Queue an event durably, if the caller may call the function. Raises `ApiError`."""
        reference = parse_function_name(function_arn, caller.scope)
        access = Access("lambda:InvokeFunction", reference.arn, reference.key.account)
        await self._authorizer.check(caller, access)
        if len(event) > ASYNCHRONOUS_EVENT_BYTES_MAX:
            raise ApiError("RequestTooLargeException", "The event is too large.", status=413)
        await self._invoker.resolve(reference.key, reference.qualifier)
        await self._queue.keep(reference, event, trace_id_of(None))
