"""A gateway with the control plane and no data plane, listening on a free port; and what its tests
share."""

import io
import socket
import uuid
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import boto3
import pytest
from anyio.from_thread import start_blocking_portal
from botocore.config import Config
from botocore.exceptions import ClientError

from lambent.assembly.api import open_api
from lambent.assembly.control import ControlPorts, open_control_plane
from lambent.assembly.storage import open_storage
from lambent.aws.clients import AwsClients
from lambent.gateway.server import open_front_door
from lambent.gateway.settings import GatewaySettings
from lambent.instance.data_directory import DataDirectory
from lambent.invocation.admission import Admission
from lambent.invocation.catalog import Catalog
from lambent.invocation.invoker import Invoker
from lambent.invocation.settings import InvocationSettings
from lambent.kit.clock import SystemClock
from lambent.model.function import FunctionVersion
from lambent.node.code.cache import open_code_cache
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.mapping_supervisor import MappingSupervisor, PollingContext
from lambent.settings import Settings
from lambent.store.settings import StoreSettings
from lambent.telemetry.metrics import Metrics

ACCOUNT = "111111111111"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/role"


nothing: Any = None
"""Replaces rooms that these tests do not use."""


@asynccontextmanager
async def serve_api(data: Path, database: StoreSettings | None = None) -> AsyncIterator[str]:
    """Serve on loopback; returns the endpoint."""
    settings = Settings(
        gateway=GatewaySettings(shutdown_grace_s=1.0),
        store=database or StoreSettings(synchronous="OFF"),
    )
    directory = DataDirectory(data)
    directory.state.mkdir(parents=True, exist_ok=True)
    async with (
        open_storage(settings, directory, SystemClock()) as storage,
        open_code_cache(directory.code, storage.packages.read) as cache,
        open_api(settings, storage, nothing) as api,
    ):

        async def prepare(version: FunctionVersion) -> None:
            await cache.ensure(version.code_key)

        ports = ControlPorts(aws=AwsClients(settings.aws), prepare=prepare)
        async with (
            open_control_plane(settings, storage, api, ports),
            anyio.create_task_group() as tasks,
        ):
            around = PollingContext(
                store=storage.store,
                membership=None,
                invoker=Invoker(
                    Admission(InvocationSettings()),
                    Catalog(storage.store.route),
                    nothing,
                    storage.clock,
                ),
                aws=nothing,
                roles=api.roles,
                keep=nothing,
                settle_logs=anyio.lowlevel.checkpoint,
                metrics=Metrics(),
                clock=storage.clock,
                settings=settings.polling,
            )
            await MappingSupervisor(around, read_nothing, tasks).open()
            sock = socket.create_server(("127.0.0.1", 0))
            async with open_front_door(api.gateway, settings.gateway, sock):
                yield f"http://127.0.0.1:{sock.getsockname()[1]}"
            tasks.cancel_scope.cancel()


async def read_nothing(polled: ActiveMapping) -> None:
    """Replaces the room that reads the sources of mappings."""
    with polled.stop.interrupts():
        await anyio.sleep_forever()


def package(source: str = "x = 1") -> bytes:
    """A deployment package, equal for equal sources."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), source)
    return file.getvalue()


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway with a control plane behind it."""
    data: Path = tmp_path_factory.mktemp("functions-api")
    options = {"use_uvloop": True}
    with (
        start_blocking_portal("asyncio", options) as portal,
        portal.wrap_async_context_manager(serve_api(data)) as endpoint,
    ):
        yield endpoint


@pytest.fixture(scope="module")
def connect(endpoint: str) -> Callable[..., Any]:
    """Makes a client of an account and region."""

    def make(account: str = ACCOUNT, region: str = "us-east-1") -> Any:
        return boto3.client(
            "lambda",
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )

    return make


@pytest.fixture(scope="module")
def client(connect: Callable[..., Any]) -> Any:
    """The client that most tests use."""
    return connect()


@pytest.fixture
def name() -> str:
    """A unique function name."""
    return f"f-{uuid.uuid4().hex[:12]}"


def arn_of(name: str) -> str:
    return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"


def create(client: Any, name: str, **members: Any) -> dict[str, Any]:
    """CreateFunction with valid members."""
    created: dict[str, Any] = client.create_function(
        **{
            "FunctionName": name,
            "Runtime": "python3.12",
            "Role": ROLE,
            "Handler": "app.handler",
            "Code": {"ZipFile": package()},
            **members,
        }
    )
    return created


def create_active(client: Any, name: str, **members: Any) -> None:
    """CreateFunction, and botocore's own waiter."""
    create(client, name, **members)
    wait(client, "function_active_v2", name)


def wait(client: Any, waiter: str, name: str, **members: Any) -> None:
    config = {"Delay": 0.05, "MaxAttempts": 200}
    client.get_waiter(waiter).wait(FunctionName=name, WaiterConfig=config, **members)


def refusal(attempt: Callable[..., Any], **members: Any) -> tuple[str, str]:
    """Error code and message of a refused call."""
    with pytest.raises(ClientError) as caught:
        attempt(**members)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]
