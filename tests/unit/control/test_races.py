"""Two control planes on one PostgreSQL do the same at the same time: one succeeds, and the other
gets AWS's error."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from lambent.control.packages import GRACE_S
from lambent.control.settings import ControlSettings
from lambent.model.errors import ApiError
from lambent.store.blobs import key_of
from lambent.store.settings import StoreSettings
from tests.databases import PostgreSql
from tests.unit.control.control_room import HERE, Room, open_room, package

pytestmark = pytest.mark.anyio
ROUNDS = 8


@pytest.fixture
async def rooms(tmp_path: Path, postgresql: PostgreSql) -> AsyncIterator[tuple[Room, Room]]:
    """Two rooms of one account, of whose seven concurrent executions one stays unreserved."""
    database = StoreSettings(url=postgresql.new_database(), shared=True)
    settings = ControlSettings(unreserved_concurrency_min=1)
    one_state, other_state = (tmp_path / name / "state" for name in ("one", "other"))
    other_state.mkdir(parents=True)
    (other_state / "blobs").symlink_to(one_state / "blobs")
    async with (
        open_room(one_state, settings, database) as one,
        open_room(other_state, settings, database) as other,
    ):
        yield one, other


async def together(*attempts: Awaitable[Any]) -> list[Any]:
    """What becomes of each: its result, or the code of the error."""
    found: list[Any] = [None] * len(attempts)

    async def run(number: int, attempt: Awaitable[Any]) -> None:
        try:
            found[number] = await attempt
        except ApiError as error:
            found[number] = error.code

    async with anyio.create_task_group() as tasks:
        for number, attempt in enumerate(attempts):
            tasks.start_soon(run, number, attempt)
    return found


def errors(found: Sequence[Any]) -> list[str]:
    return [result for result in found if isinstance(result, str)]


async def test_one_function_of_a_name(rooms: tuple[Room, Room]) -> None:
    for number in range(ROUNDS):
        found = await together(*(room.create(f"f{number}") for room in rooms))
        assert errors(found) == ["ResourceConflictException"]
        await rooms[0].settled(f"f{number}")


async def test_version_numbers(rooms: tuple[Room, Room]) -> None:
    """Both publish the same `$LATEST`: the result is one version, and both get it."""
    await rooms[0].create_active()
    for number in range(1, ROUNDS + 1):
        await rooms[0].configure(Description=f"{number}")
        await rooms[0].settled()
        found = await together(*(room.publish() for room in rooms))
        assert [version.version for version in found] == [str(number)] * 2


async def test_revision_ids(rooms: tuple[Room, Room]) -> None:
    """Of two updates that expect the same revision one is refused, or meets the other's."""
    await rooms[0].create_active()
    for number in range(ROUNDS):
        latest = await rooms[0].settled()
        found = await together(
            *(
                room.update_code(
                    ZipFile=package(f"{number} {which}"), RevisionId=latest.revision_id
                )
                for which, room in enumerate(rooms)
            )
        )
        (error,) = errors(found)
        assert error in ("PreconditionFailedException", "ResourceConflictException")
        (won,) = [result for result in found if not isinstance(result, str)]
        assert (await rooms[1].settled()).code_key == won.code_key


async def test_reserved_concurrency_adds_up(rooms: tuple[Room, Room]) -> None:
    """Never to more than the account has, whatever the requests."""
    names = ("f", "g")
    for name in names:
        await rooms[0].create_active(name)

    def reserve(room: Room, name: str) -> Awaitable[Any]:
        params = {"FunctionName": name, "ReservedConcurrentExecutions": 4}
        return room.control.concurrency.reserve(HERE, params)

    for _ in range(ROUNDS):
        found = await together(
            *(reserve(room, name) for room, name in zip(rooms, names, strict=True))
        )
        assert errors(found) == ["InvalidParameterValueException"]
        for name in names:
            await rooms[0].control.concurrency.release(HERE, {"FunctionName": name})


async def test_aliases_and_policies(rooms: tuple[Room, Room]) -> None:
    """An alias is created once; of two statements none is lost."""
    await rooms[0].create_active()
    await rooms[0].publish()
    alias = {"FunctionName": "f", "Name": "live", "FunctionVersion": "1"}
    found = await together(*(room.control.aliases.create(HERE, alias) for room in rooms))
    assert errors(found) == ["ResourceConflictException"]
    await together(
        *(
            room.control.permissions.add(
                HERE,
                {
                    "FunctionName": "f",
                    "StatementId": f"s{which}",
                    "Action": "lambda:InvokeFunction",
                    "Principal": "*",
                },
            )
            for which, room in enumerate(rooms)
        )
    )
    policy = await rooms[0].control.permissions.get(HERE, {"FunctionName": "f"})
    assert Counter(policy["Policy"].split('"'))["s0"] == 1
    assert Counter(policy["Policy"].split('"'))["s1"] == 1


async def test_a_mapping_of_a_source(rooms: tuple[Room, Room]) -> None:
    await rooms[0].create_active()
    source = f"arn:aws:sqs:{HERE.region}:{HERE.account}:q"
    params = {"FunctionName": "f", "EventSourceArn": source}
    found = await together(*(room.control.mappings.create(HERE, params) for room in rooms))
    assert errors(found) == ["ResourceConflictException"]


async def test_a_package_that_is_deleted_and_deployed(rooms: tuple[Room, Room]) -> None:
    """One platform deletes the last function that uses a package, and the grace passes, while the
    other deploys it: the function that is there has its package."""
    one, other = rooms
    code = {"ZipFile": package("shared")}
    for number in range(ROUNDS):
        await one.create_active(f"a{number}", Code=code)

        async def delete(name: str = f"a{number}") -> None:
            await one.control.functions.delete(HERE, {"FunctionName": name})
            for _ in range(20):
                one.clock.advance(GRACE_S)
                await anyio.sleep(0.001)

        await together(delete(), other.create(f"b{number}", Code=code))
        await other.settled(f"b{number}")
        await one.grace_ends()
        assert other.blobs.exists(key_of(code["ZipFile"]))
        await other.control.functions.delete(HERE, {"FunctionName": f"b{number}"})


async def test_a_package_in_a_transaction_that_lasts(rooms: tuple[Room, Room]) -> None:
    """It was marked before. The deletion does not wait, and leaves it."""
    one, other = rooms
    data = package("slow")
    await one.create_active(Code={"ZipFile": data})
    await one.control.functions.delete(HERE, {"FunctionName": "f"})
    entered, go = anyio.Event(), anyio.Event()
    from_thread: Callable[[Callable[[], Any]], Any] = anyio.from_thread.run_sync

    def refer(tx: Any) -> None:
        tx.unused_packages.hold(key_of(data))
        from_thread(entered.set)
        anyio.from_thread.run(go.wait)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other.store.transact, refer)
        await entered.wait()
        one.clock.advance(GRACE_S)
        for _ in range(20):
            one.clock.advance(1)
            await anyio.sleep(0.005)
        assert one.blobs.exists(key_of(data))
        go.set()
