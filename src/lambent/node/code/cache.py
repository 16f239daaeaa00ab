"""The code cache: deployment packages, unpacked once, content-addressed, never changed.

`<root>/<hex sha256>` is one package, of a function or of a layer. Several layers together are
another directory of hard links, which takes no space. A directory appears by rename, complete or
not at all, and is deleted by rename; what a crash left half done is removed when the cache is
opened. A package that no version refers to is deleted when its last environment has ended. The
cache belongs to one boot of the machine: after a power failure a renamed directory may contain
files whose bytes never reached the disk. So the directories of an earlier boot are deleted, and
unpacked again when they are needed.
"""

import contextlib
import hashlib
import io
import itertools
import os
import shutil
import stat
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence, Set
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from lambent.kit.clock import Clock
from lambent.kit.waiting import wait_at_most
from lambent.model.limits import CODE_SIZE_UNZIPPED_MAX
from lambent.model.packages import Package, PackageTooLarge, ZipEntry, read_package

_PARTIAL = ".partial-"
_MERGED = "layers-"
_BOOT = ".boot"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_EXTRACTIONS_MAX = 2
_PAUSE_S = 2.0
"""Seconds after a change: often several come together."""
_LOOK_S = 600.0
"""Seconds; the deletion of a layer is not announced as a change."""


