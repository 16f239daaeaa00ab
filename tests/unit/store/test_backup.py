"""Backups: whole or not there, restored as they were, and never over anything."""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import io
import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from lambent.model.async_event import AsyncEvent
from lambent.store import backup as backups
from lambent.store.archive import DATABASE, EVENTS, HEADER, MANIFEST, PACKAGES
from lambent.store.backup import BackupPaths, Contents, back_up
from lambent.store.blobs import key_of
from lambent.store.directory_blobs import DirectoryBlobs
from lambent.store.problems import StoreError
from lambent.store.restore import restore
from lambent.store.settings import StoreSettings
from lambent.store.store import Transaction, open_store
from tests.unit.store.test_store import KEY, version

pytestmark = pytest.mark.anyio
ABOUT = {"lambent": "test"}
BIG = b"b" * 100_000
SECRET = "session-tokens"


def places_in(root: Path, store: StoreSettings | None = None) -> BackupPaths:
    return BackupPaths(
        store=store or StoreSettings(synchronous="OFF"),
        state=root / "state",
        packages=root / "state" / "blobs",
        events=root / "state" / "blobs-events",
        credentials=root / "root-credentials",
    )


def event(number: int, **fields: object) -> AsyncEvent:
    plain = AsyncEvent(
        id=number, request_id=f"r{number}", key=KEY, qualifier=None, payload=b"{}",
        trace_id="t", accepted_at=1.0, due_at=2.0,
    )  # fmt: skip
    return dataclasses.replace(plain, **fields)  # type: ignore[arg-type]


async def fill(places: BackupPaths) -> bytes:
    """A platform's data: two functions, one package each, events of both sizes; returns a
    secret."""
    async with open_store(places.store, places.state) as store:
        packages, events = DirectoryBlobs(places.packages), DirectoryBlobs(places.events)
        for blobs in (packages, events):
            blobs.belong_to(store.id, is_new=store.is_new)
        keys = [key_of(data) for data in (b"one", b"two")]
        for key, data in zip(keys, (b"one", b"two"), strict=True):
            packages.put(key, data)
        events.put("2", BIG)

        def write(tx: Transaction) -> bytes:
            tx.functions.create(version(code_key=keys[0]))
            tx.functions.create(version(key=KEY._replace(name="g"), code_key=keys[1]))
            both = [(event(1), None), (event(2, payload=b"", is_offloaded=True), "somebody")]
            tx.async_events.add(both)
            return tx.identities.platform_secret(SECRET)

        secret = await store.transact(write)
    places.credentials.write_text("[default]")
    return secret


async def read(places: BackupPaths) -> tuple[list[str], int, bytes, bytes]:
    """What of it a platform finds: packages of the functions, events, a payload, the secret."""
    async with open_store(places.store, places.state) as store:
        packages, events = DirectoryBlobs(places.packages), DirectoryBlobs(places.events)
        for blobs in (packages, events):
            blobs.belong_to(store.id, is_new=store.is_new)
        keys = await store.transact(lambda tx: tx.functions.code_keys())
        count = await store.transact(lambda tx: tx.async_events.count())
        secret = await store.transact(lambda tx: tx.identities.platform_secret(SECRET))
    return sorted(packages.get(key).decode() for key in keys), count, events.get("2"), secret


def run_back_up(places: BackupPaths, file: Path) -> Contents:
    return back_up(places, file, ABOUT)


@pytest.mark.parametrize("into", ["sqlite", "postgresql"])
async def test_what_is_restored_is_what_was_backed_up(
    tmp_path: Path,
    database: Callable[..., StoreSettings],
    into: str,
    request: pytest.FixtureRequest,
) -> None:
    """From either kind of database into either, while the first is in use."""
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    old, file = places_in(tmp_path / "old", database(synchronous="OFF")), tmp_path / "backup"
    secret = await fill(old)
    async with open_store(old.store, old.state):
        made = await anyio.to_thread.run_sync(run_back_up, old, file)
    assert (made.packages, made.events, made.missing) == (2, 2, ())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    url = ""
    if into == "postgresql":
        url = request.getfixturevalue("postgresql").new_database()
    new = places_in(tmp_path / "new", StoreSettings(url=url, synchronous="OFF"))
    restored = await anyio.to_thread.run_sync(restore, new, file)
    assert (restored.packages, restored.events, restored.missing) == (2, 2, ())
    assert await read(new) == (["one", "two"], 2, BIG, secret)
    assert new.credentials.read_text() == "[default]"
    with pytest.raises(StoreError, match="Nothing was changed"):
        restore(new, file)
    assert sorted(os.listdir(tmp_path)) == ["backup", "new", "old"]
    assert not [name for name in os.listdir(new.state) if "restoring" in name]


