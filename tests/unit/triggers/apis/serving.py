"""The data plane of APIs in a thread: a real store and front door, and functions that are part of
the test."""

import dataclasses
import http.client
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal

from lambent.assembly.apis import Apis, add_fronts
from lambent.gateway.server import open_front_door, open_gateway
from lambent.gateway.settings import GatewaySettings
from lambent.identity.authorizer import Authorizer
from lambent.identity.keyring import open_keyring
from lambent.identity.service_roles import ServiceRoles
from lambent.invocation.admission import Admission
from lambent.invocation.catalog import Catalog
from lambent.invocation.invoker import Invoker
from lambent.invocation.settings import InvocationSettings
from lambent.kit.clock import SystemClock
from lambent.model.alias import Route
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.document import Body, Root
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.identity import AccessKey, Identity, IdentityKey
from lambent.model.invocation import (
    NOT_RUN,
    FunctionFailed,
    InvocationRequest,
    Outcome,
    Reply,
    Succeeded,
)
from lambent.model.names import FunctionReference
from lambent.model.policy import ResourcePolicy, statements_of
from lambent.sandbox.egress_policy import EgressSettings
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, Transaction, open_store
from lambent.telemetry.logs import LogStore, open_logs
from lambent.telemetry.queries import Bounds
from lambent.telemetry.segments import LogEvent
from lambent.telemetry.settings import TelemetrySettings
from lambent.telemetry.traces.store import open_trace_store
from lambent.triggers.apis.access_logs import AccessLogs
from lambent.triggers.apis.authorizers.issuers import Fetch, Issuers
from lambent.triggers.apis.calls import FunctionCalls
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.directory import ApiDirectory
from lambent.triggers.apis.front import ApiFront
from lambent.triggers.apis.outbound import open_outbound
from lambent.triggers.apis.throttling import Throttles
from tests.factories import function_version
from tests.unit.invocation.fake_node import FakeNode

ACCOUNT, REGION = AccountId("000000000000"), Region("us-east-1")
SETTINGS = GatewaySettings(shutdown_grace_s=1)
Function = Callable[[Any], Any]
"""From an event to a result. An `Outcome` is taken as it is. A function that is the result gets the
reply of the call, for a stream."""


class NoResponse(Exception):
    """A function that raises this never ends."""


class FunctionsNode(FakeNode):
    """Runs functions of the test, by name, on the event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.functions: dict[str, Function] = {}
        self.requests: list[InvocationRequest] = []

    def submit(self, request: InvocationRequest, reply: Reply) -> None:
        self.requests.append(request)
        try:
            result = self.functions[request.function.key.name](json.loads(request.event))
        except NoResponse:
            return
        except Exception as error:
            payload = json.dumps({"errorMessage": str(error), "errorType": type(error).__name__})
            reply.finish(FunctionFailed(payload.encode(), type(error).__name__), NOT_RUN)
            return
        if callable(result):
            result(reply)
            return
        outcome: Outcome = (
            result
            if isinstance(result, Outcome)
            else Succeeded(result if isinstance(result, bytes) else json.dumps(result).encode())
        )
        reply.finish(outcome, NOT_RUN)


@dataclasses.dataclass(frozen=True)
class Response:
    """What a client received."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name; repeated ones joined by `, `."""
    items: Sequence[tuple[str, str]]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class _Connection(http.client.HTTPConnection):
    """Sends what it is given, as UTF-8."""

    def _encode_request(self, request: str) -> bytes:
        return request.encode()

    def _validate_path(self, url: str) -> None:
        pass


@dataclasses.dataclass
class Served:
    """A running data plane."""

    portal: BlockingPortal
    store: Store
    node: FunctionsNode
    apis: Apis
    logs: LogStore
    port: int
    policies: dict[str, list[Mapping[str, Any]]]
    """Statements of functions' policies, by ARN."""
    kept: list[tuple[str, bytes]]
    """Events in the asynchronous queue, with the ARNs of their functions."""

    def function(self, name: str, function: Function) -> str:
        """Deploy a function; returns its ARN."""
        self.node.functions[name] = function
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"

    def put(self, root: Root, *documents: tuple[str, str, Body]) -> None:
        """Write documents, as a use case does: all in one transaction."""

        async def write() -> None:
            await self.store.transact(
                lambda tx: [tx.documents.put(root, *document) for document in documents]
            )

        self.portal.call(write)

    def log_lines(self, group: str) -> list[str]:
        """The messages of a log group: of one stream after the other."""

        async def read() -> list[str]:
            bounds = Bounds(start_ms=0, end_ms=1 << 50, events_max=999, bytes_max=1 << 20)
            found: list[LogEvent] = []
            for name in await self.logs.stream_names(ACCOUNT, REGION, group) or ():
                found += await self.logs.stream_page(
                    ACCOUNT, REGION, group, name, bounds, 0, is_forward=True
                )
            return [event.message.decode().rstrip("\n") for event in found]

        return self.portal.call(read)

    def user(
        self, action: str, resource: str, *, account: AccountId = ACCOUNT, key: str = "AKIAEXAMPLE"
    ) -> None:
        """A user `ann` with a key, whose secret is `secret`, who may do this."""
        statement = {"Effect": "Allow", "Action": action, "Resource": resource}
        user = Identity(
            key=IdentityKey(account, "user", "ann"),
            id=key.replace("AKIA", "AIDA"),
            created_ms=0,
            policies={"p": {"Statement": [statement]}},
        )
        access = AccessKey(
            id=key,
            secret="secret",
            account=account,
            user_name="ann",
            is_active=True,
            created_ms=0,
        )

        def write(tx: Transaction) -> None:
            tx.identities.put(user)
            tx.identities.put_key(access)

        async def put() -> None:
            await self.store.transact(write)

        self.portal.call(put)

    def request(
        self,
        host: str | None,
        method: str = "GET",
        path: str = "/",
        body: bytes | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    ) -> Response:
        """One request on a connection of its own. Without a host it is the address."""
        connection = _Connection("127.0.0.1", self.port, timeout=20)
        given = list(headers.items() if isinstance(headers, Mapping) else headers)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host or f"127.0.0.1:{self.port}")
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        for name, value in given:
            connection.putheader(name, value)
        connection.endheaders(body)
        try:
            response = connection.getresponse()
            found = dict[str, str]()
            for name, value in response.getheaders():
                key = name.lower()
                found[key] = f"{found[key]}, {value}" if key in found else value
            return Response(response.status, found, response.getheaders(), response.read())
        finally:
            connection.close()


