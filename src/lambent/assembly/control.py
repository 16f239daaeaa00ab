"""The control plane, and its operations in the API. It needs no data plane."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from lambent.assembly.api import Api
from lambent.assembly.storage import Storage
from lambent.aws.clients import AwsClients
from lambent.control.activation import Prepare
from lambent.control.concurrency import ObserveProvisioned, nothing_provisioned
from lambent.control.mappings import CheckSource
from lambent.control.room import Control, open_control
from lambent.control.s3 import S3Objects
from lambent.gateway.code_links import PATH_PREFIX, SECRET, open_code_links
from lambent.gateway.operations import control_plane, iam, logs, sts
from lambent.gateway.protocol.models import runtime_identifiers
from lambent.settings import Settings


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ControlPorts:
    """What the control plane calls outside of itself."""

    aws: AwsClients
    prepare: Prepare
    observe_provisioned: ObserveProvisioned = nothing_provisioned
    check_source: CheckSource | None = None


@asynccontextmanager
async def open_control_plane(
    settings: Settings, storage: Storage, api: Api, ports: ControlPorts
) -> AsyncIterator[Control]:
    """Open the control plane and register its operations."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        control = await enter(
            open_control(
                settings.control,
                store=storage.store,
                blobs=storage.blobs,
                objects=S3Objects(ports.aws, storage.clock, deadline_s=settings.aws.s3.deadline_s),
                prepare=ports.prepare,
                runtimes=runtime_identifiers(),
                concurrent_executions=settings.invocation.concurrent_executions,
                observe_provisioned=ports.observe_provisioned,
                clock=storage.clock,
                roles=api.roles,
                check_source=ports.check_source,
            )
        )
        link_key = await storage.store.transact(lambda tx: tx.identities.platform_secret(SECRET))
        links = await enter(open_code_links(storage.blobs.read, storage.clock, link_key))
        gateway = api.gateway
        gateway.register(control_plane.operations(control, links, settings.gateway.url_domain))
        gateway.register(logs.operations(storage.logs), "logs")
        sessions = sts.operations(
            api.identities, api.keyring.sessions, is_strict=api.authorizer.is_strict
        )
        gateway.register(sessions, "sts")
        gateway.register(iam.operations(api.identities), "iam")
        gateway.register_internal(PATH_PREFIX, links.handle)
        yield control