async def test_nothing_is_overwritten(tmp_path: Path, anyio_backend: object) -> None:
    """Neither a file nor a platform's data, complete or in part."""
    old, file = places_in(tmp_path), tmp_path / "backup"
    await fill(old)
    file.write_text("mine")
    with pytest.raises(FileExistsError):
        run_back_up(old, file)
    assert file.read_text() == "mine"
    run_back_up(old, tmp_path / "other")
    (old.state / "lambent.db").rename(tmp_path / "away")
    with pytest.raises(StoreError, match="already holds packages"):
        restore(old, tmp_path / "other")
    assert len(list(DirectoryBlobs(old.packages).list_keys())) == 2
    with pytest.raises(StoreError, match="nothing to back up"):
        run_back_up(old, tmp_path / "third")
    assert not (tmp_path / "third").exists()


async def test_missing_and_damaged_packages_are_said(tmp_path: Path, anyio_backend: object) -> None:
    """The rest is still backed up."""
    old, file = places_in(tmp_path / "old"), tmp_path / "backup"
    (tmp_path / "old").mkdir()
    await fill(old)
    one, two = (key_of(data) for data in (b"one", b"two"))
    (old.packages / one).write_bytes(b"rotten")
    (old.packages / two).unlink()
    made = run_back_up(old, file)
    assert made.missing == tuple(sorted([PACKAGES + one, PACKAGES + two]))
    (tmp_path / "new").mkdir()
    restored = restore(places_in(tmp_path / "new"), file)
    assert restored.missing == (PACKAGES + one,)
    assert not list(DirectoryBlobs(tmp_path / "new" / "state" / "blobs").list_keys())


