"""Functions from creation to deletion, at the control plane's own door."""

import base64
import hashlib
import random
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy.exc import OperationalError

from lambent.control.settings import ControlSettings
from lambent.model.errors import ApiError
from lambent.model.function import LATEST, FunctionKey
from lambent.model.packages import PackageError
from lambent.sandbox.ports import SandboxBusy, SandboxError
from tests.unit.control.control_room import HERE, Room, open_room, package, refused, wait_until

pytestmark = pytest.mark.anyio
KEY = FunctionKey(HERE.account, HERE.region, "f")


async def test_creation_is_pending_and_then_active(room: Room) -> None:
    """A new function is Pending until its code is prepared; each step has its own revision."""
    room.gate.shut()
    created = await room.create()
    assert (created.state, created.state_reason_code) == ("Pending", "Creating")
    assert created.state_reason == "The function is being created."
    assert created.last_update_status is None
    digest = hashlib.sha256(package()).digest()
    assert created.code_sha256 == base64.b64encode(digest).decode()
    assert created.code_size == len(package())
    assert await room.latest() == created
    room.gate.open()
    active = await room.settled()
    assert (active.state, active.last_update_status) == ("Active", "Successful")
    assert active.state_reason is None
    assert active.revision_id != created.revision_id
    assert active.configuration_id == created.configuration_id
    assert room.blobs.get(active.code_key) == package()


async def test_pending_functions_cannot_be_changed(room: Room) -> None:
    """Everything that would change a Pending function is refused with AWS's words."""
    room.gate.shut()
    await room.create()
    for attempt in (
        room.update_code(ZipFile=package("2")),
        room.configure(Timeout=4),
        room.publish(),
    ):
        error = await refused(attempt)
        assert error.code == "ResourceConflictException"
        assert error.message == (
            "The operation cannot be performed at this time. The function is currently in the"
            " following state: Pending"
        )


async def test_updates_in_progress_block_changes_and_keep_the_old_serving(room: Room) -> None:
    """Until an update is done, invocations see what was there and changes are refused."""
    before = await room.create_active()
    room.gate.shut()
    updated = await room.update_code(ZipFile=package("2"))
    assert (updated.state, updated.last_update_status) == ("Active", "InProgress")
    assert updated.last_update_status_reason_code == "Creating"
    assert updated.code_key != before.code_key
    assert await room.store.resolve(KEY, None) == before
    tag = {"Resource": KEY.arn, "Tags": {"a": "b"}}
    for attempt in (
        room.update_code(ZipFile=package("3")),
        room.configure(Timeout=4),
        room.publish(),
        room.control.tags.add(HERE, tag),
    ):
        error = await refused(attempt)
        assert error.code == "ResourceConflictException"
        assert error.message == (
            "The operation cannot be performed at this time. An update is in progress for"
            f" resource: {KEY.arn}"
        )
    room.gate.open()
    after = await room.settled()
    assert after.last_update_status == "Successful"
    assert after.revision_id != updated.revision_id
    assert await room.store.resolve(KEY, LATEST) == after
    await room.grace_until(lambda: not room.blobs.exists(before.code_key))


async def test_failed_creation(room: Room) -> None:
    """A package the worker cannot unpack fails the function; it can only be deleted."""
    room.gate.error = PackageError("it is broken")
    failed = await room.create_active()
    assert (failed.state, failed.state_reason_code) == ("Failed", "InvalidZipFileException")
    assert failed.state_reason == "it is broken"
    assert (await refused(room.configure(Timeout=4))).message.endswith("state: Failed")
    await room.control.functions.delete(HERE, {"FunctionName": "f"})


@pytest.mark.parametrize(
    "error", [SandboxError("the launcher is gone"), PermissionError("no"), RecursionError("a bug")]
)
async def test_what_the_machine_cannot_do_fails_one_version(room: Room, error: Exception) -> None:
    """Whatever the error is; others are still prepared."""
    room.gate.error = error
    failed = await room.create_active()
    assert (failed.state, failed.state_reason_code) == ("Failed", "InternalError")
    assert failed.state_reason == "Lambda could not prepare the function."
    room.gate.error = None
    assert (await room.create_active("g")).state == "Active"


async def test_what_the_machine_has_no_time_for_is_prepared_later(room: Room) -> None:
    room.gate.error = SandboxBusy("too many requests wait for the launcher")
    await room.create()
    await wait_until(lambda: bool(room.gate.prepared))
    assert (await room.latest()).state == "Pending"
    room.gate.error = None
    with anyio.fail_after(10):
        while (await room.latest()).state == "Pending":
            room.clock.advance(1)
    assert (await room.latest()).state == "Active"


