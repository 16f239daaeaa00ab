"""WebSocket APIs: the kind of API whose clients stay connected.

| module | what it does |
|---|---|
| `kind.py` | finds the stage of a request, a message or a connection that has ended |
| `stage.py`, `routes.py` | a stage as it runs; how it is compiled from its snapshot |
| `connecting.py`, `handshake.py` | a client that connects |
| `sessions.py` | the clients that are connected; their management |
| `socket.py`, `outgoing.py`, `limits.py` | the protocol of one connection, with its limits |
| `events.py`, `selection.py`, `answers.py` | events, keys of routes, results: no I/O |
| `integrations.py` | what serves the events |
| `mapped.py`, `mapping.py`, `backends.py` | templates and mappings; what is behind them |

A message is served by the stage as it is deployed at that moment, not as it was when the client
connected. As in AWS, messages of one client are served concurrently, and nothing keeps their order.
"""

from functools import partial
from typing import Any

import anyio
from websockets.frames import Close

from lambent.kit.computing import LOOP_BYTES_MAX, read_wherever
from lambent.kit.http.messages import Exchange
from lambent.kit.strict_json import parse_loosely
from lambent.kit.tasks import start_task
from lambent.triggers.apis.api import Api, Stage
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.directory import ApiDirectory, ServedApi, Unread
from lambent.triggers.apis.request import new_extended_id
from lambent.triggers.apis.websocket.answers import FORBIDDEN, INTERNAL_ERROR, message_of
from lambent.triggers.apis.websocket.events import Connection
from lambent.triggers.apis.websocket.sessions import Session, Sessions
from lambent.triggers.apis.websocket.socket import GOING_AWAY
from lambent.triggers.apis.websocket.stage import Manage, WebSocketStage


class WebSocketApis:
    """Serves all WebSocket APIs. See `ApiKind` and `Routes`."""

    def __init__(
        self, directory: ApiDirectory, context: ApiContext, sessions: Sessions, manage: Manage
    ) -> None:
        self._directory = directory
        self._context = context
        self._sessions = sessions
        self._manage = manage
        self._ending = 0
        """Clients that are gone, and whose `$disconnect` is being served."""
        self._all_ended = anyio.Event()
        sessions.routes = self

    # -- the kind ------------------------------------------------------------------------------

    def choose_stage(self, api: Api, path: str) -> tuple[str, str] | None:
        """See `ApiKind`: the first segment is the stage."""
        name, _, rest = path[1:].partition("/")
        return (name, f"/{rest}") if name in api.stages else None

    def compile(self, stage: Stage) -> WebSocketStage:
        """See `ApiKind`."""
        return WebSocketStage(stage, self._context, self._sessions, self._manage)

    def refuse(self, exchange: Exchange, status: int) -> None:
        """See `ApiKind`: 403 also for a stage that does not exist, as in AWS."""
        status = 403 if status == 404 else status
        error = FORBIDDEN if status == 403 else INTERNAL_ERROR
        body = message_of(error, "", "")
        exchange.respond(status, [("Content-Type", "application/json")], body)

    # -- messages ------------------------------------------------------------------------------

    def message(self, session: Session, text: str) -> None:
        """See `Routes`."""
        api = self._directory.get_nowait(session.connection.api_id)
        if isinstance(api, Unread) or len(text) > LOOP_BYTES_MAX:
            failed = partial(_fail, session)
            start_task(self._context.tasks, failed, self._slowly, session, text)
        else:
            self._serve(session, api, text, _json_of(text))

    async def _slowly(self, session: Session, text: str) -> None:
        body = await read_wherever(_json_of, text, data=text.encode())
        api = await self._directory.get(session.connection.api_id)
        self._serve(session, api, text, body)

    def _serve(self, session: Session, api: ServedApi | None, text: str, body: Any) -> None:
        stage = _stage_of(api, session.connection)
        if stage is None:
            session.socket.close(GOING_AWAY)
            session.done()
        else:
            stage.message(session, text, body)

    # -- connections that have ended -----------------------------------------------------------

    def disconnected(self, connection: Connection, how: Close) -> None:
        """See `Routes`."""
        self._ending += 1
        api = self._directory.get_nowait(connection.api_id)
        if isinstance(api, Unread):
            tasks = self._context.tasks
            start_task(tasks, lambda _: self._ended(), self._end_slowly, connection, how)
        else:
            self._end(api, connection, how)

    async def _end_slowly(self, connection: Connection, how: Close) -> None:
        self._end(await self._directory.get(connection.api_id), connection, how)

    def _end(self, api: ServedApi | None, connection: Connection, how: Close) -> None:
        stage = _stage_of(api, connection)
        if stage is None:
            self._ended()
        else:
            stage.disconnected(connection, how, self._ended)

    def _ended(self) -> None:
        self._ending -= 1
        if not self._ending:
            self._all_ended.set()

    async def drain(self, deadline_s: float) -> None:
        """Wait until every client that is gone has had its `$disconnect`, at most so long."""
        with anyio.move_on_after(deadline_s):
            while self._ending:
                self._all_ended = anyio.Event()
                await self._all_ended.wait()

    async def has_stage(self, api_id: str, stage: str) -> bool:
        """Whether an API serves a stage."""
        api = await self._directory.get(api_id)
        return api is not None and stage in api.api.stages


def _fail(session: Session, _: Exception) -> None:
    """Tell a client that its message was not served."""
    session.send(message_of(INTERNAL_ERROR, session.connection.id, new_extended_id()))
    session.done()


def _stage_of(api: ServedApi | None, connection: Connection) -> WebSocketStage | None:
    stage = None if api is None else api.stage(connection.stage)
    return stage if isinstance(stage, WebSocketStage) else None


def _json_of(text: str) -> Any:
    """The JSON of a message; None if it is none."""
    try:
        return parse_loosely(text)
    except ValueError:
        return None
