"""Invoke, InvokeWithResponseStream and InvokeAsync: the operations that respond without a task.

Everything until an environment has the request is synchronous, and the reply writes the response
when the outcome comes up. Only a function that is not in memory yet, and a large event whose JSON
must be checked off the loop, take a task.
"""

import dataclasses
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import anyio.abc

from lambent.asynchronous.queue import AsyncQueue
from lambent.gateway.request import Request
from lambent.gateway.services.lambda_.invoke_checks import (
    check_json,
    check_offered,
    decode_client_context,
    is_json_type,
    own_request_id,
    refuse_error,
    refuse_fault,
)
from lambent.gateway.services.lambda_.invoke_replies import InvokeReply, StreamReply
from lambent.gateway.services.lambda_.permissions.resources import invoke_access
from lambent.identity.authorizer import Access, Authorizer
from lambent.invocation.call import Call
from lambent.invocation.checks import state_error, tenant_error
from lambent.invocation.invoker import Invoker
from lambent.kit.computing import LOOP_BYTES_MAX, computed_apart
from lambent.kit.strict_json import fault_of
from lambent.kit.tasks import start_task
from lambent.model.alias import Route
from lambent.model.errors import ApiError, invalid_parameter
from lambent.model.function import FunctionVersion
from lambent.model.invocation import InvocationKind, InvocationRequest, Reply
from lambent.model.limits import ASYNCHRONOUS_EVENT_BYTES_MAX, LEGACY_EVENT_BYTES_MAX
from lambent.model.names import FunctionReference, parse_function_name
from lambent.model.traces import trace_id_of

logger = logging.getLogger(__name__)


