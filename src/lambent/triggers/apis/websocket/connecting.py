"""How a client connects: authorization, the `$connect` route, and the switch to a WebSocket.

The client waits for all of this. Only then it is connected; until then no message can be sent to
it."""

import dataclasses

from websockets.frames import Close

from lambent.identity.authorizer import Access
from lambent.kit.http.messages import Exchange
from lambent.kit.tasks import start_task
from lambent.model.errors import ApiError
from lambent.triggers.apis.request import ApiRequest
from lambent.triggers.apis.websocket.answers import (
    FAILED,
    FORBIDDEN,
    THROTTLED,
    UNAVAILABLE,
    Answer,
    message_of,
)
from lambent.triggers.apis.websocket.authorizing import FunctionAuthorizer
from lambent.triggers.apis.websocket.events import Connection, RouteRequest, connect_headers
from lambent.triggers.apis.websocket.handshake import new_connection_id, offered_protocols
from lambent.triggers.apis.websocket.records import record
from lambent.triggers.apis.websocket.routes import CONNECT, CompiledStage, Route
from lambent.triggers.apis.websocket.sessions import Session, Sessions

_IDLE_S = 660.0
"""When no byte of a connection has moved for so long, the server cuts it, whatever its socket
does."""
_GONE = Close(1006, "The client left before it was connected")


class Connecting:
    """A client that is not connected yet."""

    def __init__(
        self,
        stage: CompiledStage,
        sessions: Sessions,
        request: ApiRequest,
        accept: list[tuple[str, str]],
    ) -> None:
        """`accept` are the headers that accept the offer of the client."""
        self._stage = stage
        self._sessions = sessions
        self._exchange = request.exchange
        self._accept = accept
        connection = _connection(stage, request, sessions.node)
        self._event = RouteRequest(
            connection=connection,
            route_key=CONNECT,
            kind="CONNECT",
            request_id=request.extended_id,
            now=request.received,
            headers=connect_headers(request.exchange, connection),
            query=request.exchange.query,
            stage_variables=stage.variables,
        )

    def begin(self) -> None:
        """Connect, or respond with the reason why not."""
        has_room = self._sessions.has_room
        self._sessions.pending += 1
        route = self._stage.routes.get(CONNECT)
        if not has_room:
            self._end(Answer(503, error=UNAVAILABLE))
        elif not self._stage.admits(route):
            self._end(Answer(429, error=THROTTLED))
        elif route is None:
            self._end(Answer(200))
        elif route.needs_key:
            self._end(Answer(403, error=FORBIDDEN))
        elif route.authorization == "NONE":
            self._integrate(route)
        else:
            tasks = self._stage.context.tasks
            start_task(tasks, lambda _: self._end(FAILED), self._authorize, route)

    async def _authorize(self, route: Route) -> None:
        refused: Answer | None = FAILED
        if route.authorization == "AWS_IAM":
            refused = await self._check_signature(route)
        elif route.authorizer is not None:
            refused = await self._ask(route, route.authorizer)
        if refused is None:
            self._integrate(route)
        else:
            self._end(refused)

    async def _ask(self, route: Route, authorizer: FunctionAuthorizer) -> Answer | None:
        """Why the client may not connect, None if it may."""
        decided = await authorizer.decide(self._event, self._exchange, route.arn)
        if isinstance(decided, Answer):
            return decided
        connection = dataclasses.replace(self._event.connection, authorizer=decided.authorizer)
        self._event = dataclasses.replace(self._event, connection=connection)
        return None

    async def _check_signature(self, route: Route) -> Answer | None:
        """Why the client may not connect, None if it may."""
        authorizer = self._stage.context.authorizer
        try:
            caller = authorizer.authenticate(self._exchange)
            if caller.access_key_id is None:
                return Answer(403, error=FORBIDDEN)
            access = Access("execute-api:Invoke", route.arn, self._stage.root.account)
            await authorizer.check(caller, access)
        except ApiError:
            return Answer(403, error=FORBIDDEN)
        return None

    def _integrate(self, route: Route) -> None:
        if route.integration is None:
            self._end(Answer(200))
        else:
            route.integration.run(self._event, self._end)

    def _end(self, answer: Answer) -> None:
        self._sessions.pending -= 1
        stage, event = self._stage, self._event
        record(stage.log, event, answer, stage.context.clock.now())
        if answer.is_good:
            self._open(answer)
        else:
            self._refuse(answer)

    def _open(self, answer: Answer) -> None:
        headers = list(self._accept)
        protocol = answer.headers.get("sec-websocket-protocol")
        if protocol in offered_protocols(self._exchange):
            headers.append(("Sec-WebSocket-Protocol", protocol))
        session = Session(self._sessions, self._event.connection)
        self._exchange.upgrade("websocket", session.open, headers, idle_deadline_s=_IDLE_S)
        if not session.is_open:
            self._sessions.routes.disconnected(self._event.connection, _GONE)

    def _refuse(self, answer: Answer) -> None:
        event, body = self._event, answer.body
        if answer.error:
            body = message_of(answer.error, event.connection.id, event.request_id)
        kind = answer.headers.get("content-type", "application/json")
        status = answer.status if answer.status >= 200 else 500
        headers = [("Content-Type", kind), ("x-amzn-RequestId", event.request_id)]
        self._exchange.respond(status, headers, body if status not in (204, 304) else b"")


def _connection(stage: CompiledStage, request: ApiRequest, node: int) -> Connection:
    exchange: Exchange = request.exchange
    return Connection(
        id=new_connection_id(node),
        account=stage.root.account,
        api_id=stage.root.id,
        stage=stage.name,
        domain=request.domain,
        connected_at=request.received,
        source_ip=exchange.client_address,
        user_agent=exchange.headers.get("user-agent", ""),
        trace_id=request.trace_id,
    )
