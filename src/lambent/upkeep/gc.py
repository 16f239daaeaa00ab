"""`lambent gc`: delete what is no longer needed.

What a running platform owns it removes itself. Caches are shared with other platforms, which keep
what they use. What a platform left that was killed is removed while the lock of its data directory
is held, so that none starts meanwhile. Nothing is removed that belongs to another user.
"""

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lambent.assembly.garbage import CODE, TRASH
from lambent.instance import lock as instance_lock
from lambent.instance.data_directory import DataDirectory
from lambent.instance.operator_socket import OperatorSocketError, ask
from lambent.kit.installing import left_over, remove_unused
from lambent.node.code.cache import disk_usage, leftovers
from lambent.node.languages.preparing import default_cache, outdated_runtimes
from lambent.services.installation import outdated_packages
from lambent.settings import Settings
from lambent.store.directory_blobs import DirectoryBlobs
from lambent.upkeep import UpkeepError

_OF_SERVICE = Path("/var/cache/lambent")
"""Where the unit of the whole machine has its caches."""
_CGROUPS = Path("/sys/fs/cgroup")
_ANSWER_S = 300.0


@dataclasses.dataclass(slots=True)
class Item:
    """One thing that is not needed."""

    kind: str
    place: str
    bytes: int
    remove: Callable[[], bool] | None = None
    """Returns False if it is in use after all; None if the platform has removed it."""
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        """As printed by `--json`."""
        return {
            "kind": self.kind,
            "place": self.place,
            "bytes": self.bytes,
            "problem": self.problem or None,
        }


def collect(settings: Settings, *, is_dry: bool) -> list[Item]:
    """Find what is not needed and, unless it is a dry run, remove it. Raises UpkeepError."""
    items = [
        *_remove(_in_caches(settings), is_dry=is_dry),
        *_in_data(settings, is_dry=is_dry),
    ]
    return sorted(items, key=lambda item: (item.kind, item.place))


def _remove(found: Iterator[Item], *, is_dry: bool) -> Iterator[Item]:
    for item in found:
        if not is_dry and item.remove is not None:
            try:
                if not item.remove():
                    continue  # A platform uses it.
            except OSError as error:
                item.problem = f"cannot remove it: {error.strerror or error}"
        yield item


# -- caches ----------------------------------------------------------------------------------


def _in_caches(settings: Settings) -> Iterator[Item]:
    runtimes = {Path(settings.worker.runtimes_dir or default_cache())}
    packages = {Path(settings.services.packages_dir or default_cache().with_name("services"))}
    if os.geteuid() == 0:
        runtimes.add(_OF_SERVICE / "runtimes")
        packages.add(_OF_SERVICE / "services")
    for kind, caches, find in (
        ("runtime clients", runtimes, outdated_runtimes),
        ("packages of the emulator", packages, outdated_packages),
    ):
        for cache in sorted(caches):
            for directory in (*find(cache), *left_over(cache)):
                if _is_ours(directory):
                    remove = _removal(directory)
                    yield Item(kind, str(directory), disk_usage(directory), remove)


def _removal(directory: Path) -> Callable[[], bool]:
    return lambda: remove_unused(directory)


def _is_ours(path: Path) -> bool:
    return path.lstat().st_uid == os.geteuid()


# -- data ------------------------------------------------------------------------------------


def _in_data(settings: Settings, *, is_dry: bool) -> Iterator[Item]:
    data = DataDirectory(settings.server.data_dir.absolute())
    if not data.root.is_dir():
        return
    try:
        with instance_lock.find_running(data.root) as running:
            if running is not None:
                yield from _of_running(data, running.facts.cells, is_dry=is_dry)
                return
        lock = instance_lock.hold(data.root)
    except instance_lock.InstanceUnknown as error:
        raise UpkeepError(str(error)) from error
    except OSError as error:
        raise UpkeepError(f"cannot use {data.root}: {error.strerror}. Run this as root") from error
    if lock is None:
        raise UpkeepError(f"a platform starts in {data.root} just now; try again when it is ready")
    try:
        yield from _remove(_of_stopped(settings, data), is_dry=is_dry)
    finally:
        os.close(lock)


def _of_running(data: DataDirectory, cells: int, *, is_dry: bool) -> Iterator[Item]:
    operation = "find_garbage" if is_dry else "collect_garbage"
    known = set[tuple[int, str]]()
    try:
        for cell in range(1, cells + 1):
            own = dataclasses.replace(data, cell=cell)
            for entry in ask(own.state, operation, _ANSWER_S):
                # Cells share the packages; each has unpacked code of its own.
                which = cell if entry["kind"] == CODE else 0, entry["place"]
                if which not in known:
                    known.add(which)
                    yield Item(entry["kind"], entry["place"], entry["bytes"])
    except OperatorSocketError as error:
        raise UpkeepError(f"{error}; if it is starting, try again when it is ready") from error


def _of_stopped(settings: Settings, data: DataDirectory) -> Iterator[Item]:
    if settings.store.blobs_url:
        # The trash in a bucket is emptied by the platform; who needs what is known there alone.
        left = []
    else:
        packages, events = data.blobs(settings.store), data.event_payloads(settings.store)
        for place in (packages, events):
            for trashed in DirectoryBlobs(place).expired() if place.is_dir() else ():
                yield Item(TRASH, *trashed, _unlinking(Path(trashed.place)))
        left = [
            directory
            for cell in data.all_cells()
            for directory in leftovers(cell.code, lambda key: (packages / key).exists())
        ]
    for directory in left:
        yield Item(CODE, str(directory), disk_usage(directory), _unrooting(directory))
    if instance_lock.has_launcher(data.root):
        return  # It removes its sandboxes itself, at this moment.
    for cell in data.all_cells():
        yield from _left_by_sandboxes(cell)


def _left_by_sandboxes(data: DataDirectory) -> Iterator[Item]:
    volumes = data.sandbox / "volumes"
    for path in sorted(volumes.iterdir()) if volumes.is_dir() else ():
        if not path.is_mount():
            remove = _unrooting(path) if path.is_dir() else _unlinking(path)
            size = disk_usage(path) if path.is_dir() else path.lstat().st_blocks * 512
            yield Item("left by sandboxes", str(path), size, remove)
    for group in _groups(data.group):
        yield Item("control groups", str(group), 0, lambda group=group: _remove_group(group))  # type: ignore[misc]


def _unlinking(path: Path) -> Callable[[], bool]:
    def remove() -> bool:
        path.unlink(missing_ok=True)
        return True

    return remove


def _unrooting(directory: Path) -> Callable[[], bool]:
    def remove() -> bool:
        shutil.rmtree(directory)
        return True

    return remove


def _groups(name: str) -> Iterator[Path]:
    """Control groups of the platform of this name, in whichever trees there are."""
    for where, names, _ in os.walk(_CGROUPS):
        if name in names:
            yield Path(where) / name


def _remove_group(group: Path) -> bool:
    """Remove a group and those in it. Raises OSError if there is still a process."""
    for where, names, _ in os.walk(group, topdown=False):
        for name in names:
            (Path(where) / name).rmdir()
    group.rmdir()
    return True
