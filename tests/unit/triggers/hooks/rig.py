"""Hooks without a platform: the front with its kinds, a clock, and what it has delivered."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio

from lambent.aws.clients import trusted_by_default
from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.errors import ApiError
from lambent.model.hooks.hook import PATH_PREFIX, Hook, Secret
from lambent.model.hooks.kinds import KINDS
from lambent.model.invocation import Outcome, Succeeded
from lambent.model.peers import NoPeers, Peers
from lambent.triggers.apis.inner_exchange import InnerExchange
from lambent.triggers.hooks.directory import HookDirectory
from lambent.triggers.hooks.kind import Entry, HookRequest, Received
from lambent.triggers.hooks.room import make_front

SECRET = "a-secret-of-tests"
SCOPE = Scope(AccountId("111111111111"), Region("us-west-2"))
ID = "0123456789abcdef" * 2
BEARER = {"Authorization": f"Bearer {SECRET}"}
NOW = 1_800_000_000.0


class Answer:
    """A response."""

    def __init__(self, exchange: InnerExchange) -> None:
        self.status = exchange.status
        self.headers = {name.lower(): value for name, value in exchange.response_headers}
        self.body = bytes(exchange.response_body)

    @property
    def message(self) -> str:
        """The message of a response of the platform's own."""
        return str(json.loads(self.body)["message"])


class Rig:
    """See the module. It is the `Delivery` as well, and what fetches documents."""

    def __init__(
        self,
        kind: str,
        options: Mapping[str, Any] | None = None,
        *,
        secrets: Sequence[str] = (SECRET,),
        is_bus: bool = False,
        is_synchronous: bool = False,
        rate: float = 1000.0,
        now: float = NOW,
        roots: Path | None = None,
        documents: Mapping[str, bytes] | None = None,
        peers: Peers | None = None,
    ) -> None:
        self.peers = peers or NoPeers()
        self.clock = ManualClock(now)
        self.hook = Hook(
            scope=SCOPE,
            name="h",
            id=ID,
            kind=kind,
            function=None if is_bus else "arn:aws:lambda:us-west-2:111111111111:function:f",
            bus="arn:aws:events:us-west-2:111111111111:event-bus/b" if is_bus else None,
            is_synchronous=is_synchronous or KINDS[kind].synchronous == "always",
            rate=rate,
            options=options or {},
            secrets=[Secret(secret) for secret in secrets],
            created=now,
        )
        self.roots = roots or trusted_by_default()
        self.documents = dict(documents or {})
        self.fetched: list[str] = []
        self.kept: list[Any] = []
        self.entries: list[Entry] = []
        self.tokens: list[str | None] = []
        self.outcome: Outcome = Succeeded(b"null")
        self.failure: ApiError | None = None
        self.outage: ApiError | None = None
        self.gate: anyio.Event | None = None
        """What deliveries wait for."""
        self._front: Any = None
        self._tasks: Any = None

    async def __aenter__(self) -> "Rig":
        self._tasks = anyio.create_task_group()
        tasks = await self._tasks.__aenter__()
        self.directory = HookDirectory(self._load, self.clock)
        delivery: Any = self
        self._front = make_front(
            *(self.directory, delivery, self.clock, tasks, self.peers),
            fetch=self.fetch,
            roots=self.roots,
        )
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await self._tasks.__aexit__(*error)

    async def send(
        self,
        body: bytes | Any = b"",
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "POST",
        path: str = "",
        query: str = "",
        id: str = ID,
    ) -> Answer:
        """Send a request; a body that is not bytes is sent as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        exchange = InnerExchange(
            method, f"{PATH_PREFIX}{id}{path}", query, [*(headers or {}).items()], data
        )
        self._front.handle(exchange)
        await exchange.wait()
        return Answer(exchange)

    async def observe(self) -> Mapping[str, Any]:
        """The counters of the hook."""
        found: Mapping[str, Any] = await self._front.observe(ID)
        return found

    async def fetch(self, address: str) -> bytes:
        """See `Fetch`."""
        self.fetched.append(address)
        if address not in self.documents:
            raise OSError("nothing is there")
        return self.documents[address]

    async def keep(self, request: HookRequest, received: Received) -> None:
        """See `Delivery`."""
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.kept += map(json.loads, received.events)

    async def call(self, request: HookRequest, received: Received) -> Outcome:
        """See `Delivery`."""
        self.kept += map(json.loads, received.events)
        self.tokens.append(received.event_source_token)
        return self.outcome

    async def put(self, hook: Hook, entries: Sequence[Entry]) -> None:
        """See `Delivery`."""
        self.entries += entries

    async def _load(self) -> Sequence[Hook]:
        if self.outage is not None:
            raise self.outage
        return [self.hook]
