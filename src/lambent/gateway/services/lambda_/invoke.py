"""Invoke, InvokeWithResponseStream and InvokeAsync: the operations that respond without a task.

Everything until an environment has the request is synchronous, and the reply writes the response
when the outcome comes up. Only a function that is not in memory yet, and a large event whose JSON
must be checked off the loop, take a task.
"""

import dataclasses
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

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
from lambent.identity.authorizer import Authorizer
from lambent.invocation.call import Call
from lambent.invocation.checks import state_error, tenant_error
from lambent.invocation.invoker import Invoker
from lambent.kit.computing import LOOP_BYTES_MAX, computed_apart
from lambent.kit.strict_json import fault_of
from lambent.kit.tasks import start_task
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
        self._read: dict[tuple[object, ...], tuple[FunctionReference, Mapping[str, Any]]] = {}
        """What was read of requests before: callers repeat themselves."""

    def handle(self, request: Request) -> None:
        """Respond to one request, now or later. Raises `ApiError`."""
        reference, params = self._read_request(request)
        event = request.exchange.body or b"{}"
        is_allowed = self._authorizer.check_nowait(request.caller, invoke_access(reference))
        function = self._invoker.resolve_nowait(reference.key, reference.qualifier)
        if function is None or not is_allowed or len(event) > LOOP_BYTES_MAX:
            slowly = partial(self._handle_slowly, request, reference, params, event)
            start_task(self._tasks, request.fail, slowly)
            return
        check_json(event)
        call = self._take(request, reference, params, function, event)
        if call is not None:
            is_begun = self._invoker.begin(call, partial(self._mode.make_reply, request))
            assert is_begun, "a function that was in memory still is"

    async def _handle_slowly(
        self,
        request: Request,
        reference: FunctionReference,
        params: Mapping[str, Any],
        event: bytes,
    ) -> None:
        try:
            await self._authorizer.check(request.caller, invoke_access(reference))
            function = await self._invoker.resolve(reference.key, reference.qualifier)
            refuse_fault(await computed_apart(fault_of, event, data=event))
            call = self._take(request, reference, params, function, event)
            if call is not None:
                await self._invoker.start(call, partial(self._mode.make_reply, request))
        except ApiError as error:
            request.refuse(error)

    def _read_request(self, request: Request) -> tuple[FunctionReference, Mapping[str, Any]]:
        """The function meant and the parameters, parsed and validated once per spelling."""
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
            return reference, params
        if len(self._read) >= _READ_REQUESTS_MAX:
            self._read.clear()
        self._read[spelling] = reference, params
        return reference, params

    def _take(
        self,
        request: Request,
        reference: FunctionReference,
        params: Mapping[str, Any],
        function: FunctionVersion,
        event: bytes,
    ) -> Call | None:
        """The call to make now; None for an event, which is queued, and a dry run."""
        mode = self._mode
        if mode.is_always_event or params.get("InvocationType") == "Event":
            self._check_event(function, params, event)
            self._accept(request, reference, params, event)
            return None
        if params.get("InvocationType") == "DryRun":
            refuse_error(tenant_error(function, params.get("TenantId", "")))
            refuse_error(state_error(function))
            request.exchange.respond(204, [("x-amzn-RequestId", request.request_id)])
            return None
        headers = request.exchange.headers
        return Call(
            request_id=own_request_id(headers.get("x-amzn-requestid")) or request.request_id,
            kind=InvocationKind.REQUEST_RESPONSE,
            key=reference.key,
            qualifier=reference.qualifier,
            event=event,
            trace_header=headers.get("x-amzn-trace-id"),
            tenant_id=params.get("TenantId", ""),
            client_context=params["ClientContext"],
            wants_log_tail=params.get("LogType") == "Tail",
            wants_stream=mode.streams,
        )

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