async def test_failed_update_keeps_the_old_version_serving(room: Room) -> None:
    """After a failed update the previous code answers, through further changes too."""
    before = await room.create_active()
    room.gate.error = OSError("disk full")
    await room.update_code(ZipFile=package("2"))
    failed = await room.settled()
    assert (failed.state, failed.last_update_status) == ("Active", "Failed")
    assert failed.last_update_status_reason_code == "InternalError"
    assert await room.store.resolve(KEY, None) == before
    await room.update_code(ZipFile=package("3"))
    assert await room.store.resolve(KEY, None) == before
    await room.settled()
    await room.grace_ends()
    assert not room.blobs.exists(failed.code_key)
    room.gate.error = None
    await room.update_code(ZipFile=package("4"))
    repaired = await room.settled()
    assert await room.store.resolve(KEY, None) == repaired


async def test_identical_code_still_makes_a_new_revision(room: Room) -> None:
    """Uploading the same package again is an update."""
    before = await room.create_active()
    await room.update_code(ZipFile=package())
    after = await room.settled()
    assert after.revision_id != before.revision_id
    assert after.configuration_id != before.configuration_id
    assert after.code_key == before.code_key
    assert room.blobs.exists(after.code_key)


async def test_revision_ids_guard_updates(room: Room) -> None:
    """A stale RevisionId is refused everywhere, the latest one accepted."""
    stale = (await room.create()).revision_id
    await room.settled()
    for attempt in (
        room.update_code(ZipFile=package("2"), RevisionId=stale),
        room.configure(Timeout=4, RevisionId=stale),
        room.publish(RevisionId=stale),
    ):
        error = await refused(attempt)
        assert (error.code, error.status) == ("PreconditionFailedException", 412)
        assert error.message == (
            "The Revision Id provided does not match the latest Revision Id. Call the"
            " GetFunction/GetAlias API to retrieve the latest Revision Id"
        )
    await room.configure(Timeout=4, RevisionId=(await room.latest()).revision_id)


async def test_dry_run_changes_nothing(room: Room) -> None:
    """DryRun checks the package and answers what would be."""
    before = await room.create_active()
    answer = await room.update_code(ZipFile=package("2"), DryRun=True)
    assert answer.code_key != before.code_key
    assert await room.latest() == before
    await room.grace_ends()
    assert set(room.blobs.list_keys()) == {before.code_key}
    error = await refused(room.update_code(ZipFile=b"no zip", DryRun=True))
    assert error.message.startswith("Could not unzip uploaded file.")


async def test_names_are_taken_once(room: Room) -> None:
    """A second function with the name is refused, and leaves nothing behind."""
    await room.create()
    error = await refused(room.create(Code={"ZipFile": package("other")}))
    assert error.code == "ResourceConflictException"
    assert error.message == "Function already exist: f"
    await room.grace_ends()
    assert len(set(room.blobs.list_keys())) == 1


async def test_missing_functions_are_not_found(room: Room) -> None:
    """Every operation names the ARN it did not find, with the qualifier if there was one."""
    for attempt in (
        room.latest(),
        room.update_code(ZipFile=package()),
        room.configure(Timeout=4),
        room.publish(),
        room.control.functions.delete(HERE, {"FunctionName": "f"}),
        room.control.versions.list(HERE, {"FunctionName": "f"}),
        room.control.tags.list(HERE, {"Resource": KEY.arn}),
    ):
        error = await refused(attempt)
        assert error.code == "ResourceNotFoundException"
        assert error.message == f"Function not found: {KEY.arn}"
    await room.create()
    for qualifier in ("7", "live"):
        assert (await refused(room.latest("f", qualifier))).message == (
            f"Function not found: {KEY.arn}:{qualifier}"
        )


async def test_blobs_live_as_long_as_something_refers_to_them(room: Room) -> None:
    """Functions with equal code share a blob; the last one to go takes it along."""
    await room.create_active("f")
    code_key = (await room.create_active("g")).code_key
    await room.publish("g")
    await room.control.functions.delete(HERE, {"FunctionName": "f"})
    assert room.blobs.exists(code_key)
    await room.update_code("g", ZipFile=package("2"))
    await room.settled("g")
    await room.grace_ends()
    assert room.blobs.exists(code_key)
    await room.control.functions.delete(HERE, {"FunctionName": "g", "Qualifier": "1"})
    await room.grace_ends()
    assert not room.blobs.exists(code_key)
    await room.control.functions.delete(HERE, {"FunctionName": "g"})
    await room.grace_ends()
    assert not set(room.blobs.list_keys())


