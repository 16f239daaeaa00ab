"""One request to an HTTP API, from its arrival to its response."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from lambent.identity.authorizer import Caller
from lambent.model.document import Body
from lambent.triggers.apis.authorizers.decisions import Decision
from lambent.triggers.apis.front import respond_message
from lambent.triggers.apis.request import ApiRequest
from lambent.triggers.cors import Headers, with_cors

NOTHING: Mapping[str, str] = {}
WriteLog = Callable[["HttpCall"], None]
_WITHOUT_BODY = frozenset({204, 304})


class HttpCall:
    """What is known of a request, and the only way to its response: CORS headers, the request ID
    and the access log are added here."""

    # What many requests never change. Here, because assignments would cost time in each.
    route_key = ""
    """Empty while no route has been found."""
    parameters = NOTHING
    """The values of the variables in the route's path."""
    decision: Decision | None = None
    """The authorizer's; None if the route has none."""
    is_done = False
    """Whether the response was sent, or at least its head."""
    status = 0
    response_bytes = 0
    integration_status: int | None = None
    integration_error: str | None = None
    integration_started = integration_ended = 0.0
    """Epoch seconds; 0 if that has not happened."""
    error_message: str | None = None
    """The message of an error of API Gateway."""

    def __init__(self, request: ApiRequest, cors: Body | None, write_log: WriteLog | None) -> None:
        self.request = request
        self._cors = cors
        self._write_log = write_log
        path = request.path
        self.path = unquote(path, errors="replace") if "%" in path else path
        """The path without the stage, percent-decoded."""

    @property
    def stage_prefix(self) -> str:
        """What the path begins with in events: `/dev`; empty for `$default`."""
        name = self.request.stage.name
        return "" if name == "$default" else f"/{name}"

    @property
    def caller(self) -> Caller | None:
        """Who signed the request, if the route asks for it."""
        return None if self.decision is None else self.decision.caller

    @property
    def authorizer_values(self) -> Mapping[str, Any]:
        """What the authorizer says, for `$context.authorizer`."""
        return {} if self.decision is None else self.decision.values

    def respond(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """Send the response. Does nothing if there is one already."""
        if self.is_done:
            return
        self._begin(status)
        if status in _WITHOUT_BODY:
            body = b""
        self.request.exchange.respond(status, self._headers(headers), body)
        self.ended(len(body))

    def respond_as_is(self, status: int, headers: Headers) -> None:
        """Send a response to a preflight: its CORS headers are there already."""
        self._begin(status)
        headers = [*headers, ("apigw-requestid", self.request.extended_id)]
        self.request.exchange.respond(status, headers)
        self.ended(0)

    def refuse(self, status: int, message: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Send an error of API Gateway."""
        if self.is_done:
            return
        self._begin(status)
        self.error_message = message
        respond_message(self.request.exchange, status, message, self._headers(list(headers)))
        self.ended(len(message) + 14)

    def fail(self, _: Exception | None = None) -> None:
        """Send 500: the integration failed, or something here did. A response that was begun is
        broken off."""
        if self.is_done:
            self.request.exchange.abort()
        else:
            self.refuse(500, "Internal Server Error")

    def abandoned(self) -> None:
        """The client has gone, and there is no response: the access log has no status."""
        if not self.is_done:
            self._begin(0)
            self.integration_error = "The client has disconnected."
            self.ended(0)

    def start(self, status: int, headers: Headers, *, length: int | None) -> None:
        """Begin a response that is sent in chunks through the exchange; `ended` follows."""
        self._begin(status)
        self.request.exchange.start(status, self._headers(headers), length=length)

    def ended(self, response_bytes: int) -> None:
        """The response is complete: write the access log."""
        self.response_bytes = response_bytes
        if self._write_log is not None:
            self._write_log(self)

    def _begin(self, status: int) -> None:
        self.is_done = True
        self.status = status

    def _headers(self, headers: Headers) -> Headers:
        request = self.request
        if self._cors is not None:
            headers = with_cors(self._cors, request.exchange.headers, headers)
        return [*headers, ("apigw-requestid", request.extended_id)]