@contextmanager
def serving(
    directory: Path,
    add_kinds: Callable[[Apis], None],
    *,
    is_strict: bool = False,
    throttles: Throttles | None = None,
    egress: EgressSettings | None = None,
    fetch: Fetch | None = None,
    aws: Any = None,
    serve: Any = None,
) -> Iterator[Served]:
    """Serve APIs from an empty database; `add_kinds` registers the kinds that are served. `egress`
    says which servers are reached, `fetch` stands for issuers, `aws` for the client of services,
    `serve` for the services that integrations of REST APIs call."""
    with start_blocking_portal("asyncio", {"use_uvloop": True}) as portal:
        opened = _serving(
            portal,
            directory,
            add_kinds,
            is_strict,
            throttles,
            egress or EgressSettings(),
            fetch,
            aws,
            serve,
        )
        with portal.wrap_async_context_manager(opened) as served:
            yield served


@asynccontextmanager
async def _serving(
    portal: BlockingPortal,
    directory: Path,
    add_kinds: Callable[[Apis], None],
    is_strict: bool,
    throttles: Throttles | None,
    egress: EgressSettings,
    fetch: Fetch | None,
    aws: Any,
    serve: Any,
) -> AsyncIterator[Served]:
    clock, node = SystemClock(), FunctionsNode()
    policies = dict[str, list[Mapping[str, Any]]]()

    async def load(key: FunctionKey, qualifier: str) -> Route | None:
        return Route(_version(key)) if key.name in node.functions else None

    async def policy(arn: str) -> ResourcePolicy:
        return ResourcePolicy(statements_of([{"Statement": policies.get(arn, [])}]))

    kept: list[tuple[str, bytes]] = []

    async def keep(reference: FunctionReference, payload: bytes, _: str) -> None:
        kept.append((reference.arn, payload))

    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        store = await enter(open_store(StoreSettings(synchronous="OFF"), directory, clock))
        logs = await enter(open_logs(TelemetrySettings(), directory / "logs", clock))
        traces = await enter(open_trace_store(directory / "traces.db", TelemetrySettings(), clock))
        keyring = await open_keyring(store, clock)
        home = Scope(ACCOUNT, REGION)
        authorizer = Authorizer(keyring, policy, clock, home=home, is_strict=is_strict)
        await store.follow(authorizer)
        invoker = Invoker(Admission(InvocationSettings()), Catalog(load), node, clock)
        tasks = await enter(anyio.create_task_group())
        stack.callback(tasks.cancel_scope.cancel)
        roles = ServiceRoles(keyring, are_checked=is_strict)
        outbound = await enter(open_outbound(egress))
        context = ApiContext(
            calls=FunctionCalls(invoker, authorizer, roles, keep),
            authorizer=authorizer,
            throttles=throttles or Throttles(clock),
            access_logs=AccessLogs(logs),
            traces=traces,
            clock=clock,
            tasks=tasks,
            outbound=outbound,
            issuers=Issuers(fetch or outbound.fetch, clock),
            aws=aws,
            roles=roles,
            serve=serve,
        )
        apis = Apis(ApiDirectory(store), context)
        add_kinds(apis)
        await store.follow(apis.directory)
        gateway = await enter(open_gateway(SETTINGS, authorizer))
        add_fronts(gateway, ApiFront(apis.directory, clock, tasks, domain="localhost"), tasks)
        sock = socket.create_server(("127.0.0.1", 0))
        await enter(open_front_door(gateway, SETTINGS, sock))
        port = sock.getsockname()[1]
        yield Served(portal, store, node, apis, logs, port, policies, kept)


def _version(key: FunctionKey) -> FunctionVersion:
    return function_version(key=key, configuration_id=f"{key.account}/{key.name}")