async def test_no_blob_is_lost_or_left_in_a_crowd(room: Room) -> None:
    """Many callers share few packages: every version keeps its blob, and no other blob stays."""
    chance = random.Random(7)
    is_whole: list[bool] = []

    async def live(name: str) -> None:
        for _ in range(6):
            code = {"ZipFile": package(chance.choice("abc"))}
            try:
                match chance.choice(("create", "update", "publish", "delete")):
                    case "create":
                        await room.create(name, Code=code, Publish=chance.random() < 0.5)
                    case "update":
                        await room.update_code(name, **code)
                    case "publish":
                        await room.publish(name)
                    case _:
                        await room.control.functions.delete(HERE, {"FunctionName": name})
            except ApiError as error:
                assert error.status < 500

    async def watch() -> None:
        while True:
            is_whole.append(
                await room.store.transact(
                    lambda tx: tx.functions.code_keys() <= set(room.blobs.list_keys())
                )
            )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        async with anyio.create_task_group() as crowd:
            for number in range(12):
                crowd.start_soon(live, f"f{number % 4}")
        tasks.cancel_scope.cancel()
    assert all(is_whole)
    await settle_all(room)
    used = await room.store.transact(lambda tx: tx.functions.code_keys())
    await room.grace_until(lambda: set(room.blobs.list_keys()) == used)


async def settle_all(room: Room) -> None:
    """Wait until no change of any function is in progress."""
    page = await room.control.functions.list(HERE, {"FunctionVersion": "ALL"})
    for version in page.items:
        await room.settled(version.key.name, version.version)


async def test_a_restart_finishes_what_was_under_way(tmp_path: Path) -> None:
    """Pending functions become Active after a restart; unused blobs are swept."""
    async with open_room(tmp_path) as room:
        await room.create_active("done")
        room.gate.shut()
        await room.create("f", Publish=True)
        room.blobs.put(room.blobs.key_of(b"left over"), b"left over")
    async with open_room(tmp_path) as room:
        assert (await room.settled("f")).state == "Active"
        assert (await room.settled("f", "1")).state == "Active"
        assert sorted(room.gate.prepared) == [KEY.arn, f"{KEY.arn}:1"]
        assert not room.blobs.exists(room.blobs.key_of(b"left over"))


async def test_deleting_during_preparation_is_no_trouble(room: Room) -> None:
    """What is gone when its preparation ends stays gone; a namesake is prepared by itself."""
    room.gate.shut()
    await room.create()
    await room.control.functions.delete(HERE, {"FunctionName": "f"})
    await room.create()
    room.gate.open()
    assert (await room.settled()).state == "Active"


async def test_packages_from_s3(room: Room) -> None:
    """S3Bucket and S3Key name a package; what S3 says is passed on."""
    room.objects.objects["bucket", "key"] = package("from s3")
    created = await room.create(Code={"S3Bucket": "bucket", "S3Key": "key"})
    assert room.blobs.get(created.code_key) == package("from s3")
    error = await refused(room.create("g", Code={"S3Bucket": "bucket", "S3Key": "other"}))
    assert "S3 Error Code: NoSuchKey" in error.message


async def test_sources_of_code(room: Room) -> None:
    """There must be exactly one source, of a kind that can be run here."""
    for code, message in (
        ({}, "Please provide a source for function code."),
        ({"S3Bucket": "b"}, "Please provide a source for function code."),
        ({"ZipFile": package(), "S3Key": "k"}, "Please do not provide other FunctionCode"),
        ({"ImageUri": "i"}, "container images are not supported"),
        ({"ZipFile": b""}, "Could not unzip uploaded file"),
    ):
        error = await refused(room.create(Code=code))
        assert error.code == "InvalidParameterValueException"
        assert message in error.message
    error = await refused(room.create(Code={"ZipFile": bytes(52_428_801)}))
    assert (error.code, error.status) == ("RequestEntityTooLargeException", 413)
    assert error.message == "Zipped size must be smaller than 52428800 bytes"
    await room.create_active()
    error = await refused(room.update_code(ImageUri="i"))
    assert error.message == (
        "Please don't provide ImageUri when updating a function with packageType Zip."
    )


async def test_account_settings_count_every_copy(tmp_path: Path) -> None:
    """Each version counts its package in full, and only up to the account's quota."""
    size = len(package())
    settings = ControlSettings(total_code_size_bytes=3 * size)
    async with open_room(tmp_path, settings) as room:
        await room.create_active("f")
        await room.publish("f")
        await room.create_active("g")
        account = await room.control.account.get_settings(HERE)
        assert (account.total_code_size, account.function_count) == (3 * size, 2)
        assert account.concurrent_executions == account.unreserved_concurrent_executions == 7
        error = await refused(room.publish("g"))
        assert error.code == "CodeStorageExceededException"
        assert (await refused(room.create("h"))).code == "CodeStorageExceededException"


