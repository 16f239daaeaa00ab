"""Runs the functions of a cache behavior: of Lambda at all four events, or CloudFront functions at
those of the viewer.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from lambent.identity.authorizer import Authorizer
from lambent.identity.service_roles import ServiceRoles
from lambent.invocation.call import Call
from lambent.invocation.invoker import Invoker
from lambent.kit.computing import computed, read_wherever
from lambent.kit.ids import new_request_id
from lambent.model.errors import ApiError
from lambent.model.invocation import InvocationKind, Succeeded
from lambent.model.limits import SYNCHRONOUS_EVENT_BYTES_MAX
from lambent.model.traces import trace_id_of
from lambent.triggers.edge import function_events, lambda_results
from lambent.triggers.edge.distribution import (
    Behavior,
    Distribution,
    EdgeFunction,
    EdgeLambda,
    Origin,
)
from lambent.triggers.edge.errors import (
    FUNCTION_INVALID,
    LAMBDA_INVALID,
    LAMBDA_THROTTLED,
    EdgeFailure,
)
from lambent.triggers.edge.function_runs import FunctionRuns
from lambent.triggers.edge.lambda_events import (
    describe_body,
    describe_origin,
    describe_request,
    describe_response,
    make_event,
)
from lambent.triggers.edge.messages import Answer, EdgeRequest, HeaderItems, Whole
from lambent.triggers.edge.origin_changes import changed_origin

EDGE_SERVICE = "edgelambda.amazonaws.com"


@dataclasses.dataclass(frozen=True, slots=True)
class ForOrigin:
    """A request on its way to an origin."""

    uri: str
    query: str
    headers: HeaderItems
    """Without those that are configured for the origin, with `Host`."""
    body: bytes
    origin: Origin


class Triggers:
    """See the module. All methods raise `EdgeFailure`."""

    def __init__(
        self, invoker: Invoker, authorizer: Authorizer, roles: ServiceRoles, runs: FunctionRuns
    ) -> None:
        self._invoker = invoker
        self._authorizer = authorizer
        self._roles = roles
        self._runs = runs

    async def viewer_request(
        self, distribution: Distribution, behavior: Behavior, request: EdgeRequest
    ) -> Answer | None:
        """Run the function for a viewer's request, which it may change. Returns the response if it
        makes one."""
        kind = "viewer-request"
        function = behavior.functions.get(kind)
        if function is not None:
            event = function_events.make_event(distribution, kind, request)
            result = await self._run(distribution, function, event, kind, request, request.headers)
            if isinstance(result, function_events.MadeResponse):
                return _made(result.status, result.headers, result.body, "FunctionGenerated")
            request.uri, request.query, request.headers = result
            return None
        edge = behavior.lambdas.get(kind)
        if edge is None:
            return None
        described: dict[str, Any] = describe_request(request, request.headers, request.query)
        if edge.has_body:
            described["body"] = await computed(describe_body, request.body, kind)
        payload = await self._call(distribution, edge, kind, request, {"request": described})
        changed = await read_wherever(
            lambda_results.read_request_result,
            payload,
            kind,
            request.method,
            request.headers,
            data=payload,
        )
        if isinstance(changed, lambda_results.MadeResponse):
            return _made(changed.status, changed.headers, changed.body, "LambdaGenerated")
        request.uri, request.query, request.headers = changed[:3]
        if changed.body is not None and edge.has_body:
            request.body = changed.body
        return None

    async def origin_request(
        self,
        distribution: Distribution,
        behavior: Behavior,
        request: EdgeRequest,
        sent: ForOrigin,
    ) -> ForOrigin | Answer:
        """Run the function for a request to an origin; returns the request as it is sent, or the
        response if the function makes one."""
        kind = "origin-request"
        edge = behavior.lambdas.get(kind)
        if edge is None:
            return sent
        origin = describe_origin(sent.origin, is_secure=request.is_secure)
        described: dict[str, Any] = {
            **describe_request(request, sent.headers, sent.query),
            "uri": sent.uri,
            "origin": origin,
        }
        if edge.has_body:
            described["body"] = await computed(describe_body, sent.body, kind)
        payload = await self._call(distribution, edge, kind, request, {"request": described})
        changed = await read_wherever(
            lambda_results.read_request_result,
            payload,
            kind,
            request.method,
            sent.headers,
            origin,
            data=payload,
        )
        if isinstance(changed, lambda_results.MadeResponse):
            return _made(changed.status, changed.headers, changed.body, "LambdaGenerated")
        target = sent.origin
        if changed.origin is not None:
            target = changed_origin(changed.origin, sent.origin)
        body = sent.body if changed.body is None or not edge.has_body else changed.body
        return ForOrigin(changed.uri, changed.query, changed.headers, body, target)

    async def response(
        self,
        kind: str,
        distribution: Distribution,
        behavior: Behavior,
        request: EdgeRequest,
        answer: Answer,
    ) -> None:
        """Run the function for a response, which it may change: `origin-response` or
        `viewer-response`."""
        is_viewer = kind == "viewer-response"
        function = behavior.functions.get(kind)
        if function is not None:
            event = function_events.make_event(
                distribution, kind, request, (answer.status, answer.headers)
            )
            result = await self._run(distribution, function, event, kind, request, answer.headers)
            assert isinstance(result, function_events.MadeResponse)
            answer.status, answer.headers = result.status, result.headers
            if result.body is not None:
                answer.content = Whole(result.body)
            return
        edge = behavior.lambdas.get(kind)
        if edge is None:
            return
        payload = await self._call(
            distribution,
            edge,
            kind,
            request,
            {
                "request": describe_request(request, request.headers, request.query),
                "response": describe_response(answer.status, answer.headers),
            },
        )
        made = await read_wherever(
            lambda_results.read_response_result, payload, kind, answer.headers, data=payload
        )
        answer.headers = made.headers
        if is_viewer:
            return  # It cannot change the status, and has no body.
        answer.status = made.status
        if made.body is not None:
            answer.content = Whole(made.body)

    async def _run(
        self,
        distribution: Distribution,
        function: EdgeFunction,
        event: Mapping[str, Any],
        kind: str,
        request: EdgeRequest,
        headers: HeaderItems,
    ) -> function_events.ChangedRequest | function_events.MadeResponse:
        """Run a CloudFront Function, which gets a message with these headers."""
        run = await self._runs.run(distribution.account, function, event)
        if run.error:
            raise _function_failed()
        try:
            return function_events.read_result(run.output, kind, request.method, headers)
        except function_events.InvalidResult as error:
            raise _function_failed() from error

    async def _call(
        self,
        distribution: Distribution,
        edge: EdgeLambda,
        kind: str,
        request: EdgeRequest,
        described: Mapping[str, Any],
    ) -> bytes:
        """What a function of Lambda returns."""
        event = make_event(distribution, kind, request.id, **described)
        if len(event) > SYNCHRONOUS_EVENT_BYTES_MAX:
            raise EdgeFailure(502, LAMBDA_INVALID, "LambdaExecutionError")
        await self._check(distribution, edge)
        call = Call(
            request_id=new_request_id(),
            kind=InvocationKind.SERVICE,
            key=edge.key,
            qualifier=edge.version,
            event=event,
            trace_header=trace_id_of(request.header("x-amzn-trace-id")),
        )
        outcome = (await self._invoker.call(call)).outcome
        if outcome.is_throttled:
            raise EdgeFailure(503, LAMBDA_THROTTLED, "LambdaLimitExceeded")
        if not isinstance(outcome, Succeeded):
            raise EdgeFailure(503, LAMBDA_INVALID, "LambdaExecutionError")
        return outcome.payload

    async def _check(self, distribution: Distribution, edge: EdgeLambda) -> None:
        """A strict platform asks whether the role of the function still trusts Lambda@Edge."""
        if not self._authorizer.is_strict:
            return
        try:
            version = await self._invoker.resolve(edge.key, edge.version)
            self._roles.assume(version.role, EDGE_SERVICE, edge.key.scope, distribution.id)
        except ApiError as error:
            raise EdgeFailure(503, LAMBDA_INVALID, "LambdaExecutionError") from error


def _function_failed() -> EdgeFailure:
    """The page does not say the reason: it may quote what is secret. TestFunction says it."""
    return EdgeFailure(503, FUNCTION_INVALID, "FunctionExecutionError")


def _made(status: int, headers: HeaderItems, body: bytes | None, by: str) -> Answer:
    return Answer(status, headers, Whole(body or b""), f"{by}Response")
