"""An edge without sockets: real documents, a real cache, a clock that the test turns, and an origin
that is a function of the test."""

import dataclasses
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.abc

from lambent.control.cloudfront.distributions import Distributions
from lambent.control.cloudfront.invalidations import Invalidations
from lambent.control.cloudfront.policies import KINDS, Policies
from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, open_store
from lambent.triggers.edge.cache import EdgeCache
from lambent.triggers.edge.call import EdgeContext
from lambent.triggers.edge.directory import EdgeDirectory
from lambent.triggers.edge.distribution import Distribution, Origin
from lambent.triggers.edge.errors import OriginFailed
from lambent.triggers.edge.front import EdgeFront
from lambent.triggers.edge.inner_exchange import InnerExchange
from lambent.triggers.edge.messages import Content, Whole
from lambent.triggers.edge.origins import OriginRequest, OriginResponse
from lambent.triggers.edge.selection import joined

ACCOUNT, OTHER = AccountId("111111111111"), AccountId("222222222222")
SCOPE = Scope(ACCOUNT, Region("us-east-1"))
OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
BY_ORIGIN = "4cc15a8a-d715-48a4-82b8-cc0b614638fe"

Serve = Callable[[OriginRequest], tuple[int, Mapping[str, str], bytes] | Content | Exception]


@dataclasses.dataclass
class Seen:
    """A response that a viewer has got."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def cache(self) -> str:
        """What `X-Cache` says, without its end."""
        return self.headers["x-cache"].removesuffix(" from cloudfront")


class TestOrigin:
    """Has the place of `OriginConnections`: responds as the test says."""

    __test__ = False

    def __init__(self) -> None:
        self.requests: list[OriginRequest] = []
        self.domains: list[str] = []
        self.serve: Serve = lambda _: (200, {"cache-control": "max-age=60"}, b"hello")
        self.gate: anyio.Event | None = None
        """Requests wait for it."""

    async def open(
        self,
        stack: AsyncExitStack,
        distribution: Distribution,
        origin: Origin,
        request: OriginRequest,
    ) -> OriginResponse:
        """See `OriginConnections`."""
        self.requests.append(request)
        self.domains.append(origin.domain)
        if self.gate is not None:
            await self.gate.wait()
        found = self.serve(request)
        if isinstance(found, Exception):
            raise found
        if not isinstance(found, tuple):
            return OriginResponse(200, [("Cache-Control", "max-age=60")], found)
        status, headers, body = found
        if status == 0:
            raise OriginFailed(502, "no origin")
        return OriginResponse(status, list(headers.items()), Whole(body))


class Edge:
    """See the module."""

    def __init__(
        self, store: Store, clock: ManualClock, front: EdgeFront, cache: EdgeCache
    ) -> None:
        self.store = store
        self.clock = clock
        self.front = front
        self.cache = cache
        self.origin = TestOrigin()
        self.distributions = Distributions(
            store, clock, domain="localhost", reserved=("lambent.example.com",), is_strict=False
        )
        self.invalidations = Invalidations(store, clock)

    def policies(self, kind: str) -> Policies:
        """The use cases of one kind."""
        return Policies(KINDS[kind], self.store, self.clock)

    async def distribute(self, scope: Scope = SCOPE, **members: Any) -> str:
        """Create a distribution; returns its id."""
        made = await self.distributions.create(scope, {"DistributionConfig": config_of(**members)})
        return str(made["Distribution"]["Id"])

    async def change(self, id: str, **members: Any) -> None:
        """Update members of a configuration."""
        found = await self.distributions.get_config(SCOPE, {"Id": id})
        await self.distributions.update(
            SCOPE,
            {
                "Id": id,
                "IfMatch": found["ETag"],
                "DistributionConfig": {**found["DistributionConfig"], **members},
            },
        )

    async def invalidate(self, id: str, *paths: str) -> None:
        """Invalidate paths."""
        batch = {"CallerReference": uuid.uuid4().hex, "Paths": listed(*paths)}
        params = {"DistributionId": id, "InvalidationBatch": batch}
        await self.invalidations.create(SCOPE, params)

    async def get(
        self,
        id: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: bytes = b"",
        *,
        is_secure: bool = False,
    ) -> Seen:
        """The response to a viewer's request."""
        exchange = self.ask(id, target, headers, method, body, is_secure=is_secure)
        with anyio.fail_after(10):
            await exchange.head()
            found = b""
            while chunk := await exchange.read():
                found += chunk
        return Seen(exchange.status, joined(exchange.response_headers), found)

    def ask(
        self,
        id: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: bytes = b"",
        *,
        is_secure: bool = False,
    ) -> InnerExchange:
        """The exchange of a viewer's request, which has been sent."""
        path, _, query = target.partition("?")
        exchange = InnerExchange(
            method,
            f"/_lambent/cloudfront/{id}{path}",
            query,
            [("Host", "cdn.example.com"), *(headers or {}).items()],
            body,
            client_address="192.0.2.7",
            is_secure=is_secure,
        )
        self.front.handle_path(exchange)
        return exchange


def listed(*items: Any) -> dict[str, Any]:
    """A list with its quantity."""
    return {"Quantity": len(items), "Items": list(items)}


def behavior(policy: str = BY_ORIGIN, **more: Any) -> dict[str, Any]:
    """A cache behavior."""
    if "ForwardedValues" not in more:
        more = {"CachePolicyId": policy, **more}
    return {"TargetOriginId": "main", "ViewerProtocolPolicy": "allow-all", **more}


def origin(id: str = "main", **more: Any) -> dict[str, Any]:
    """An origin."""
    custom = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
    return {"Id": id, "DomainName": f"{id}.example.com", "CustomOriginConfig": custom, **more}


def config_of(**members: Any) -> dict[str, Any]:
    """The configuration of a distribution."""
    return {
        "CallerReference": uuid.uuid4().hex,
        "Comment": "",
        "Enabled": True,
        "Origins": listed(origin()),
        "DefaultCacheBehavior": behavior(),
        **members,
    }


@asynccontextmanager
async def open_edge(
    directory: Path, *, memory_bytes: int = 1 << 20, disk_bytes: int = 8 << 20
) -> AsyncIterator[Edge]:
    """An edge with an empty database."""
    clock = ManualClock(1_800_000_000.0)
    async with (
        open_store(StoreSettings(synchronous="OFF"), directory, clock) as store,
        anyio.create_task_group() as tasks,
    ):
        cache = EdgeCache(directory / "cache", memory_bytes=memory_bytes, disk_bytes=disk_bytes)
        await cache.open()
        distributions = EdgeDirectory(store, cache, domain="localhost")
        await store.follow(distributions)
        await distributions.read_aliases()
        testing = TestOrigin()
        context = EdgeContext(
            cache=cache,
            origins=testing,  # type: ignore[arg-type]
            triggers=_NoFunctions(),  # type: ignore[arg-type]
            clock=clock,
            tasks=tasks,
        )
        edge = Edge(store, clock, EdgeFront(distributions, context, https_port=None), cache)
        edge.origin = testing
        yield edge
        tasks.cancel_scope.cancel()


class _NoFunctions:
    """Has the place of `Triggers` where no cache behavior has a function."""

    async def viewer_request(self, *_: Any) -> None:
        return None

    async def origin_request(self, _d: Any, _b: Any, _r: Any, sent: Any) -> Any:
        return sent

    async def response(self, *_: Any) -> None:
        return None
