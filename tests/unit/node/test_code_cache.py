"""The code cache: packages on disk, whole or not at all."""

import asyncio
import io
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from lambent.kit.clock import ManualClock
from lambent.model.packages import PackageError
from lambent.node.code.cache import CodeCache, disk_usage, open_code_cache

pytestmark = pytest.mark.anyio
BOOT = Path("/proc/sys/kernel/random/boot_id").read_text()
KEY, OTHER = "ab" * 32, "cd" * 32


def make_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, mode, contents in (
            ("app.py", stat.S_IFREG | 0o600, "code"),
            ("bootstrap", stat.S_IFREG | 0o6755, "#!/bin/sh"),
            ("lib/deep/x.py", stat.S_IFREG | 0o444, "x"),
            ("empty/", stat.S_IFDIR | 0o700, ""),
            ("lib/link", stat.S_IFLNK | 0o777, "../app.py"),
        ):
            entry = zipfile.ZipInfo(name)
            entry.create_system = 3
            entry.external_attr = mode << 16
            archive.writestr(entry, contents)
    return file.getvalue()


@pytest.fixture
def narrow_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


class Source:
    """The source of packages; counts requests."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.fetches = 0

    async def fetch(self, code_key: str) -> bytes:
        assert len(code_key) == 64
        self.fetches += 1
        await anyio.lowlevel.checkpoint()
        return self.data


@pytest.mark.usefixtures("narrow_umask")
async def test_packages_are_readable_by_the_function(tmp_path: Path) -> None:
    """Contents and links as packed; every user may read, and has no other permission."""
    async with open_code_cache(tmp_path / "code", Source(make_zip()).fetch) as cache:
        directory = await cache.ensure(KEY)
    assert directory == tmp_path / "code" / KEY
    assert (directory / "lib/link").read_text() == "code"
    modes = {
        str(path.relative_to(directory)): oct(stat.S_IMODE(path.lstat().st_mode))
        for path in directory.rglob("*")
        if not path.is_symlink()
    }
    assert modes == {
        "app.py": "0o644",
        "bootstrap": "0o755",
        "lib": "0o755",
        "lib/deep": "0o755",
        "lib/deep/x.py": "0o644",
        "empty": "0o755",
    }
    assert stat.S_IMODE(directory.stat().st_mode) == 0o755
    assert os.readlink(directory / "lib/link") == "../app.py"


async def test_a_package_is_unpacked_once(tmp_path: Path) -> None:
    """However many ask for it, at the same time or later."""
    source = Source(make_zip())
    async with open_code_cache(tmp_path, source.fetch) as cache:
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(cache.ensure, KEY)
        await cache.ensure(KEY)
    async with open_code_cache(tmp_path, source.fetch) as cache:
        await cache.ensure(KEY)
    assert source.fetches == 1


async def test_failures_leave_nothing_and_may_be_repeated(tmp_path: Path) -> None:
    """A bad package is an error for every caller, until a good one is available."""
    source = Source(b"no zip")
    async with open_code_cache(tmp_path, source.fetch) as cache:
        for _ in range(2):
            with pytest.raises(PackageError):
                await cache.ensure(KEY)
        assert names_in(tmp_path) == {".boot"}
        source.data = make_zip()
        assert (await cache.ensure(KEY)).is_dir()


async def test_leftovers_are_swept(tmp_path: Path) -> None:
    """Half-unpacked packages go at the next start, and everything goes with the boot."""
    source = Source(make_zip())
    async with open_code_cache(tmp_path, source.fetch) as cache:
        await cache.ensure(KEY)
    (tmp_path / ".partial-1").mkdir()
    async with open_code_cache(tmp_path, source.fetch):
        assert names_in(tmp_path) == {".boot", KEY}
    (tmp_path / ".boot").write_text("another boot")
    async with open_code_cache(tmp_path, source.fetch) as cache:
        assert names_in(tmp_path) == {".boot"}
        await cache.ensure(KEY)
    assert source.fetches == 2


async def test_unused_code_is_freed_when_its_last_user_ends(tmp_path: Path) -> None:
    """With its bytecode and its merged layers; a package in use stays until its last user has
    gone."""
    source = Source(make_zip())
    async with open_code_cache(tmp_path, source.fetch) as cache:
        async with cache.use(KEY, [OTHER, KEY]), cache.use(OTHER):
            (tmp_path / f"{KEY}.python3.12").mkdir()
            there = names_in(tmp_path)
            assert len(there) == 5
            await cache.free(set())
            assert names_in(tmp_path) == there
        await cache.free({KEY, OTHER})
        assert names_in(tmp_path) == there
        async with cache.use(KEY):
            await cache.free(set())
            assert names_in(tmp_path) == {".boot", KEY, f"{KEY}.python3.12"}
        await cache.free({KEY})
        assert KEY in names_in(tmp_path)
        await cache.free(set())
        assert names_in(tmp_path) == {".boot"}
        assert (await cache.ensure(KEY)).is_dir()


async def test_leftovers_of_an_earlier_life_are_freed(tmp_path: Path) -> None:
    """Merged layers too, because they can be merged again."""
    for name in (KEY, OTHER, f"{OTHER}.python3.12", "layers-1"):
        (tmp_path / name).mkdir()
    (tmp_path / ".boot").write_text(BOOT)
    async with open_code_cache(tmp_path, Source(make_zip()).fetch) as cache:
        await cache.free({KEY})
        assert names_in(tmp_path) == {".boot", KEY}


async def test_the_disk_is_bounded(tmp_path: Path) -> None:
    """What was used longest ago goes first, needed or not; nothing that is used."""
    keys = [f"{number:064x}" for number in range(6)]
    source = Source(make_zip())
    async with open_code_cache(tmp_path, source.fetch) as cache, cache.use(keys[0]):
        package_bytes = disk_usage(tmp_path / keys[0])
    assert package_bytes > 0
    async with (
        open_code_cache(tmp_path, source.fetch, 3 * package_bytes) as cache,
        cache.use(keys[0]),
    ):
        for key in (*keys, keys[1]):
            async with cache.use(key):
                pass
        await cache.free(set(keys))
        assert names_in(tmp_path) == {".boot", keys[0], keys[5], keys[1]}
        async with cache.use(keys[2]), cache.use(keys[3]), cache.use(keys[4]):
            await cache.free(set(keys))
            assert names_in(tmp_path) == {".boot", keys[0], *keys[2:5]}


async def test_freeing_follows_changes_and_ends_of_environments(tmp_path: Path) -> None:
    """By itself, soon after; a failure is made good at the next attempt."""
    clock = ManualClock()
    needed: set[str] = set()
    lookups = 0

    async def ask() -> set[str]:
        nonlocal lookups
        lookups += 1
        return needed

    async def settle() -> None:
        for _ in range(20):
            clock.advance(1)
            await asyncio.sleep(0.002)

    source = Source(make_zip())
    async with (
        open_code_cache(tmp_path, source.fetch) as cache,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(cache.keep_small, ask, clock)
        needed.add(KEY)
        async with cache.use(KEY):
            await settle()
            needed.clear()
            cache.note_change()
            await settle()
            assert KEY in names_in(tmp_path)
        with anyio.fail_after(10):
            while names_in(tmp_path) != {".boot"}:
                await settle()
        before = lookups
        await settle()
        assert lookups == before
        tasks.cancel_scope.cancel()


async def test_a_request_during_the_deletion_fetches_it_again(tmp_path: Path) -> None:
    """A start that begins at the same moment waits, and unpacks again."""
    source = Source(make_zip())
    async with open_code_cache(tmp_path, source.fetch) as cache:
        for _ in range(20):
            await cache.ensure(KEY)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(cache.free, set())
                await anyio.lowlevel.checkpoint()
                async with cache.use(KEY) as (directory, _):
                    await cache.free(set())
                    assert (directory / "app.py").read_text() == "code"


async def test_a_crowd_survives_a_cancelled_leader(tmp_path: Path) -> None:
    """If the caller that unpacks is cancelled, the next one does it."""
    requested = anyio.Event()
    first = True

    async def fetch(code_key: str) -> bytes:
        nonlocal first
        if first:
            first = False
            requested.set()
            await anyio.sleep_forever()
        return make_zip()

    async with open_code_cache(tmp_path, fetch) as cache, anyio.create_task_group() as tasks:
        leader = anyio.CancelScope()

        async def lead(cache: CodeCache) -> None:
            with leader:
                await cache.ensure(KEY)

        tasks.start_soon(lead, cache)
        await requested.wait()
        tasks.start_soon(cache.ensure, KEY)
        leader.cancel()
    assert (tmp_path / KEY).is_dir()