async def test_what_is_deleted_meanwhile_is_in_it(
    tmp_path: Path, anyio_backend: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packages and payloads that go between the copy of the database and their own."""
    old, file = places_in(tmp_path / "old"), tmp_path / "backup"
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    secret = await fill(old)
    copy_out = backups.copy_out

    def copy_and_delete(*arguments: object) -> None:
        copy_out(*arguments)  # type: ignore[arg-type]
        for directory in (old.packages, old.events):
            for key in list(DirectoryBlobs(directory).list_keys()):
                DirectoryBlobs(directory).delete(key)

    monkeypatch.setattr(backups, "copy_out", copy_and_delete)
    assert run_back_up(old, file).missing == ()
    assert not list(DirectoryBlobs(old.packages).list_keys())
    restore(places_in(tmp_path / "new"), file)
    assert await read(places_in(tmp_path / "new")) == (["one", "two"], 2, BIG, secret)


@pytest.mark.slow
async def test_a_database_that_is_written_all_the_time(
    tmp_path: Path, anyio_backend: object
) -> None:
    """The copy is of one moment: what was written together is there together."""
    places, file = places_in(tmp_path), tmp_path / "backup"
    await fill(places)
    done = threading.Event()
    async with open_store(places.store, places.state) as store:

        async def write() -> None:
            number = 100
            while not done.is_set():
                pair = [(event(number), None), (event(number + 1), None)]
                await store.transact(lambda tx, pair=pair: tx.async_events.add(pair))
                number += 2

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            counts = []
            for turn in range(5):
                archive = file.with_name(f"{turn}")
                made = await anyio.to_thread.run_sync(run_back_up, places, archive)
                counts.append(made.events)
            done.set()
    assert counts == sorted(counts)
    assert all(count % 2 == 0 for count in counts)
    assert counts[-1] > counts[0]


# -- hostile archives --------------------------------------------------------------------------


@pytest.fixture
async def whole(tmp_path: Path, anyio_backend: object) -> bytes:
    """The bytes of a valid archive."""
    (tmp_path / "old").mkdir()
    await fill(places_in(tmp_path / "old"))
    run_back_up(places_in(tmp_path / "old"), tmp_path / "whole")
    return (tmp_path / "whole").read_bytes()


def rewritten(whole: bytes, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]) -> bytes:
    """An archive with other members."""
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        members = []
        for info in tar:
            file = tar.extractfile(info)
            assert file is not None
            members.append((info, file.read()))
    change(members)
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return output.getvalue()


def member(name: str, data: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


ODD = [
    member("../../etc/cron.d/x"),
    member("/etc/passwd"),
    member("packages/../../../x"),
    member(f"packages/{'a' * 63}/"),
    member(f"{PACKAGES}{'a' * 64}", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    member(f"{PACKAGES}{'a' * 64}", b"", type=tarfile.LNKTYPE, linkname=DATABASE),
    member(f"{PACKAGES}{'a' * 64}", b"", type=tarfile.DIRTYPE),
    member(f"{PACKAGES}{'a' * 64}", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    member(f"{PACKAGES}{'a' * 64}", b"", type=tarfile.FIFOTYPE),
    member(f"{PACKAGES}{'a' * 64}", type=tarfile.GNUTYPE_SPARSE),
    member(f"{EVENTS}{'9' * 200}"),
    member("x" * 5000),
    member("state/lambent.db"),
]


@pytest.mark.slow
@pytest.mark.parametrize("odd", ODD, ids=lambda entry: f"{entry[0].name[:20]}-{entry[0].type!r}")
def test_what_is_no_part_of_a_backup_is_refused(
    tmp_path: Path, whole: bytes, odd: tuple[tarfile.TarInfo, bytes]
) -> None:
    """Paths that lead elsewhere, links, devices, sparse files, long names."""
    refuse(tmp_path, rewritten(whole, lambda members: members.insert(2, odd)))


def refuse(tmp_path: Path, content: bytes) -> str:
    """The restore is refused and leaves nothing; a valid backup may be restored there
    afterwards."""
    bad = tmp_path / "bad"
    bad.write_bytes(content)
    new = places_in(tmp_path / "new")
    (tmp_path / "new").mkdir(exist_ok=True)
    with pytest.raises(StoreError, match="cannot restore") as refused:
        restore(new, bad)
    left = [path for path in (tmp_path / "new").rglob("*") if path.is_file()]
    assert {path.name for path in left} <= {".lambent"}
    assert not new.credentials.exists()
    return str(refused.value)


@pytest.mark.slow
def test_archives_that_were_changed_are_refused(tmp_path: Path, whole: bytes) -> None:
    """A byte of any member, a member twice, missing, added or another's; a list that lies."""

    def list_with(**more: object) -> Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]:
        def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
            files = json.loads(members.pop()[1])["files"]
            members.append(member(MANIFEST, json.dumps({"files": {**files, **more}}).encode()))

        return change

    def flip(members: list[tuple[tarfile.TarInfo, bytes]], at: int) -> None:
        info, data = members[at]
        members[at] = info, bytes([data[0] ^ 1]) + data[1:]

    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        count = len(tar.getmembers())
    for at in range(count - 1):
        refuse(tmp_path, rewritten(whole, lambda members, at=at: flip(members, at)))
        refuse(tmp_path, rewritten(whole, lambda members, at=at: members.pop(at) and None))
        twice = rewritten(whole, lambda members, at=at: members.insert(at, members[at]))
        refuse(tmp_path, twice)
    package = f"{PACKAGES}{'a' * 64}"
    refuse(tmp_path, rewritten(whole, lambda members: members.insert(2, member(package))))
    refuse(tmp_path, rewritten(whole, list_with(**{package: {"size": 1, "sha256": "x"}})))
    refuse(tmp_path, rewritten(whole, list_with(**{DATABASE: 7})))
    for junk in (b"[]", b"{", b"[" * 100_000, b'{"files": []}', b"\xff"):
        listed = member(MANIFEST, junk)
        refuse(tmp_path, rewritten(whole, lambda members, it=listed: members.__setitem__(-1, it)))
    newer = member(HEADER, json.dumps({"format": 2}).encode())
    said = refuse(tmp_path, rewritten(whole, lambda members: members.__setitem__(0, newer)))
    assert "newer lambent" in said
    (tmp_path / "good").write_bytes(whole)
    assert restore(places_in(tmp_path / "new"), tmp_path / "good").packages == 2


@pytest.mark.slow
def test_archives_that_were_cut_off_or_are_none(tmp_path: Path, whole: bytes) -> None:
    """Wherever they end; compressed ones, text, nothing, and a size that is a lie."""
    chance = random.Random(3)
    end = whole.rindex(b"}") + 1
    for length in (0, 1, 511, 512, 513, *(chance.randrange(end) for _ in range(20))):
        refuse(tmp_path, whole[:length])
    for junk in (b"hello", chance.randbytes(100_000), bytes(100_000), b"\x1f\x8b" + bytes(600)):
        refuse(tmp_path, junk)
    huge = tarfile.TarInfo(f"{PACKAGES}{'a' * 64}")
    huge.size = 1 << 50
    block = huge.tobuf(tarfile.GNU_FORMAT)
    header_ends = 1024
    said = refuse(tmp_path, whole[:header_ends] + block + whole[header_ends:])
    assert "no room" in said


