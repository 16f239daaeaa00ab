"""Calls of the functions of user pools: synchronous, within 5 seconds, with up to three attempts.
Those that send codes are called asynchronously, through the durable queue.

Cognito is the caller, so the function's policy has to allow it; a relaxed platform does not check
that within an account. An attempt is repeated if the function did not respond in time or is
throttled. What the function itself reports is final.
https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html
"""

import anyio

from lambent.asynchronous.queue import AsyncQueue
from lambent.control.cognito.pool import Pool
from lambent.control.cognito.ports import FunctionRaised, FunctionUnusable
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.invocation.call import Call
from lambent.invocation.invoker import Invoker
from lambent.kit.ids import new_request_id
from lambent.kit.strict_json import parse_loosely
from lambent.model.errors import ApiError
from lambent.model.invocation import InvocationKind, Outcome, Refused, Succeeded
from lambent.model.limits import SYNCHRONOUS_EVENT_BYTES_MAX
from lambent.model.names import FunctionReference, parse_function_name
from lambent.model.principal import service
from lambent.model.traces import trace_id_of

_DEADLINE_S = 5.0
_ATTEMPTS = 3
_ERROR_BYTES_MAX = 64 * 1024
_MESSAGE_MAX = 4096


class PoolFunctions:
    """See the module. It is a `CallFunction`."""

    def __init__(
        self,
        invoker: Invoker,
        queue: AsyncQueue,
        authorizer: Authorizer,
        *,
        deadline_s: float = _DEADLINE_S,
    ) -> None:
        self._invoker = invoker
        self._queue = queue
        self._authorizer = authorizer
        self._deadline_s = deadline_s
        self._service = service("cognito-idp.amazonaws.com")

    async def __call__(self, pool: Pool, arn: str, event: bytes) -> bytes:
        """See `CallFunction`."""
        function = _reference(pool, arn)
        if len(event) > SYNCHRONOUS_EVENT_BYTES_MAX:
            raise FunctionUnusable("RequestTooLargeException")
        fault = ""
        for _ in range(_ATTEMPTS):
            try:
                with anyio.fail_after(self._deadline_s):
                    outcome = await self._attempt(pool, function, event)
            except TimeoutError:
                fault = "Socket timeout while invoking Lambda function"
                continue
            if isinstance(outcome, Succeeded):
                return outcome.payload
            if not isinstance(outcome, Refused):
                raise FunctionRaised(_message_of(outcome))
            fault = outcome.error.code
            if not outcome.is_throttled:
                break
        raise FunctionUnusable(fault)

    async def enqueue(self, pool: Pool, arn: str, event: bytes) -> None:
        """See `QueueEvent`."""
        function = _reference(pool, arn)
        try:
            await self._authorize(pool, function)
            await self._queue.keep(function, event, trace_id_of(None))
        except ApiError as error:
            raise FunctionUnusable(error.code) from None

    async def _attempt(self, pool: Pool, function: FunctionReference, event: bytes) -> Outcome:
        try:
            await self._authorize(pool, function)
        except ApiError as error:
            return Refused.of(error)
        call = Call(
            request_id=new_request_id(),
            kind=InvocationKind.SERVICE,
            key=function.key,
            qualifier=function.qualifier,
            event=event,
        )
        return (await self._invoker.call(call)).outcome

    async def _authorize(self, pool: Pool, function: FunctionReference) -> None:
        owner = function.key.account
        if not self._authorizer.is_strict and pool.root.account == owner:
            return
        context = (
            ("aws:sourcearn", (pool.arn,)),
            ("aws:sourceaccount", (pool.root.account,)),
        )
        access = Access("lambda:InvokeFunction", function.arn, owner, context)
        caller = Caller(
            principal=self._service, scope=pool.root.scope, service=None, access_key_id=None
        )
        await self._authorizer.check(caller, access)


def _reference(pool: Pool, arn: str) -> FunctionReference:
    try:
        return parse_function_name(arn, pool.root.scope)
    except ApiError as error:
        raise FunctionUnusable(error.code) from None


def _message_of(outcome: Outcome) -> str:
    """The message of a function's error."""
    payload = getattr(outcome, "payload", b"")
    try:
        document = parse_loosely(payload) if len(payload) <= _ERROR_BYTES_MAX else None
    except ValueError:
        document = None
    message = document.get("errorMessage") if isinstance(document, dict) else None
    return message[:_MESSAGE_MAX] if isinstance(message, str) else str(outcome.error_type)
