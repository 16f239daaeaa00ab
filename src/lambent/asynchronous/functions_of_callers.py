"""Calls of functions that a part of the platform makes in the name of a caller."""

from lambent.asynchronous.queue import AsyncQueue
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.invocation.call import Call
from lambent.invocation.invoker import Invoker
from lambent.kit.ids import new_request_id
from lambent.model.errors import ApiError
from lambent.model.invocation import InvocationKind, Refused, Succeeded
from lambent.model.limits import ASYNCHRONOUS_EVENT_BYTES_MAX, SYNCHRONOUS_EVENT_BYTES_MAX
from lambent.model.names import FunctionReference, parse_function_name
from lambent.model.traces import trace_id_of


class FunctionsOfCallers:
    """See `stacks/ports.py: Functions`."""

    def __init__(self, queue: AsyncQueue, invoker: Invoker, authorizer: Authorizer) -> None:
        self._queue = queue
        self._invoker = invoker
        self._authorizer = authorizer

    async def send(self, function: str, event: bytes, caller: Caller) -> None:
        """Queue an event durably, if the caller may call the function. Raises `ApiError`."""
        reference = await self._find(function, event, ASYNCHRONOUS_EVENT_BYTES_MAX, caller)
        await self._invoker.resolve(reference.key, reference.qualifier)
        await self._queue.keep(reference, event, trace_id_of(None))

    async def call(self, function: str, event: bytes, caller: Caller) -> bytes | None:
        """Call a function and return its result; None if it has failed. Raises `ApiError`."""
        reference = await self._find(function, event, SYNCHRONOUS_EVENT_BYTES_MAX, caller)
        result = await self._invoker.call(
            Call(
                request_id=new_request_id(),
                kind=InvocationKind.SERVICE,
                key=reference.key,
                qualifier=reference.qualifier,
                event=event,
            )
        )
        match result.outcome:
            case Refused(error):
                raise error
            case Succeeded(payload):
                return payload
            case _:
                return None

    async def _find(
        self, function: str, event: bytes, bytes_max: int, caller: Caller
    ) -> FunctionReference:
        reference = parse_function_name(function, caller.scope)
        access = Access("lambda:InvokeFunction", reference.arn, reference.key.account)
        await self._authorizer.check(caller, access)
        if len(event) > bytes_max:
            raise ApiError("RequestTooLargeException", "The event is too large.", status=413)
        return reference
