"""The API before it has operations: who calls, what they may do, and the gateway."""

import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from lambent.assembly.storage import Storage
from lambent.control.identities import Identities
from lambent.control.resources import Resources
from lambent.gateway.definitions import AnyService
from lambent.gateway.registry import SERVICES
from lambent.gateway.server import Gateway, open_gateway
from lambent.identity.authorizer import Authorizer
from lambent.identity.execution_roles import ExecutionRoles
from lambent.identity.keyring import Keyring, open_keyring
from lambent.model.arn import Scope
from lambent.model.identity import AccessKey
from lambent.services.endpoints import find_endpoint
from lambent.settings import Settings

EMULATED = "emulator"
"""Stands for the emulator's address, which is not known yet."""


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


def offered_services(settings: Settings) -> Sequence[AnyService]:
    """The services that are the platform's own: those that no configured endpoint serves, and some
    only if the emulator does not serve them either."""
    local_services = EMULATED if settings.services.enabled else None
    return [
        service
        for service in SERVICES
        if find_endpoint(
            settings.aws,
            local_services if service.is_replaceable else None,
            service.signing_name,
            "",
        )
        is None
    ]


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
    services = offered_services(settings)
    async with open_gateway(settings.gateway, authorizer, resources, services) as gateway:
        yield Api(
            home=home,
            keyring=keyring,
            authorizer=authorizer,
            identities=identities,
            roles=ExecutionRoles(keyring, authorizer, session_s=settings.identity.session_s),
            gateway=gateway,
        )