@pytest.mark.slow
def test_another_s_database_is_not_restored(tmp_path: Path, whole: bytes) -> None:
    """Nor a damaged one, though the list fits."""
    with contextlib.closing(sqlite3.connect(tmp_path / "songs")) as other:
        other.execute("CREATE TABLE songs (name TEXT)")
    for data in (b"junk" * 1000, (tmp_path / "songs").read_bytes(), b""):

        def change(members: list[tuple[tarfile.TarInfo, bytes]], data: bytes = data) -> None:
            at = next(n for n, member in enumerate(members) if member[0].name == DATABASE)
            members[at] = member(DATABASE, data)
            files = json.loads(members.pop()[1])["files"]
            files[DATABASE] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            members.append(member(MANIFEST, json.dumps({"files": files}).encode()))

        (tmp_path / "bad").write_bytes(rewritten(whole, change))
        (tmp_path / "new").mkdir(exist_ok=True)
        with pytest.raises(StoreError):
            restore(places_in(tmp_path / "new"), tmp_path / "bad")
        assert not (tmp_path / "new" / "state" / "lambent.db").exists()


# -- kills -------------------------------------------------------------------------------------

WORK = """
import sys
from pathlib import Path
from lambent.store.{module} import {function}
from lambent.store.backup import BackupPaths
from lambent.store.settings import StoreSettings
root, file = Path(sys.argv[1]), Path(sys.argv[2])
places = BackupPaths(store=StoreSettings(), state=root / "state", packages=root / "state" / "blobs",
    events=root / "state" / "blobs-events", credentials=root / "root-credentials")
print("begins", flush=True)
{function}(places, file{more})
print("done", flush=True)
"""


def killed(module: str, function: str, more: str, root: Path, file: Path, after_s: float) -> bool:
    """Run it and kill it after a while; returns whether it was done by then."""
    code = WORK.format(module=module, function=function, more=more)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(root), str(file)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after_s)
    process.send_signal(signal.SIGKILL)
    return "done" in process.communicate()[0]


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_kills_leave_no_half_backup(tmp_path: Path, anyio_backend: object) -> None:
    """At any moment: the file is complete or missing, and other leftovers are removed by the next
    backup. A restore that was killed is repeated, and until then there is no database."""
    old = places_in(tmp_path / "old")
    (tmp_path / "old").mkdir()
    await fill(old)
    async with open_store(old.store, old.state) as store:
        blobs = DirectoryBlobs(old.packages)

        def write(tx: Transaction) -> None:
            for number in range(100):
                data = f"{number}".encode() * 5000
                blobs.put(key_of(data), data)
                key = KEY._replace(name=f"n{number}")
                tx.functions.create(version(key=key, code_key=key_of(data)))

        await store.transact(write)
    chance = random.Random(4)
    place = tmp_path / "backups"
    place.mkdir()
    began = time.monotonic()
    assert killed("backup", "back_up", ", {}", tmp_path / "old", place / "timed", 60)
    longest_s = time.monotonic() - began
    for turn in range(5):
        file = place / f"{turn}"
        killed("backup", "back_up", ", {}", tmp_path / "old", file, chance.uniform(0, longest_s))
        if file.exists():
            (tmp_path / f"check{turn}").mkdir()
            assert restore(places_in(tmp_path / f"check{turn}"), file).packages == 102
    run_back_up(old, place / "last")
    assert not [name for name in os.listdir(place) if name.startswith(".")]
    new = places_in(tmp_path / "new")
    for _ in range(4):
        (tmp_path / "new").mkdir(exist_ok=True)
        if not (new.state / "lambent.db").exists():
            killed(
                "restore",
                "restore",
                "",
                tmp_path / "new",
                place / "last",
                chance.uniform(0, longest_s),
            )
    if not (new.state / "lambent.db").exists():
        restore(new, place / "last")
    assert (await read(new))[1:3] == (2, BIG)


@pytest.mark.slow
def test_two_backups_at_once(tmp_path: Path, whole: bytes) -> None:
    """Neither mistakes the other's unfinished files for leftovers."""
    old = places_in(tmp_path / "old")
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        files = [tmp_path / f"at-once-{number}" for number in range(4)]
        made = list(threads.map(lambda file: run_back_up(old, file), files))
    assert {backup.packages for backup in made} == {2}
    for number, file in enumerate(files):
        (tmp_path / f"new{number}").mkdir()
        assert restore(places_in(tmp_path / f"new{number}"), file).events == 2
