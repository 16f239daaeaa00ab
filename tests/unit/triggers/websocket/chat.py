"""A WebSocket API in a data plane whose functions are part of the test, and clients of it."""

import dataclasses
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from lambent.assembly.websocket_apis import open_websocket_apis
from lambent.gateway.authorization import Authorization
from lambent.gateway.dispatch import Dispatcher
from lambent.model.document import Body, Root
from lambent.model.peers import NoPeers
from lambent.telemetry.queries import Bounds
from lambent.triggers.apis.websocket.sessions import Sessions
from tests.unit.triggers.apis.serving import ACCOUNT, REGION, SETTINGS, Function, Served, serving

API = "wsapi12345"
ROOT = Root("apigatewayv2", ACCOUNT, REGION, API)
HOST = f"{API}.execute-api.{REGION}.localhost"
GOOD: Mapping[str, Any] = {"statusCode": 200}
ANSWERS = {"route": {"RouteResponseSelectionExpression": "$default"}}
"""Of a route whose clients get what the function returns."""


@dataclasses.dataclass
class Chat:
    """The API, and the events that its functions got."""

    served: Served
    sessions: Sessions
    events: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    arrived: threading.Condition = dataclasses.field(default_factory=threading.Condition)

    def function(self, name: str, function: Function) -> str:
        """Deploy a function whose events are recorded; returns its ARN."""

        def recorded(event: dict[str, Any]) -> Any:
            with self.arrived:
                self.events.append(event)
                self.arrived.notify_all()
            return function(event)

        return self.served.function(name, recorded)

    def deploy(
        self,
        routes: Mapping[str, Body | str],
        *,
        api: Body | None = None,
        stage: Body | None = None,
        more: Mapping[tuple[str, str], Body] | None = None,
        name: str = "test",
    ) -> None:
        """Deploy routes. A route is a function's ARN, or the body of its integration and, in
        `route`, members of its own."""
        documents: list[list[Any]] = [
            [
                "api",
                API,
                {
                    "ProtocolType": "WEBSOCKET",
                    "RouteSelectionExpression": "$request.body.action",
                    **(api or {}),
                },
            ]
        ]
        for number, (key, given) in enumerate(routes.items()):
            body = {"IntegrationUri": given} if isinstance(given, str) else dict(given)
            route = body.pop("route", {})
            documents.append(
                ["route", f"r{number}", {"RouteKey": key, "Target": f"integrations/i{number}"}]
            )
            documents[-1][2].update(route)
            if "RouteResponseSelectionExpression" in route:
                documents.append(
                    ["route_response", f"r{number}/x", {"RouteResponseKey": "$default"}]
                )
            documents.append(["integration", f"i{number}", {"IntegrationType": "AWS_PROXY"} | body])
        documents += [[kind, id, body] for (kind, id), body in (more or {}).items()]
        deployment = {"Snapshot": documents}
        self.served.put(
            ROOT,
            ("api", API, documents[0][2]),
            ("deployment", "d1", deployment),
            ("stage", name, {"DeploymentId": "d1", **(stage or {})}),
        )

    def client(self, path: str = "/test", host: str = HOST, **options: Any) -> ClientConnection:
        """Connect. Raises as `websockets.connect` does."""
        return connect(
            f"ws://{host}{path}",
            sock=socket.create_connection(("127.0.0.1", self.served.port)),
            open_timeout=20,
            close_timeout=5,
            compression=None,
            proxy=None,
            **options,
        )

    def refused(self, path: str = "/test", **options: Any) -> int:
        """The status with which a client is refused."""
        with pytest.raises(InvalidStatus) as refused, self.client(path, **options):
            pass
        return refused.value.response.status_code

    def thread(self, run: Callable[[], None]) -> threading.Thread:
        """Run something at the same time."""
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds, with a deadline."""
        deadline = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.01)  # noqa: TID251 - a poll of another thread

    def log_lines(self, group: str) -> list[str]:
        """The messages in a log group."""

        async def read() -> list[str]:
            logs = self.served.logs
            bounds = Bounds(start_ms=0, end_ms=1 << 60, events_max=1000, bytes_max=1 << 20)
            lines: list[str] = []
            for name in await logs.stream_names(ACCOUNT, REGION, group) or ():
                page = logs.stream_page(ACCOUNT, REGION, group, name, bounds, 0, is_forward=True)
                lines += [event.message.decode().rstrip() for event in await page]
            return lines

        return self.served.portal.call(read)

    def wait(self, count: int) -> list[dict[str, Any]]:
        """The events, when so many have arrived."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.events) >= count, 20), self.events
        return self.events

    def management(self, stage: str = "test", key: str = ACCOUNT) -> Any:
        """A client of the management API."""
        return boto3.client(
            "apigatewaymanagementapi",
            endpoint_url=f"http://127.0.0.1:{self.served.port}/_lambent/api/{API}/{stage}",
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}),
        )


@contextmanager
def chatting(directory: Path, *, connections_max: int = 8192, **options: Any) -> Iterator[Chat]:
    """A data plane that serves WebSocket APIs; `options` are those of `serving`."""
    settings = dataclasses.replace(SETTINGS, connections_max=connections_max)
    kept: list[Any] = []
    with ExitStack() as stack:
        served = stack.enter_context(serving(directory, kept.append, **options))
        (apis,) = kept
        dispatcher = Dispatcher(Authorization(apis.context.authorizer, None))
        opened = open_websocket_apis(settings, served.store, NoPeers(), dispatcher, apis)
        sessions = stack.enter_context(served.portal.wrap_async_context_manager(opened))
        yield Chat(served, sessions)


def text_of(client: ClientConnection) -> str:
    """The next message."""
    message = client.recv(timeout=20)
    assert isinstance(message, str)
    return message


def json_of(client: ClientConnection) -> Any:
    """The next message, which is JSON."""
    return json.loads(text_of(client))