class CodeCache:
    """Unpacked packages by code key, on this machine's disk. Unused ones are deleted when all
    together take more than `bytes_max`."""

    def __init__(
        self, root: Path, fetch: Callable[[str], Awaitable[bytes]], bytes_max: int
    ) -> None:
        self._root = root
        self._fetch = fetch
        self._bytes_max = bytes_max
        self._limiter = anyio.CapacityLimiter(_EXTRACTIONS_MAX)
        self._under_way: dict[str, anyio.Event] = {}
        """Directories that are being made or deleted."""
        self._uses = Counter[str]()
        """How many environments and preparations use each package."""
        self._used_at: dict[str, int] = {}
        """The last use of each, as an increasing number."""
        self._numbers = itertools.count(1)
        self._merged: dict[str, frozenset[str]] = {}
        """The layers in each directory of several."""
        self._sizes: dict[str, int] = {}
        self._overdue = set[str]()
        """Packages that are not needed, but were in use when they should have been deleted."""
        self._bell = anyio.Event()
        self._bell.set()

    @asynccontextmanager
    async def use(
        self, code_key: str, layer_keys: Sequence[str] = ()
    ) -> AsyncIterator[tuple[Path, Path | None]]:
        """The directories of a package and of its merged layers (None without layers). They exist
        for as long as the context lasts. Raises as `ensure` does."""
        names = {code_key, *layer_keys, _merged_name(layer_keys)}
        self._uses.update(names)
        try:
            yield await self.ensure(code_key), await self.ensure_layers(layer_keys)
        finally:
            for name in names:
                self._used_at[name] = next(self._numbers)
                self._uses[name] -= 1
                if not self._uses[name]:
                    del self._uses[name]
                    if name in self._overdue:
                        self._bell.set()

    async def ensure(self, code_key: str) -> Path:
        """The directory of a package; unpacks it if necessary.

        Raises PackageError if the package cannot be used, OSError if it cannot be fetched or
        written.
        """

        async def make(directory: Path) -> None:
            data = await self._fetch(code_key)
            await anyio.to_thread.run_sync(_unpack, data, directory, limiter=self._limiter)

        return await self._ensure(code_key, make)

    async def ensure_layers(self, layer_keys: Sequence[str]) -> Path | None:
        """The directory of several merged layers, None for no layers. Where two contain the same
        path, the later layer wins. Raises as `ensure` does."""
        if not layer_keys:
            return None
        layers = [await self.ensure(key) for key in layer_keys]
        if len(layers) == 1:
            return layers[0]

        async def make(directory: Path) -> None:
            await anyio.to_thread.run_sync(_merge, layers, directory, limiter=self._limiter)

        name = _merged_name(layer_keys)
        self._merged[name] = frozenset(layer_keys)
        return await self._ensure(name, make)

    async def _ensure(self, name: str, make: Callable[[Path], Awaitable[None]]) -> Path:
        """A directory of the cache; creates it if necessary, only once."""
        directory = self._root / name
        while name in self._under_way or not directory.exists():
            if name in self._under_way:
                await self._under_way[name].wait()
                continue
            with self._at_work_on(name):
                await make(directory)
            self._bell.set()
        return directory

    @contextmanager
    def _at_work_on(self, name: str) -> Iterator[None]:
        self._under_way[name] = done = anyio.Event()
        try:
            yield
        finally:
            del self._under_way[name]
            done.set()

    # -- space -----------------------------------------------------------------------------

    def note_change(self) -> None:
        """A package may have become unused."""
        self._bell.set()

    async def keep_small(self, needed: Callable[[], Awaitable[Set[str]]], clock: Clock) -> None:
        """Delete unneeded packages, until cancelled: now, after a change, and when a package that
        is not needed is used for the last time. `needed` returns the keys of the packages that a
        version of a function or layer refers to."""
        while True:
            await wait_at_most(clock, self._bell, _LOOK_S)
            await clock.sleep(_PAUSE_S)
            self._bell = anyio.Event()
            try:
                await self.free(await needed())
            except Exception:
                self._bell.set()
                raise

    async def unneeded(self, needed: Set[str]) -> dict[str, int]:
        """The directories that `free` would delete because they are not needed, and their bytes."""
        sizes = await anyio.to_thread.run_sync(self._measure)
        return {
            name: size
            for name, size in sizes.items()
            if not needed >= self._merged.get(name, {name})
            and not self._uses[name]
            and name not in self._under_way
        }

    async def free(self, needed: Set[str]) -> None:
        """Delete packages that are neither used nor needed and, if the rest takes too much space,
        those that were used longest ago."""
        self._overdue.clear()
        sizes = await anyio.to_thread.run_sync(self._measure)
        for name in [name for name in sizes if not needed >= self._merged.get(name, {name})]:
            if await self._delete(name):
                del sizes[name]
        total = sum(sizes.values())
        for name in sorted(sizes, key=lambda key: self._used_at.get(key, 0)):
            if total <= self._bytes_max:
                break
            if await self._delete(name):
                total -= sizes[name]

    def _measure(self) -> dict[str, int]:
        """Bytes on disk by package, its bytecode included; links to layers take none."""
        sizes: dict[str, int] = {}
        before, self._sizes = self._sizes, {}
        for directory in _directories(self._root):
            size = before.get(directory.name)
            if size is None:
                size = 0 if directory.name.startswith(_MERGED) else disk_usage(directory)
            self._sizes[directory.name] = size
            name = _package_of(directory)
            sizes[name] = sizes.get(name, 0) + size
        return sizes

    async def _delete(self, name: str) -> bool:
        """Delete a package's directories unless it is in use; returns whether they are deleted."""
        if self._uses[name] or name in self._under_way:
            self._overdue.add(name)
            return False
        for merged in [key for key, layers in self._merged.items() if name in layers]:
            if not await self._delete(merged):
                return False
        with self._at_work_on(name):
            await anyio.to_thread.run_sync(_remove, self._root, name)
        self._used_at.pop(name, None)
        self._merged.pop(name, None)
        return True


@asynccontextmanager
async def open_code_cache(
    root: Path, fetch: Callable[[str], Awaitable[bytes]], bytes_max: int = 1 << 40
) -> AsyncIterator[CodeCache]:
    """The cache in `root`, swept; `fetch` gets the zip file of a code key."""
    await anyio.to_thread.run_sync(_sweep, root)
    yield CodeCache(root, fetch, bytes_max)


def disk_usage(directory: Path) -> int:
    """Bytes that a directory takes; files deleted in the meantime count as none."""
    total = 0
    for path, _, names in os.walk(directory):
        for name in (*names, "."):
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(path, name)).st_blocks * 512
    return total


def leftovers(root: Path, is_needed: Callable[[str], bool]) -> list[Path]:
    """What is superfluous in a cache that is not open: packages that are not needed any more,
    merged layers, which can be merged again, and leftovers of crashes."""
    if not root.is_dir():
        return []
    found = [path for path in root.iterdir() if path.is_dir() and path.name.startswith(_PARTIAL)]
    for directory in _directories(root):
        name = _package_of(directory)
        if name.startswith(_MERGED) or not is_needed(name):
            found.append(directory)
    return sorted(found)


