"""The API before it has operations: who calls, what they may do, and the gateway."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from lambent.assembly.storage import Storage
from lambent.control.identities import Identities
from lambent.control.resources import Resources
from lambent.gateway.registry import SERVICES
from lambent.gateway.server import Gateway, open_gateway
from lambent.gateway.services.events.service import EVENTS
from lambent.identity.authorizer import Authorizer
from lambent.identity.execution_roles import ExecutionRoles
from lambent.identity.keyring import Keyring, open_keyring
from lambent.model.arn import Scope
from lambent.model.identity import AccessKey
from lambent.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """A gateway that authenticates and authorizes; later parts register what it serves."""

    home: Scope
    """Account and region of requests that name none."""
    keyring: Keyring
    authorizer: Authorizer
    identities: Identities
    roles: ExecutionRoles
    gateway: Gateway


@asynccontextmanager
async def open_api(
    settings: Settings, storage: Storage, write_root_key: Callable[[AccessKey], None]
) -> AsyncIterator[Api]:
    """Open the API. `write_root_key` receives the first key of a strict platform."""
    store, clock = storage.store, storage.clock
    keyring = await open_keyring(store, clock)
    home = settings.gateway.scope
    resources = Resources(store)
    authorizer = Authorizer(
        keyring,
        resources.policy,
        clock,
        home=home,
        is_strict=settings.server.auth == "strict",
    )
    await store.follow(authorizer)
    identities = Identities(store, clock)
    if authorizer.is_strict:
        await identities.ensure_root_key(home, write_root_key)
    # Another server of the settings wins over the platform's own event buses.
    is_elsewhere = bool(settings.aws.events.endpoint_url)
    services = [service for service in SERVICES if not (service is EVENTS and is_elsewhere)]
    async with open_gateway(settings.gateway, authorizer, resources, services) as gateway:
        yield Api(
            home=home,
            keyring=keyring,
            authorizer=authorizer,
            identities=identities,
            roles=ExecutionRoles(keyring, authorizer, session_s=settings.identity.session_s),
            gateway=gateway,
        )
