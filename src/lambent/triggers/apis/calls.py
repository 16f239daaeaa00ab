"""Calls of functions by APIs, that is, integrations and authorizers, and by hooks.

API Gateway itself is the caller, and the function's policy has to allow it, unless the integration
names a role. For a hook it is another service. A relaxed platform checks the policy only of a
function of another account.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import anyio

from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.identity.service_roles import ServiceRoles
from lambent.invocation.call import Call
from lambent.invocation.checks import tenant_error
from lambent.invocation.invoker import Invoker, MakeReply
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.model.invocation import InvocationKind, Outcome, Refused
from lambent.model.limits import ASYNCHRONOUS_EVENT_BYTES_MAX, SYNCHRONOUS_EVENT_BYTES_MAX
from lambent.model.names import FunctionReference
from lambent.model.principal import Principal, service
from lambent.model.service_integrations import CALLERS_OWN_ROLE

SERVICE = "apigateway.amazonaws.com"
_API_GATEWAY = service(SERVICE)

Keep = Callable[[FunctionReference, bytes, str], Awaitable[None]]
"""Puts an event with its trace header into the asynchronous queue. Raises `ApiError`."""


class ApiCall(NamedTuple):
    """A call of a function by an API."""

    scope: Scope
    """Of the API."""
    function: FunctionReference
    source_arn: str
    """What calls: `arn:aws:execute-api:<region>:<account>:<api>/<stage>/<method>/<path>`."""
    event: bytes
    request_id: str
    trace_id: str
    role: str | None = None
    """The role of the integration; None if API Gateway itself calls."""
    client: Caller | None = None
    """Who signed the request, for `CALLERS_OWN_ROLE`."""
    wants_stream: bool = False
    service: Principal = _API_GATEWAY
    """The service that calls, for calls of others than APIs."""
    event_source_token: str | None = None
    """What policies know as `lambda:EventSourceToken`."""


class FunctionCalls:
    """See the module."""

    def __init__(
        self, invoker: Invoker, authorizer: Authorizer, roles: ServiceRoles, keep: Keep
    ) -> None:
        self._invoker = invoker
        self._keep = keep
        self._authorizer = authorizer
        self._roles = roles

    def begin(self, call: ApiCall, make_reply: MakeReply) -> bool:
        """Run a call if all it takes is in memory; returns whether it is. If not, nothing has
        happened: await `start`. Raises `ApiError` if the caller may not call the function or the
        event is too large."""
        asked = self._asked(call)
        if asked is not None and not self._authorizer.check_nowait(*asked):
            return False
        return self._invoker.begin(_call(call), make_reply)

    async def start(self, call: ApiCall, make_reply: MakeReply) -> None:
        """As `begin`, reading what is missing. Raises `FunctionNotFound` as well."""
        await self.check(call)
        await self._invoker.start(_call(call), make_reply)

    async def call(self, call: ApiCall, *, deadline_s: float) -> Outcome:
        """Run a call and wait for its outcome. Raises `TimeoutError` after `deadline_s`; the
        function runs on then."""
        with anyio.fail_after(deadline_s):
            try:
                await self.check(call)
                return (await self._invoker.call(_call(call))).outcome
            except ApiError as error:
                return Refused.of(error)

    async def keep(self, call: ApiCall) -> None:
        """Queue a call, which is made later; returns when the event is on disk. Raises `ApiError`
        if it is not, the caller may not call the function, or the event is too large."""
        if len(call.event) > ASYNCHRONOUS_EVENT_BYTES_MAX:
            raise ApiError("RequestTooLargeException", "Request Entity Too Large", status=413)
        await self.check(call)
        key, qualifier = call.function.key, call.function.qualifier
        error = tenant_error(await self._invoker.resolve(key, qualifier), "")
        if error is not None:
            raise error
        await self._keep(call.function, call.event, call.trace_id)

    async def check(self, call: ApiCall) -> None:
        """Raise `AccessDeniedException` unless the caller may call the function."""
        asked = self._asked(call)
        if asked is not None:
            await self._authorizer.check(*asked)

    def _asked(self, call: ApiCall) -> tuple[Caller, Access] | None:
        """What has to be allowed to whom; None if that is not asked."""
        function, is_strict = call.function, self._authorizer.is_strict
        owner = function.key.account
        if not is_strict and call.scope.account == owner:
            return None
        context: tuple[tuple[str, tuple[str, ...]], ...] = (
            ("aws:sourcearn", (call.source_arn,)),
            ("aws:sourceaccount", (call.scope.account,)),
        )
        if call.event_source_token is not None:
            context += (("lambda:eventsourcetoken", (call.event_source_token,)),)
        access = Access("lambda:InvokeFunction", function.arn, owner, context)
        return self._caller(call), access

    def _caller(self, call: ApiCall) -> Caller:
        if call.role is None:
            return Caller(
                principal=call.service, scope=call.scope, service=None, access_key_id=None
            )
        if call.role != CALLERS_OWN_ROLE:
            return self._roles.assume(call.role, SERVICE, call.scope, "BackplaneAssumeRoleSession")
        if call.client is None:
            raise ApiError(
                "AccessDeniedException",
                "The integration uses the credentials of its caller, and the request is not"
                " signed.",
                status=403,
            )
        return call.client


def _call(call: ApiCall) -> Call:
    """Raises `ApiError` (413) for an event that is too large."""
    if len(call.event) > SYNCHRONOUS_EVENT_BYTES_MAX:
        raise ApiError("RequestTooLargeException", "Request Entity Too Large", status=413)
    function = call.function
    return Call(
        call.request_id,
        InvocationKind.SERVICE,
        function.key,
        function.qualifier,
        call.event,
        call.trace_id,
        wants_stream=call.wants_stream,
    )
