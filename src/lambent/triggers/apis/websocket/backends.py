"""What is behind the templates of an integration: a function, a server, another service, or
nothing."""

from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import urlencode

import anyio

from lambent.kit.ids import new_request_id
from lambent.kit.strict_json import parse_loosely
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.model.invocation import Refused, Succeeded
from lambent.model.names import FunctionReference
from lambent.triggers.apis.backends.exchange import BackendError, BackendResponse, Prepared
from lambent.triggers.apis.backends.server import HOP_BY_HOP, Server
from lambent.triggers.apis.backends.service import Service
from lambent.triggers.apis.calls import ApiCall, FunctionCalls
from lambent.triggers.apis.websocket.answers import BAD_RESULT, FAILED, Answer
from lambent.triggers.apis.websocket.events import RouteRequest

_INVOCATION_TYPE = "x-amz-invocation-type"
_CONFIGURED_WRONG: Final = "API_CONFIGURATION_ERROR"


class Failed(Exception):
    """A backend failed; the answer says how."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.error)
        self.answer = answer


class Backend(Protocol):
    """See the module."""

    async def call(self, prepared: Prepared, request: RouteRequest) -> BackendResponse:
        """Send a request; returns what came back. Raises `Failed`, `BackendError` and
        TimeoutError."""
        ...


class NoBackend:
    """`MOCK`: the template itself says which status the backend would return."""

    async def call(self, prepared: Prepared, request: RouteRequest) -> BackendResponse:
        """See `Backend`."""
        try:
            document = parse_loosely(prepared.body)
        except ValueError:
            raise Failed(FAILED) from None
        status = document.get("statusCode") if isinstance(document, dict) else None
        if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
            raise Failed(FAILED)
        return BackendResponse(status, {}, prepared.body)


class FunctionBackend:
    """`AWS` with a function: what the template makes is the event, and the result is the body."""

    def __init__(
        self,
        calls: FunctionCalls,
        scope: Scope,
        function: FunctionReference,
        source_arn: str,
        role: str | None,
        timeout_s: float,
    ) -> None:
        self._calls = calls
        self._scope = scope
        self._function = function
        self._source_arn = source_arn
        self._role = role
        self._timeout_s = timeout_s

    async def call(self, prepared: Prepared, request: RouteRequest) -> BackendResponse:
        """See `Backend`."""
        event = prepared.body or b"{}"
        try:
            parse_loosely(event)
        except ValueError:
            raise BackendError(_CONFIGURED_WRONG, "The event is not JSON.") from None
        call = ApiCall(
            scope=self._scope,
            function=self._function,
            source_arn=self._source_arn,
            event=event,
            request_id=new_request_id(),
            trace_id=request.connection.trace_id,
            role=self._role,
        )
        kind = prepared.header(_INVOCATION_TYPE) or "RequestResponse"
        if kind == "Event":
            return await self._keep(call)
        if kind != "RequestResponse":
            detail = f"The invocation type {kind[:32]!r} is not supported."
            raise BackendError(_CONFIGURED_WRONG, detail)
        outcome = await self._calls.call(call, deadline_s=self._timeout_s)
        if isinstance(outcome, Succeeded):
            return BackendResponse(200, {}, outcome.payload)
        raise Failed(FAILED if isinstance(outcome, Refused) else BAD_RESULT)

    async def _keep(self, call: ApiCall) -> BackendResponse:
        """Have the function called later."""
        try:
            with anyio.fail_after(self._timeout_s):
                await self._calls.keep(call)
        except ApiError as error:
            raise BackendError(_CONFIGURED_WRONG, error.message) from None
        return BackendResponse(202, {}, b"")


class ServerBackend:
    """`HTTP` and `HTTP_PROXY`: a server gets the message as the body of a request. The server of a
    proxy also gets the headers and the query of a client that connects."""

    def __init__(self, server: Server, method: str, *, is_proxy: bool) -> None:
        self._server = server
        self._method = method
        self._is_proxy = is_proxy

    async def call(self, prepared: Prepared, request: RouteRequest) -> BackendResponse:
        """See `Backend`."""
        given = prepared.parameters
        headers: Mapping[str, str] = {"Content-Type": prepared.content_type}
        query: Mapping[str, object] = given["querystring"]
        via = ""
        if self._is_proxy and request.kind == "CONNECT":
            sent = request.parameters()
            via = sent.header("via") or ""
            headers = {
                name: ",".join(values)
                for name, values in sent.headers.items()
                if name.lower() not in HOP_BY_HOP
            }
            query = {**sent.query, **given["querystring"]}
        return await self._server.exchange(
            self._server.request(
                self._method,
                {**headers, **given["header"]},
                urlencode(query, doseq=True),
                given["path"],
                prepared.body,
                via=via,
            )
        )


class ServiceBackend:
    """`AWS` with another service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def call(self, prepared: Prepared, request: RouteRequest) -> BackendResponse:
        """See `Backend`."""
        return await self._service.exchange(self._service.request(prepared))
