"""A control plane on a separate store, without a gateway and without nodes."""

import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from lambent.control.packages import GRACE_S
from lambent.control.room import Control, open_control
from lambent.control.settings import ControlSettings
from lambent.kit.clock import ManualClock
from lambent.model.arn import Scope
from lambent.model.concurrency import ProvisionedState
from lambent.model.errors import ApiError, invalid_parameter
from lambent.model.function import FunctionVersion
from lambent.store.blobs import Blobs
from lambent.store.directory_blobs import DirectoryBlobs
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, open_store
from lambent.telemetry.metrics import Metrics
from tests.authorizers import unchecked_roles

HERE = Scope("111111111111", "us-east-1")
RUNTIMES = ("python3.12", "python3.13", "python3.8", "nodejs22.x", "provided.al2023")


def package(source: str = "x = 1") -> bytes:
    """A small deployment package, equal for equal sources."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), source)
    return file.getvalue()


class MemoryObjects:
    """An object store in memory."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}

    async def fetch(self, *, scope: Scope, bucket: str, key: str, version: str | None) -> bytes:
        try:
            return self.objects[bucket, key]
        except KeyError:
            raise invalid_parameter(
                "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The"
                " specified key does not exist."
            ) from None


class Room:
    """The control plane and what is around it; `prepare` may be held back or made to fail."""

    def __init__(self, control: Control, store: Store, blobs: Blobs, gate: "Gate") -> None:
        self.control = control
        self.store = store
        self.blobs = blobs
        self.gate = gate
        self.provisioned: dict[str, ProvisionedState] = {}
        """What is observed of provisioned concurrency, by qualifier."""
        self.objects = MemoryObjects()
        self.clock = ManualClock()
        self.metrics = Metrics()

    async def create(self, name: str = "f", **members: Any) -> FunctionVersion:
        """CreateFunction with sensible members, without waiting."""
        params = {
            "FunctionName": name,
            "Runtime": "python3.12",
            "Handler": "app.handler",
            "Role": "arn:aws:iam::111111111111:role/r",
            "Code": {"ZipFile": package()},
            **members,
        }
        return await self.control.functions.create(HERE, params)

    async def create_active(self, name: str = "f", **members: Any) -> FunctionVersion:
        """CreateFunction, returning the settled `$LATEST`."""
        await self.create(name, **members)
        return await self.settled(name)

    async def latest(self, name: str = "f", qualifier: str | None = None) -> FunctionVersion:
        """The version as GetFunction shows it."""
        params = {"FunctionName": name, "Qualifier": qualifier}
        return (await self.control.functions.get(HERE, params)).version

    async def settled(self, name: str = "f", qualifier: str | None = None) -> FunctionVersion:
        """The version, once no change is in progress."""
        version = await self.latest(name, qualifier)
        with anyio.fail_after(10):
            while not version.is_settled:
                await anyio.sleep(0.001)
                version = await self.latest(name, qualifier)
        return version

    async def publish(self, name: str = "f", **members: Any) -> FunctionVersion:
        """PublishVersion."""
        return await self.control.versions.publish(HERE, {"FunctionName": name, **members})

    async def update_code(self, name: str = "f", **members: Any) -> FunctionVersion:
        """UpdateFunctionCode, without waiting."""
        return await self.control.functions.update_code(HERE, {"FunctionName": name, **members})

    async def configure(self, name: str = "f", **members: Any) -> FunctionVersion:
        """UpdateFunctionConfiguration, without waiting."""
        params = {"FunctionName": name, **members}
        return await self.control.functions.update_configuration(HERE, params)

    async def grace_ends(self) -> None:
        """Return when the packages that nothing refers to have been deleted."""
        with anyio.fail_after(10):
            while await self.store.read(lambda tx: tx.unused_packages.next_at()) is not None:
                self.clock.advance(GRACE_S)
                await anyio.sleep(0.001)

    async def grace_until(self, condition: Callable[[], bool]) -> None:
        """Let grace periods pass until the condition holds."""
        with anyio.fail_after(10):
            while not condition():
                self.clock.advance(GRACE_S)
                await anyio.sleep(0.001)


class Gate:
    """Replaces the node: preparing a version waits for the gate and may fail."""

    def __init__(self) -> None:
        self.opened = anyio.Event()
        self.opened.set()
        self.error: Exception | None = None
        self.prepared: list[str] = []

    def shut(self) -> None:
        self.opened = anyio.Event()

    def open(self) -> None:
        self.opened.set()

    async def prepare(self, version: FunctionVersion) -> None:
        self.prepared.append(version.arn)
        await self.opened.wait()
        if self.error is not None:
            raise self.error


async def wait_until(condition: Callable[[], bool]) -> None:
    """Return as soon as the condition holds."""
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - conditions of any kind have no event
            await anyio.sleep(0.001)


async def refused(attempt: Awaitable[object]) -> ApiError:
    """The error the attempt is refused with."""
    with pytest.raises(ApiError) as caught:
        await attempt
    return caught.value


@asynccontextmanager
async def open_room(
    data: Path, settings: ControlSettings | None = None, database: StoreSettings | None = None
) -> AsyncIterator[Room]:
    """A room on the data in this directory; opening it again continues where it was."""
    gate, objects, clock = Gate(), MemoryObjects(), ManualClock()
    provisioned: dict[str, ProvisionedState] = {}
    blobs, metrics = DirectoryBlobs(data / "blobs"), Metrics()
    async with (
        open_store(database or StoreSettings(synchronous="OFF"), data) as store,
        open_control(
            settings or ControlSettings(),
            store=store,
            blobs=blobs,
            objects=objects,
            prepare=gate.prepare,
            runtimes=RUNTIMES,
            concurrent_executions=7,
            observe_provisioned=lambda _, qualifier: provisioned.get(
                qualifier, ProvisionedState(0)
            ),
            clock=clock,
            roles=unchecked_roles(),
            metrics=metrics,
        ) as control,
    ):
        room = Room(control, store, blobs, gate)
        room.objects, room.provisioned, room.clock = objects, provisioned, clock
        room.metrics = metrics
        yield room
