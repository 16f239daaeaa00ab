"""CloudFront's data plane: the cache, and what serves requests for distributions."""

from functools import partial

from lambent.assembly.api import Api
from lambent.assembly.apis import Apis
from lambent.assembly.execution import Execution
from lambent.assembly.named_fronts import add_named_front
from lambent.assembly.names import Names
from lambent.assembly.privileged import Privileged
from lambent.assembly.storage import Storage
from lambent.gateway.fronts import Front
from lambent.gateway.models import runtime_identifiers
from lambent.gateway.services.cloudfront.service import CLOUDFRONT
from lambent.model.cloudfront.names import HOSTS, PATH_PREFIX
from lambent.node.languages.runtimes import Runtimes
from lambent.settings import Settings
from lambent.triggers.edge.buckets import Buckets
from lambent.triggers.edge.cache import EdgeCache
from lambent.triggers.edge.call import EdgeContext
from lambent.triggers.edge.directory import EdgeDirectory
from lambent.triggers.edge.front import EdgeFront
from lambent.triggers.edge.function_runs import FunctionRuns
from lambent.triggers.edge.origins import OriginConnections
from lambent.triggers.edge.triggers import Triggers
from lambent.triggers.function_urls import FunctionUrls

_BODY_BYTES_MAX = 20 * 1024 * 1024
_HTTPS = 443


def make_function_runs(storage: Storage, execution: Execution, runtimes: Runtimes) -> FunctionRuns:
    """What runs CloudFront functions: with the newest Node.js of this host."""
    names = [name for name in runtime_identifiers() if name.startswith("nodejs")]
    usable = [name for name in names if name.endswith(".x") and runtimes.hint(name) is None]
    runtime = max(usable, key=lambda name: int(name[6:-2]), default=None)
    runs = FunctionRuns(execution.invoker, runtime)
    storage.packages.built_in[runs.package_key] = runs.package
    return runs


async def open_edge(
    settings: Settings,
    privileged: Privileged,
    storage: Storage,
    api: Api,
    names: Names,
    execution: Execution,
    apis: Apis,
    urls: FunctionUrls,
    runs: FunctionRuns,
) -> None:
    """Serve distributions for as long as the storage is open, unless the settings name another
    server for CloudFront. Raises OSError."""
    gateway = api.gateway
    if CLOUDFRONT.signing_name not in gateway.signing_names:
        return
    edge, context = settings.edge, apis.context
    cache = EdgeCache(
        privileged.data.state / "edge-cache",
        memory_bytes=edge.memory_mb << 20,
        disk_bytes=edge.disk_mb << 20,
    )
    await cache.open()
    directory = EdgeDirectory(storage.store, cache, domain=settings.gateway.url_domain)
    await storage.store.follow(directory)
    await directory.read_aliases()
    calls = EdgeContext(
        cache=cache,
        origins=OriginConnections(
            context.outbound,
            names.hosts.is_ours,
            gateway.handle,
            urls,
            Buckets(gateway.serve_known, is_strict=api.authorizer.is_strict),
        ),
        triggers=Triggers(execution.invoker, api.authorizer, context.roles, runs),
        clock=storage.clock,
        tasks=storage.tasks,
    )
    front = EdgeFront(directory, calls, https_port=_https_port(privileged))
    of_edge = partial(
        Front, body_bytes_max=_BODY_BYTES_MAX, is_open=True, oversized=front.handle_oversized
    )
    gateway.fronts.add_hosts(HOSTS, of_edge(handle=front.handle_host))
    gateway.fronts.add_path(PATH_PREFIX, of_edge(handle=front.handle_path))
    add_named_front(
        gateway,
        storage.tasks,
        of_edge(handle=front.handle_alias, has_own_names=True),
        front.is_alias,
        front.read_aliases,
    )


def _https_port(privileged: Privileged) -> int | None:
    """The port that viewers are sent to; None for the usual one."""
    listener = privileged.front.tls_listener
    if listener is None:
        port = privileged.front.port if privileged.front.tls is not None else _HTTPS
    else:
        port = int(listener.getsockname()[1])
    return None if port == _HTTPS else port
