"""A gateway with the control plane behind it and no data plane, listening on a free port."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from lambent.control.control import open_control
from lambent.control.s3 import S3Objects
from lambent.control.settings import ControlSettings, S3Settings
from lambent.gateway.code_links import PATH_PREFIX, open_code_links
from lambent.gateway.operations import account, functions, tags, versions
from lambent.gateway.protocol.models import runtime_identifiers
from lambent.gateway.server import open_front_door, open_gateway
from lambent.gateway.settings import GatewaySettings
from lambent.kit.clock import SystemClock
from lambent.model.function import FunctionVersion
from lambent.store.blobs import Blobs
from lambent.store.settings import StoreSettings
from lambent.store.store import open_store
from lambent.worker.code import open_code_cache


@asynccontextmanager
async def open_api(data: Path) -> AsyncIterator[str]:
    """Serve on loopback; gives the endpoint."""
    clock = SystemClock()
    blobs = Blobs(data / "blobs")
    settings = GatewaySettings(shutdown_grace_s=1.0)
    async with (
        open_store(StoreSettings(synchronous="OFF"), data) as store,
        open_code_cache(data / "code", blobs.read) as cache,
    ):

        async def prepare(version: FunctionVersion) -> None:
            await cache.ensure(version.code_key)

        async with (
            open_control(
                ControlSettings(),
                store=store,
                blobs=blobs,
                objects=S3Objects(S3Settings(), clock),
                prepare=prepare,
                runtimes=runtime_identifiers(),
                concurrent_executions=1000,
                clock=clock,
            ) as control,
            open_code_links(blobs.read, clock) as links,
            open_gateway(settings) as gateway,
        ):
            gateway.register(functions.operations(control, links))
            gateway.register(versions.operations(control))
            gateway.register(tags.operations(control))
            gateway.register(account.operations(control))
            gateway.register_internal(PATH_PREFIX, links.handle)
            sock = socket.create_server(("127.0.0.1", 0))
            async with open_front_door(gateway, settings, sock):
                yield f"http://127.0.0.1:{sock.getsockname()[1]}"
