"""The code cache: deployment packages, unpacked once, content-addressed, never changed.

`<root>/<hex sha256>` is one package, of a function or of a layer. Several layers together are one
more directory of hard links, which costs no space. A directory appears by rename, complete or not
at all; what a
crash left half-unpacked is swept when the cache is opened. The cache belongs to one boot of
the machine: after a power cut a renamed directory may hold files whose bytes never reached the
disk, so what an earlier boot left is thrown away and unpacked again when it is needed.
"""

import hashlib
import io
import os
import shutil
import stat
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import anyio.to_thread

from lambent.model.limits import CODE_SIZE_UNZIPPED_MAX
from lambent.model.packages import Entry, Package, PackageTooLarge, read_package

_PARTIAL = ".partial-"
_MERGED = "layers-"
_BOOT = ".boot"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_EXTRACTIONS_MAX = 2


class CodeCache:
    """Unpacked packages by code key, on this machine's disk."""

    def __init__(self, root: Path, fetch: Callable[[str], Awaitable[bytes]]) -> None:
        self._root = root
        self._fetch = fetch
        self._limiter = anyio.CapacityLimiter(_EXTRACTIONS_MAX)
        self._under_way: dict[str, anyio.Event] = {}

    async def ensure(self, code_key: str) -> Path:
        """The directory of a package, unpacked now if it is not there yet.

        Raises PackageError if the package cannot be used, OSError if it cannot be fetched or
        written.
        """

        async def make(directory: Path) -> None:
            data = await self._fetch(code_key)
            await anyio.to_thread.run_sync(_unpack, data, directory, limiter=self._limiter)

        return await self._ensure(code_key, make)

    async def ensure_layers(self, layer_keys: Sequence[str]) -> Path | None:
        """The directory of several layers together, None for no layers; where two bring the same
        path the later counts. Raises as `ensure` does."""
        if not layer_keys:
            return None
        layers = [await self.ensure(key) for key in layer_keys]
        if len(layers) == 1:
            return layers[0]

        async def make(directory: Path) -> None:
            await anyio.to_thread.run_sync(_merge, layers, directory, limiter=self._limiter)

        digest = hashlib.sha256(",".join(layer_keys).encode()).hexdigest()
        return await self._ensure(f"{_MERGED}{digest}", make)

    async def _ensure(self, name: str, make: Callable[[Path], Awaitable[None]]) -> Path:
        """A directory of the cache, made now, once, if it is not there yet."""
        directory = self._root / name
        while not directory.exists():
            if name in self._under_way:
                await self._under_way[name].wait()
                continue
            self._under_way[name] = done = anyio.Event()
            try:
                await make(directory)
            finally:
                del self._under_way[name]
                done.set()
        return directory

    async def discard_except(self, code_keys: Collection[str]) -> None:
        """Delete the packages not named, and what was made of several. Only while no environment
        runs."""

        def run() -> None:
            for directory in self._root.iterdir():
                # Bytecode is beside its package, with the runtime in its name.
                key = directory.name.partition(".")[0]
                if not directory.name.startswith(".") and key not in code_keys:
                    shutil.rmtree(directory)

        await anyio.to_thread.run_sync(run, limiter=self._limiter)


@asynccontextmanager
async def open_code_cache(
    root: Path, fetch: Callable[[str], Awaitable[bytes]]
) -> AsyncIterator[CodeCache]:
    """The cache in `root`, swept; `fetch` gets the zip file of a code key."""
    await anyio.to_thread.run_sync(_sweep, root)
    yield CodeCache(root, fetch)


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
    """A directory to fill, which is `directory` if all goes well and nothing if not."""
    partial = directory.with_name(f"{_PARTIAL}{uuid.uuid4().hex}")
    try:
        partial.mkdir()
        yield partial
        partial.chmod(0o755)
        partial.rename(directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _link_all(source: Path, target: Path) -> None:
    """Put the tree `source` over the tree `target`. Nothing is written behind a link, wherever a
    layer's link may lead: what is in the way of a directory is replaced."""
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
    """Follow the plan: its paths are clean and nothing in it lies behind a link, so that every
    path below ends inside `root`. Links come last all the same."""
    total = 0
    for entry in sorted(package.entries, key=lambda entry: stat.S_ISLNK(entry.kind)):
        path = root / entry.path
        _make_directories(root, path if stat.S_ISDIR(entry.kind) else path.parent)
        if stat.S_ISLNK(entry.kind):
            path.symlink_to(entry.target)
        elif stat.S_ISREG(entry.kind):
            total = _write(package, entry, path, total)


def _make_directories(root: Path, path: Path) -> None:
    """`path` and what is missing above it, readable by everybody whatever the umask."""
    missing = []
    while path != root and not path.exists():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        directory.mkdir()
        directory.chmod(0o755)


def _write(package: Package, entry: Entry, path: Path, total: int) -> int:
    """Write one file; `total` bytes were written before. Returns how many there are now."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        for chunk in package.chunks(entry):
            total += len(chunk)
            if total > CODE_SIZE_UNZIPPED_MAX:
                raise PackageTooLarge(f"more than {CODE_SIZE_UNZIPPED_MAX} bytes unzipped")
            file.write(chunk)
        os.fchmod(descriptor, entry.mode)
    return total