def _directories(root: Path) -> list[Path]:
    """The directories of packages, complete ones only."""
    with os.scandir(root) as entries:
        return [Path(entry.path) for entry in entries if not entry.name.startswith(".")]


def _package_of(directory: Path) -> str:
    """Bytecode is next to its package, with the runtime in its name."""
    return directory.name.partition(".")[0]


def _remove(root: Path, name: str) -> None:
    """What a crash leaves of it is removed at the next start."""
    doomed = []
    for directory in _directories(root):
        if _package_of(directory) == name:
            doomed.append(root / f"{_PARTIAL}{uuid.uuid4().hex}")
            directory.rename(doomed[-1])
    for directory in doomed:
        shutil.rmtree(directory)


def _merged_name(layer_keys: Sequence[str]) -> str:
    return f"{_MERGED}{hashlib.sha256(','.join(layer_keys).encode()).hexdigest()}"


def _sweep(root: Path) -> None:
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    boot = _BOOT_ID.read_text() if _BOOT_ID.exists() else ""
    marker = root / _BOOT
    is_same_boot = marker.exists() and marker.read_text() == boot
    for path in root.iterdir():
        if path.is_dir() and (path.name.startswith(_PARTIAL) or not is_same_boot):
            shutil.rmtree(path)
    marker.write_text(boot)


def _unpack(data: bytes, directory: Path) -> None:
    with _appearing(directory) as partial:
        _extract(read_package(io.BytesIO(data)), partial)


def _merge(layers: Sequence[Path], directory: Path) -> None:
    with _appearing(directory) as partial:
        for layer in layers:
            _link_all(layer, partial)


@contextmanager
def _appearing(directory: Path) -> Iterator[Path]:
    """A directory to fill, which becomes `directory` if all goes well, and is deleted if not."""
    partial = directory.with_name(f"{_PARTIAL}{uuid.uuid4().hex}")
    try:
        partial.mkdir()
        yield partial
        partial.chmod(0o755)
        partial.rename(directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _link_all(source: Path, target: Path) -> None:
    """Merge the tree `source` into the tree `target`. Nothing is written through a link, wherever a
    layer's link may point: what is in the way of a directory is replaced."""
    with os.scandir(source) as entries:
        for entry in entries:
            path = target / entry.name
            is_directory = entry.is_dir(follow_symlinks=False)
            if path.is_symlink() or path.is_file():
                path.unlink()
            elif path.exists() and not is_directory:
                shutil.rmtree(path)
            if not is_directory:
                os.link(entry.path, path, follow_symlinks=False)
                continue
            if not path.exists():
                path.mkdir()
                path.chmod(0o755)
            _link_all(Path(entry.path), path)


def _extract(package: Package, root: Path) -> None:
    """Follow the plan: its paths are clean and none goes through a link, so that every path below
    ends inside `root`. Links are still created last."""
    total = 0
    for entry in sorted(package.entries, key=lambda entry: stat.S_ISLNK(entry.kind)):
        path = root / entry.path
        _make_directories(root, path if stat.S_ISDIR(entry.kind) else path.parent)
        if stat.S_ISLNK(entry.kind):
            path.symlink_to(entry.target)
        elif stat.S_ISREG(entry.kind):
            total = _write(package, entry, path, total)


def _make_directories(root: Path, path: Path) -> None:
    """Create `path` and its missing parents, readable by everybody whatever the umask is."""
    missing = []
    while path != root and not path.exists():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        directory.mkdir()
        directory.chmod(0o755)


def _write(package: Package, entry: ZipEntry, path: Path, total: int) -> int:
    """Write one file; `total` bytes were written before. Returns the new total."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        for chunk in package.chunks(entry):
            total += len(chunk)
            if total > CODE_SIZE_UNZIPPED_MAX:
                raise PackageTooLarge(f"more than {CODE_SIZE_UNZIPPED_MAX} bytes unzipped")
            file.write(chunk)
        os.fchmod(descriptor, entry.mode)
    return total
