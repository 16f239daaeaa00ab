"""Calls of code hooks: synchronous, within 30 seconds.

Lex is the caller, so the function's policy has to allow it; a relaxed platform does not check that
within an account.
https://docs.aws.amazon.com/lexv2/latest/dg/lambda-attach.html
"""

import anyio

from lambent.control.lex.ports import HookFailed, HookTimedOut
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.invocation.call import Call
from lambent.invocation.invoker import Invoker
from lambent.kit.ids import new_request_id
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.model.invocation import InvocationKind, Refused, Succeeded
from lambent.model.limits import SYNCHRONOUS_EVENT_BYTES_MAX
from lambent.model.names import FunctionReference, parse_function_name
from lambent.model.principal import service

_DEADLINE_S = 30.0
_INVALID = "Invalid Lambda Response: "


class HookFunctions:
    """See the module. It is a `CallHook`."""

    def __init__(
        self, invoker: Invoker, authorizer: Authorizer, *, deadline_s: float = _DEADLINE_S
    ) -> None:
        self._invoker = invoker
        self._authorizer = authorizer
        self._deadline_s = deadline_s
        self._service = service("lexv2.amazonaws.com")

    async def __call__(self, scope: Scope, alias_arn: str, function: str, event: bytes) -> bytes:
        """See `CallHook`."""
        if len(event) > SYNCHRONOUS_EVENT_BYTES_MAX:
            raise HookFailed(f"{_INVALID}The event is too large")
        try:
            reference = parse_function_name(function, scope)
            await self._authorize(scope, alias_arn, reference)
        except ApiError as error:
            raise HookFailed(_unusable(function, error)) from None
        call = Call(
            request_id=new_request_id(),
            kind=InvocationKind.SERVICE,
            key=reference.key,
            qualifier=reference.qualifier,
            event=event,
        )
        try:
            with anyio.fail_after(self._deadline_s):
                outcome = (await self._invoker.call(call)).outcome
        except TimeoutError:
            raise HookTimedOut(
                f"{_INVALID}The Lambda function did not respond within {self._deadline_s:g} seconds"
            ) from None
        if isinstance(outcome, Succeeded):
            return outcome.payload
        if isinstance(outcome, Refused):
            raise HookFailed(_unusable(function, outcome.error))
        kind = outcome.error_type
        raise HookFailed(f"{_INVALID}Received error response from Lambda: {kind}")

    async def _authorize(self, scope: Scope, alias_arn: str, function: FunctionReference) -> None:
        owner = function.key.account
        if not self._authorizer.is_strict and scope.account == owner:
            return
        context = (("aws:sourcearn", (alias_arn,)), ("aws:sourceaccount", (scope.account,)))
        access = Access("lambda:InvokeFunction", function.arn, owner, context)
        caller = Caller(principal=self._service, scope=scope, service=None, access_key_id=None)
        await self._authorizer.check(caller, access)


def _unusable(function: str, error: ApiError) -> str:
    """The words of AWS for a function that Lex may not call, and for one that is not there."""
    if error.code == "AccessDeniedException":
        return (
            f"Invalid Bot Configuration: Access denied while invoking lambda function {function}"
            " from Amazon Lex V2. Please check the policy on this function."
        )
    return f"{_INVALID}Lambda function {function} cannot be called: {error.code}"
