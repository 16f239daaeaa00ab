"""What a trial could leave behind, looked for by the names it uses."""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from lambent.upkeep.doctor.steps import Failed

_PATIENCE_S, _PAUSE_S = 5.0, 0.02


def remove_groups(instance: str) -> None:
    """Remove the groups of a launcher that has died without doing so itself."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        if rest.startswith("cgroup"):
            for parent, _, _ in os.walk(fields.split(" ")[4], topdown=False):
                if instance in parent:
                    # One that is still in use is reported by `expect_nothing`.
                    with contextlib.suppress(OSError):
                        os.rmdir(parent)


def descendants(pid: int) -> dict[int, str]:
    """A process and all that come from it; by number, with the moment each began."""
    found, waiting = {}, [pid]
    while waiting:
        process = waiting.pop()
        if began := _began(process):
            found[process] = began
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                waiting += map(int, children.read_text().split())
    return found


def expect_nothing(
    instance: str,
    directory: Path,
    processes: Mapping[int, str] = MappingProxyType({}),
    patience_s: float = _PATIENCE_S,
) -> None:
    """Wait a moment until nothing is left. Raises `Failed`, which names what stays."""
    give_up = time.monotonic() + patience_s
    while left := list(_find(instance, directory, processes)):
        if time.monotonic() > give_up:
            raise Failed(f"left behind: {', '.join(left)}")
        time.sleep(_PAUSE_S)  # noqa: TID251 - the kernel returns in its own time


def _began(pid: int) -> str:
    """When a process was started, as the kernel counts; empty if it has ended."""
    try:
        state, *_, began = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:20]
    except OSError:
        return ""
    return "" if state == "Z" else began


def _find(instance: str, directory: Path, processes: Mapping[int, str]) -> Iterator[str]:
    if directory.exists():
        yield str(directory)
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    for line in mounts:
        fields, _, rest = line.partition(" - ")
        point = fields.split(" ")[4]
        if Path(point).is_relative_to(directory):
            yield point
        if rest.startswith("cgroup"):
            # Groups of others come and go meanwhile, which `walk` does not mind.
            for parent, names, _ in os.walk(point):
                yield from (f"{parent}/{name}" for name in names if instance in name)
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            if Path(backing.read_text().strip()).is_relative_to(directory):
                yield f"/dev/{backing.parent.parent.name}"
        except OSError:
            continue
    yield from (f"process {pid}" for pid, began in processes.items() if _began(pid) == began)
