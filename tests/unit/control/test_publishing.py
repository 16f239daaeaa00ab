"""Publishing: numbers, snapshots, and when nothing has changed."""

import dataclasses
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.model.function import LATEST
from tests.lengths import examples
from tests.unit.control.control_room import HERE, Room, open_room, package, refused


@pytest.mark.anyio
async def test_a_version_is_a_snapshot(room: Room) -> None:
    """A published version is usable at once and does not change any more."""
    before = await room.create_active(Description="first")
    published = await room.publish()
    assert (published.version, published.state) == ("1", "Active")
    assert published.last_update_status == "Successful"
    assert published.description == "first"
    after = await room.latest()
    assert after.revision_id not in (before.revision_id, published.revision_id)
    await room.configure(Timeout=9, Description="second")
    await room.settled()
    assert await room.latest("f", "1") == published


@pytest.mark.anyio
async def test_nothing_new_means_no_new_version(room: Room) -> None:
    """Without a change the last version is returned, its description as it was."""
    await room.create_active()
    first = await room.publish(Description="one")
    assert first.description == "one"
    latest = await room.latest()
    assert await room.publish(Description="two") == first
    assert await room.latest() == latest
    await room.configure(Timeout=9)
    await room.settled()
    await room.configure(Timeout=3)
    await room.settled()
    assert await room.publish() == first


@pytest.mark.anyio
async def test_the_code_may_be_pinned(room: Room) -> None:
    """CodeSha256 must be that of $LATEST."""
    latest = await room.create_active()
    error = await refused(room.publish(CodeSha256="wrong"))
    assert error.code == "InvalidParameterValueException"
    assert error.message == (
        f"CodeSHA256 (wrong) is different from current CodeSHA256 in $LATEST"
        f" ({latest.code_sha256}). Please try again with the CodeSHA256 in $LATEST."
    )
    assert (await room.publish(CodeSha256=latest.code_sha256)).version == "1"


@pytest.mark.anyio
async def test_creating_with_publish(room: Room) -> None:
    """CreateFunction with Publish answers version 1, which becomes Active by itself."""
    created = await room.create(Publish=True)
    assert (created.version, created.state) == ("1", "Pending")
    assert (await room.settled("f", "1")).state == "Active"
    assert (await room.settled()).version == LATEST


@pytest.mark.anyio
async def test_updating_code_with_publish(room: Room) -> None:
    """UpdateFunctionCode with Publish answers the new version, still Pending."""
    await room.create_active(Publish=True)
    room.gate.shut()
    updated = await room.update_code(ZipFile=package("2"), Publish=True)
    assert (updated.version, updated.state) == ("2", "Pending")
    assert (await room.latest()).last_update_status == "InProgress"
    room.gate.open()
    assert (await room.settled("f", "2")).code_key == (await room.settled()).code_key
    again = await room.update_code(ZipFile=package("2"), Publish=True)
    assert again.version == "2"


@pytest.mark.anyio
async def test_deleting_versions(room: Room) -> None:
    """Versions go one by one, missing ones silently; $LATEST only goes with the function."""
    await room.create_active()
    await room.publish()
    delete = room.control.functions.delete
    await delete(HERE, {"FunctionName": "f", "Qualifier": "9"})
    await delete(HERE, {"FunctionName": "f:1"})
    assert (await refused(room.latest("f", "1"))).code == "ResourceNotFoundException"
    error = await refused(delete(HERE, {"FunctionName": "f", "Qualifier": LATEST}))
    assert error.message == "$LATEST version cannot be deleted without deleting the function."


@dataclasses.dataclass
class Model:
    """What publishing should do, in a few lines."""

    configuration: tuple[str, int] = ("0", 3)
    next_number: int = 1
    versions: dict[int, tuple[str, int]] = dataclasses.field(default_factory=dict)

    def publish(self) -> int:
        """The number of the version that represents the configuration."""
        last = max(self.versions, default=None)
        if last is None or self.versions[last] != self.configuration:
            last = self.next_number
            self.next_number += 1
            self.versions[last] = self.configuration
        return last


STEPS = st.one_of(
    st.tuples(st.just("code"), st.sampled_from("012")),
    st.tuples(st.just("code and publish"), st.sampled_from("012")),
    st.tuples(st.just("timeout"), st.integers(3, 5)),
    st.tuples(st.just("publish"), st.none()),
    st.tuples(st.just("delete"), st.integers(1, 6)),
)


@pytest.mark.slow
@settings(max_examples=examples(20))
@given(st.lists(STEPS, max_size=12))
def test_versions_follow_the_model(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any]]
) -> None:
    """Whatever is done in whatever order, versions and numbers are what a simple model says."""

    async def run(data: Path) -> None:
        async with open_room(data) as room:
            await room.create_active(Code={"ZipFile": package("0")})
            model = Model()
            for step, argument in steps:
                await take(room, model, step, argument)
            page = await room.control.versions.list(HERE, {"FunctionName": "f"})
            found = {
                int(version.version): (room.blobs.get(version.code_key), version.timeout_s)
                for version in page.items
                if version.version != LATEST
            }
            assert found == {
                number: (package(source), timeout)
                for number, (source, timeout) in model.versions.items()
            }

    anyio.run(run, tmp_path_factory.mktemp("model"))


async def take(room: Room, model: Model, step: str, argument: Any) -> None:
    """One step, in the control plane and in the model."""
    match step:
        case "code":
            model.configuration = (argument, model.configuration[1])
            await room.update_code(ZipFile=package(argument))
        case "code and publish":
            model.configuration = (argument, model.configuration[1])
            published = await room.update_code(ZipFile=package(argument), Publish=True)
            assert published.version == str(model.publish())
            await room.settled("f", published.version)
        case "timeout":
            model.configuration = (model.configuration[0], argument)
            await room.configure(Timeout=argument)
        case "publish":
            assert (await room.publish()).version == str(model.publish())
        case "delete":
            model.versions.pop(argument, None)
            params = {"FunctionName": "f", "Qualifier": str(argument)}
            await room.control.functions.delete(HERE, params)
    await room.settled()