async def test_functions_are_listed_in_pages(room: Room) -> None:
    """Pages follow each other by an opaque marker; a page has at most 50 functions."""
    for number in range(53):
        await room.create(f"f{number:02}")
    pages, marker = [], None
    while True:
        page = await room.control.functions.list(HERE, {"Marker": marker, "MaxItems": 1000})
        pages.append([version.key.name for version in page.items])
        marker = page.next_marker
        if marker is None:
            break
    names = [f"f{number:02}" for number in range(53)]
    assert pages == [names[:50], names[50:]]
    for nonsense in ("x", "bnVsbA==", "W10=", "é", "W251bGwsIDFd"):
        error = await refused(room.control.functions.list(HERE, {"Marker": nonsense}))
        assert error.code == "InvalidParameterValueException"


async def test_all_versions_are_listed_in_pages(room: Room) -> None:
    """With FunctionVersion=ALL, each function's $LATEST comes first, then its versions."""
    for name in ("a", "b"):
        await room.create_active(name, Publish=True)
    seen, marker = [], None
    for _ in range(4):
        params = {"FunctionVersion": "ALL", "MaxItems": 1, "Marker": marker}
        page = await room.control.functions.list(HERE, params)
        seen += [(version.key.name, version.version) for version in page.items]
        marker = page.next_marker
    assert seen == [("a", LATEST), ("a", "1"), ("b", LATEST), ("b", "1")]
    assert marker is None


async def test_accounts_and_regions_do_not_meet(room: Room) -> None:
    """The same name elsewhere is another function."""
    await room.create()
    for elsewhere in (HERE._replace(account="222222222222"), HERE._replace(region="eu-west-1")):
        page = await room.control.functions.list(elsewhere, {})
        assert not page.items


async def test_secrets_are_not_in_the_repr(room: Room) -> None:
    """Neither variables nor code appear where a value is printed."""
    created = await room.create(Environment={"Variables": {"PASSWORD": "hunter2"}})
    assert created.environment == {"PASSWORD": "hunter2"}
    assert "hunter2" not in repr(created)


async def test_code_and_layers_together_have_a_size(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted unzipped, at creation, when layers are changed and when the code is."""
    monkeypatch.setattr("lambent.model.limits.CODE_SIZE_UNZIPPED_MAX", 100)
    layer = await room.control.layers.publish(
        HERE, {"LayerName": "l", "Content": {"ZipFile": package("x" * 60)}}
    )
    large, small = package("y" * 60), package("y" * 40)
    error = await refused(room.create(Code={"ZipFile": large}, Layers=[layer.arn]))
    assert error.message == (
        "Function code combined with layers exceeds the maximum allowed size of 100 bytes. The"
        " actual size is 120 bytes."
    )
    await room.create_active(Code={"ZipFile": small}, Layers=[layer.arn])
    assert (await refused(room.update_code(ZipFile=large))).code == "InvalidParameterValueException"
    await room.configure(Layers=[])
    await room.settled()
    await room.update_code(ZipFile=large)
    await room.settled()
    error = await refused(room.configure(Layers=[layer.arn]))
    assert "120 bytes" in error.message


async def test_a_package_that_is_elsewhere_is_left_alone(room: Room) -> None:
    """Another platform on the same database has it, and will conclude what it began."""
    room.gate.error = FileNotFoundError("no such blob")
    await room.create()
    await wait_until(lambda: bool(room.gate.prepared))
    assert (await room.latest()).state == "Pending"
    room.gate.error = None
    await room.create("g")
    assert (await room.settled()).state == "Active"


async def test_a_database_that_is_away_for_a_moment_leaves_no_version_behind(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is to be prepared is read again, and results are written again."""
    room.gate.shut()
    await room.create()
    await wait_until(lambda: bool(room.gate.prepared))
    transact, failures = room.store.transact, 3

    async def fail(work: Any) -> Any:
        nonlocal failures
        if failures:
            failures -= 1
            raise OperationalError("UPDATE", {}, Exception("database is locked"))
        return await transact(work)

    monkeypatch.setattr(room.store, "transact", fail)
    room.gate.open()
    await wait_until(lambda: failures == 2)
    with anyio.fail_after(10):
        while failures:
            room.clock.advance(10)
            await anyio.sleep(0.001)
        while (await room.latest()).state == "Pending":
            room.clock.advance(10)
    assert (await room.latest()).state == "Active"
    assert (await room.create_active("g")).state == "Active"
