"""API Gateway's data plane: what serves requests for APIs."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio.abc

from lambent.assembly.api import Api
from lambent.assembly.events import Events
from lambent.assembly.execution import Execution
from lambent.assembly.named_fronts import add_named_front
from lambent.assembly.storage import Storage
from lambent.control.events.connections import open_sealing
from lambent.gateway.fronts import Front
from lambent.gateway.server import Gateway
from lambent.identity.service_roles import ServiceRoles
from lambent.kit.tasks import start_loop
from lambent.model.api_paths import (
    AWS_HOSTS,
    BODY_BYTES_MAX,
    EXECUTE_API_PREFIX,
    HOSTS,
    PATH_PREFIX,
    USER_REQUEST,
)
from lambent.model.events.targets import API_DESTINATION
from lambent.sandbox.egress_policy import EgressSettings
from lambent.settings import Settings
from lambent.triggers.apis.access_logs import AccessLogs
from lambent.triggers.apis.authorizers.issuers import Fetch, Issuers
from lambent.triggers.apis.authorizers.pools import fetch_with_local_pools, fetch_with_own_pools
from lambent.triggers.apis.calls import FunctionCalls
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.directory import ApiDirectory
from lambent.triggers.apis.front import ApiFront
from lambent.triggers.apis.http.kind import HttpApis
from lambent.triggers.apis.outbound import open_outbound
from lambent.triggers.apis.rest.keys import KeyDirectory
from lambent.triggers.apis.rest.kind import RestApis
from lambent.triggers.apis.rest.trials import Trials
from lambent.triggers.apis.rest.usage import UsagePlans
from lambent.triggers.apis.rest.usage_counts import open_usage_counts
from lambent.triggers.apis.throttling import Throttles
from lambent.triggers.events.api_destinations import ApiDestinationTargets
from lambent.triggers.user_pools.documents import Jwks

_LOOPBACK = EgressSettings(allow=("127.0.0.1/32",))
"""What reaches the emulator of other services."""


@dataclasses.dataclass(frozen=True, slots=True)
class Apis:
    """What kinds of APIs are added to."""

    directory: ApiDirectory
    context: ApiContext
    trials: Trials | None = None


@asynccontextmanager
async def open_apis(
    settings: Settings,
    storage: Storage,
    api: Api,
    execution: Execution,
    events: Events,
    pool_keys: Jwks | None,
) -> AsyncIterator[Apis]:
    """Serve APIs: open what they need, and register the ways in and the kinds of APIs. API
    destinations of rules use the same connections to the outside. `pool_keys` finds the keys of the
    platform's own user pools."""
    directory, clock = ApiDirectory(storage.store), storage.clock
    roles = ServiceRoles(api.keyring, are_checked=api.authorizer.is_strict)
    throttles = Throttles(clock, peers=storage.peers)
    if storage.membership is not None:
        start_loop(storage.tasks, clock, throttles.run)
    async with (
        open_outbound(settings.egress) as outbound,
        open_outbound(_LOOPBACK) as local,
        open_usage_counts(storage.store, clock, storage.peers) as counts,
    ):
        fetch: Fetch = outbound.fetch
        services = events.local_services
        if services is not None:
            fetch = fetch_with_local_pools(fetch, local.fetch, services.url)
        if pool_keys is not None:
            fetch = fetch_with_own_pools(fetch, pool_keys)
        context = ApiContext(
            calls=FunctionCalls(execution.invoker, api.authorizer, roles, events.queue.keep),
            authorizer=api.authorizer,
            throttles=throttles,
            access_logs=AccessLogs(storage.logs),
            traces=storage.traces,
            clock=clock,
            tasks=storage.tasks,
            outbound=outbound,
            issuers=Issuers(fetch, clock),
            aws=events.aws_calls,
            roles=roles,
            serve=api.gateway.serve_known,
        )
        directory.add_kind("HTTP", HttpApis(context))
        keys = KeyDirectory(storage.store)
        usage = UsagePlans(counts, context.throttles.new)
        directory.add_kind("REST", RestApis(context, keys, usage))
        await storage.store.follow(keys)
        front = ApiFront(directory, clock, storage.tasks, domain=settings.gateway.url_domain)
        add_fronts(api.gateway, front, storage.tasks)
        await storage.store.follow(directory)
        await directory.domains()
        sealing = await open_sealing(storage.store)
        destinations = ApiDestinationTargets(
            *(storage.store, outbound, sealing, clock, storage.peers)
        )
        events.targets.register(API_DESTINATION, destinations.take)
        yield Apis(directory, context, Trials(context, storage.store, settings.gateway.url_domain))


def add_fronts(gateway: Gateway, front: ApiFront, tasks: anyio.abc.TaskGroup) -> None:
    """Add the ways in: host names, custom domain names and paths."""
    of_apis = partial(
        Front, body_bytes_max=BODY_BYTES_MAX, is_open=True, oversized=front.handle_oversized
    )
    fronts = gateway.fronts
    fronts.add_hosts(AWS_HOSTS, of_apis(handle=front.handle_host, has_own_names=True))
    fronts.add_hosts(HOSTS, of_apis(handle=front.handle_host))
    fronts.add_path(PATH_PREFIX, of_apis(handle=front.handle_path))
    fronts.add_path(EXECUTE_API_PREFIX, of_apis(handle=front.handle_path))
    fronts.add_pattern("/restapis/", USER_REQUEST, of_apis(handle=front.handle_user_request))
    by_domain = of_apis(handle=front.handle_domain, has_own_names=True)

    add_named_front(gateway, tasks, by_domain, front.is_custom_domain, front.read_domains)