_READ_REQUESTS_MAX = 4096
_SPELLING_MAX = 8192
"""Characters of a request that is remembered."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InvokeMode:
    """What the three operations differ in."""

    make_reply: Callable[[Request, InvocationRequest], Reply]
    """Makes the reply of a synchronous call."""
    is_always_event: bool = False
    streams: bool = False
    """Whether the reply takes the response in chunks."""
    event_response: bytes | None = b""
    """The body of 202; None if the operation takes no events."""
    event_bytes_max: int = ASYNCHRONOUS_EVENT_BYTES_MAX


class _Asked(NamedTuple):
    """What a request asks for, without its event."""

    reference: FunctionReference
    params: Mapping[str, Any]
    access: Access
    """What the caller needs permission for."""


class InvokeOperation:
    """Serves one of the three."""

    def __init__(
        self,
        invoker: Invoker,
        authorizer: Authorizer,
        queue: AsyncQueue,
        tasks: anyio.abc.TaskGroup,
        mode: InvokeMode,
    ) -> None:
        self._invoker = invoker
        self._authorizer = authorizer
        self._tasks = tasks
        self._queue = queue
        self._mode = mode
        self._read: dict[tuple[object, ...], _Asked] = {}
        """What was read of requests before: callers repeat themselves."""

    def handle(self, request: Request) -> None:
        """Respond to one request, now or later. Raises `ApiError`."""
        asked = self._read_request(request)
        reference, _, access = asked
        event = request.exchange.body or b"{}"
        is_allowed = self._authorizer.check_nowait(request.caller, access)
        route = self._invoker.find_nowait(reference.key, reference.qualifier)
        if route is None or not is_allowed or len(event) > LOOP_BYTES_MAX:
            slowly = partial(self._handle_slowly, request, asked, event)
            start_task(self._tasks, request.fail, slowly)
            return
        check_json(event)
        self._take(request, asked, route, event)

    async def _handle_slowly(self, request: Request, asked: _Asked, event: bytes) -> None:
        reference, _, access = asked
        try:
            await self._authorizer.check(request.caller, access)
            route = await self._invoker.find(reference.key, reference.qualifier)
            refuse_fault(await computed_apart(fault_of, event, data=event))
            self._take(request, asked, route, event)
        except ApiError as error:
            request.refuse(error)

    def _read_request(self, request: Request) -> _Asked:
        """What a request asks for, parsed and validated once per spelling."""
        headers = request.exchange.headers
        spelling = (
            request.exchange.path,
            request.exchange.query,
            request.scope,
            headers.get("x-amz-invocation-type"),
            headers.get("x-amz-log-type"),
            headers.get("x-amz-tenant-id"),
            headers.get("x-amz-durable-execution-name"),
            headers.get("x-amz-client-context"),
            headers.get("content-type"),
        )
        known = self._read.get(spelling)
        if known is not None:
            return known
        content_type = headers.get("content-type")
        params = request.params()
        params.pop("Payload", None)
        params.pop("InvokeArgs", None)
        if content_type and not is_json_type(content_type):
            raise ApiError(
                "UnsupportedMediaTypeException",
                f"The content type '{content_type[:200]}' is not supported: send JSON.",
                status=415,
            )
        check_offered(params)
        reference = parse_function_name(
            params["FunctionName"],
            request.scope,
            qualifier=params.get("Qualifier"),
        )
        params["ClientContext"] = decode_client_context(params.get("ClientContext"))
        if sum(len(part) for part in spelling if isinstance(part, str)) > _SPELLING_MAX:
            return _Asked(reference, params, invoke_access(reference))
        if len(self._read) >= _READ_REQUESTS_MAX:
            self._read.clear()
        asked = self._read[spelling] = _Asked(reference, params, invoke_access(reference))
        return asked

    def _take(self, request: Request, asked: _Asked, route: Route, event: bytes) -> None:
        """Make the call, or queue an event, or only respond as to a call (a dry run)."""
        mode = self._mode
        reference, params, _ = asked
        invocation_type = params.get("InvocationType")
        if mode.is_always_event or invocation_type == "Event":
            self._check_event(route.choose(), params, event)
            self._accept(request, reference, params, event)
            return
        if invocation_type == "DryRun":
            function = route.choose()
            refuse_error(tenant_error(function, params.get("TenantId", "")))
            refuse_error(state_error(function))
            request.exchange.respond(204, [("x-amzn-RequestId", request.request_id)])
            return
        headers = request.exchange.headers
        # By position, in the order of the fields: names would cost as much again.
        call = Call(
            own_request_id(headers.get("x-amzn-requestid")) or request.request_id,
            InvocationKind.REQUEST_RESPONSE,
            reference.key,
            reference.qualifier,
            event,
            headers.get("x-amzn-trace-id"),
            params.get("TenantId", ""),
            params["ClientContext"],
            params.get("LogType") == "Tail",
            mode.streams,
        )
        self._invoker.run(call, route, partial(mode.make_reply, request))

    def _check_event(
        self, function: FunctionVersion, params: Mapping[str, Any], event: bytes
    ) -> None:
        """Raises `ApiError` unless the event can be queued."""
        mode = self._mode
        refuse_error(tenant_error(function, params.get("TenantId", "")))
        if mode.event_response is None:
            raise invalid_parameter("InvocationType Event is not supported by this operation.")
        if len(event) > mode.event_bytes_max:
            raise ApiError(
                "RequestTooLargeException",
                f"Request must be smaller than {mode.event_bytes_max} bytes for the InvokeFunction"
                " operation",
                status=413,
            )

    def _accept(
        self,
        request: Request,
        reference: FunctionReference,
        params: Mapping[str, Any],
        event: bytes,
    ) -> None:
        """Queue the event, and respond when it is on disk. Raises `ApiError`."""
        headers = request.exchange.headers
        request_id = own_request_id(headers.get("x-amzn-requestid")) or request.request_id

        def on_kept(failure: Exception | None) -> None:
            if isinstance(failure, ApiError):
                request.refuse(failure)
                return
            if failure is not None:
                logger.error("cannot keep the event %s: %s", request_id, failure)
                request.refuse(
                    ApiError("ServiceException", "The event could not be kept.", status=500)
                )
                return
            request.exchange.respond(
                202,
                [("Content-Type", "application/json"), ("x-amzn-RequestId", request_id)],
                self._mode.event_response or b"",
            )

        self._queue.offer(
            reference.key,
            reference.qualifier,
            event,
            request_id=request_id,
            trace_id=trace_id_of(headers.get("x-amzn-trace-id")),
            tenant_id=params.get("TenantId", ""),
            on_kept=on_kept,
        )


INVOKE = InvokeMode(make_reply=InvokeReply)
INVOKE_WITH_RESPONSE_STREAM = InvokeMode(make_reply=StreamReply, streams=True, event_response=None)
INVOKE_ASYNC = InvokeMode(
    make_reply=InvokeReply,
    is_always_event=True,
    event_response=b'{"Status":202}',
    event_bytes_max=LEGACY_EVENT_BYTES_MAX,
)
