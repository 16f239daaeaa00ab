"""The code cache: packages on disk, whole or not at all."""

import io
import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from lambent.model.packages import PackageError
from lambent.worker.code import CodeCache, open_code_cache

pytestmark = pytest.mark.anyio
KEY = "ab" * 32


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
    """Where packages come from; counts how often it was asked."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.fetches = 0

    async def fetch(self, code_key: str) -> bytes:
        assert code_key == KEY
        self.fetches += 1
        await anyio.lowlevel.checkpoint()
        return self.data


@pytest.mark.usefixtures("narrow_umask")
async def test_packages_are_readable_by_the_function(tmp_path: Path) -> None:
    """Contents and links as packed; everybody may read, nobody gets more than that."""
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
    """A bad package is an error for everybody who asks, until a good one comes."""
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


async def test_unused_packages_can_be_discarded(tmp_path: Path) -> None:
    """Only what is named stays."""
    source = Source(make_zip())
    async with open_code_cache(tmp_path, source.fetch) as cache:
        await cache.ensure(KEY)
        (tmp_path / ("cd" * 32)).mkdir()
        await cache.discard_except({KEY})
        assert names_in(tmp_path) == {".boot", KEY}
        await cache.discard_except(set())
        assert names_in(tmp_path) == {".boot"}


async def test_a_crowd_survives_a_cancelled_leader(tmp_path: Path) -> None:
    """If whoever unpacks gives up, the next one does it."""
    asked = anyio.Event()
    first = True

    async def fetch(code_key: str) -> bytes:
        nonlocal first
        if first:
            first = False
            asked.set()
            await anyio.sleep_forever()
        return make_zip()

    async with open_code_cache(tmp_path, fetch) as cache, anyio.create_task_group() as tasks:
        leader = anyio.CancelScope()

        async def lead(cache: CodeCache) -> None:
            with leader:
                await cache.ensure(KEY)

        tasks.start_soon(lead, cache)
        await asked.wait()
        tasks.start_soon(cache.ensure, KEY)
        leader.cancel()
    assert (tmp_path / KEY).is_dir()
