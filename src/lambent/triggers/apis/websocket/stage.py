"""A stage of a WebSocket API as it runs: what serves the events of its connections."""

from collections.abc import Callable
from typing import Any

from websockets.frames import Close

from lambent.kit.http.messages import Exchange
from lambent.model.document import Root
from lambent.triggers.apis.api import Stage
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.request import ApiRequest, new_extended_id
from lambent.triggers.apis.websocket.answers import (
    FAILED,
    FORBIDDEN,
    THROTTLED,
    Answer,
    message_of,
)
from lambent.triggers.apis.websocket.connecting import Connecting
from lambent.triggers.apis.websocket.events import Connection, RouteRequest, disconnect_headers
from lambent.triggers.apis.websocket.handshake import (
    VERSION,
    accept_headers,
    is_offered,
)
from lambent.triggers.apis.websocket.records import record
from lambent.triggers.apis.websocket.routes import (
    DEFAULT,
    DISCONNECT,
    Route,
    compile_stage,
)
from lambent.triggers.apis.websocket.sessions import Session, Sessions

Manage = Callable[[Exchange, Root, str, str], None]
"""Serves a request of the management API, given the API, the stage and the connection's id, which
is still percent-encoded."""
_MANAGED = ("/@connections/", "/%40connections/")


class WebSocketStage:
    """See the module."""

    def __init__(
        self, stage: Stage, context: ApiContext, sessions: Sessions, manage: Manage
    ) -> None:
        self._stage = compile_stage(stage, context)
        self._sessions = sessions
        self._manage = manage

    # -- clients that connect ------------------------------------------------------------------

    def handle(self, request: ApiRequest) -> None:
        """See `ServedStage`."""
        stage, exchange, path = self._stage, request.exchange, request.path
        for prefix in _MANAGED:
            if path.startswith(prefix):
                self._manage(exchange, stage.root, stage.name, path.removeprefix(prefix))
                return
        if not is_offered(exchange):
            exchange.respond(426, [("Upgrade", "websocket"), *_JSON], _UPGRADE)
        elif exchange.headers.get(VERSION[0].lower()) != VERSION[1]:
            exchange.respond(426, [VERSION, *_JSON], _UPGRADE)
        elif path != "/":
            exchange.respond(403, _JSON, message_of(FORBIDDEN, "", request.extended_id))
        elif (accept := accept_headers(exchange)) is None:
            exchange.respond(400, _JSON, b'{"message": "Bad Request"}')
        else:
            Connecting(stage, self._sessions, request, accept).begin()

    # -- messages ------------------------------------------------------------------------------

    def message(self, session: Session, text: str, body: Any) -> None:
        """Serve a message; `body` is its JSON, None if it is none."""
        route = self._stage.choose(body)
        request = RouteRequest(
            connection=session.connection,
            route_key=DEFAULT if route is None else route.key,
            kind="MESSAGE",
            request_id=new_extended_id(),
            now=self._stage.context.clock.now(),
            message_id=new_extended_id(),
            body=text,
            stage_variables=self._stage.variables,
        )

        def done(answer: Answer) -> None:
            record(self._stage.log, request, answer, self._stage.context.clock.now())
            if answer.error:
                connection = session.connection
                session.send(message_of(answer.error, connection.id, request.request_id))
            elif route is not None and route.answers and answer.body:
                session.send(answer.body)
            session.done()

        if route is None:
            done(Answer(403, error=FORBIDDEN))
        elif not self._stage.admits(route):
            done(Answer(429, error=THROTTLED))
        else:
            _run(route, request, done)

    # -- clients that are gone -----------------------------------------------------------------

    def disconnected(self, connection: Connection, how: Close, done: Callable[[], None]) -> None:
        """Serve the end of a connection; `done` is called when that is over."""
        route = self._stage.routes.get(DISCONNECT)
        if route is None or route.integration is None:
            done()
            return
        request = RouteRequest(
            connection=connection,
            route_key=DISCONNECT,
            kind="DISCONNECT",
            request_id=new_extended_id(),
            now=self._stage.context.clock.now(),
            how_it_ended=how,
            headers=disconnect_headers(connection),
            stage_variables=self._stage.variables,
        )

        def ended(answer: Answer) -> None:
            record(self._stage.log, request, answer, self._stage.context.clock.now())
            done()

        _run(route, request, ended)


_JSON = [("Content-Type", "application/json")]
_UPGRADE = b'{"message": "Upgrade Required"}'


def _run(route: Route, request: RouteRequest, done: Callable[[Answer], None]) -> None:
    """Have the integration of a route serve an event."""
    if route.integration is None:
        done(FAILED)
    else:
        route.integration.run(request, done)
