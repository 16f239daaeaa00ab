"""What a platform may leave behind on a host."""

import os
import re
from pathlib import Path

UID_BASE = 1_900_000_000


def of_all() -> set[str]:
    """Mounts, control groups, network interfaces, loop devices and processes that may belong to a
    platform. Compare it with the state before the platform started, on a host that runs nothing
    else."""
    return {*_mounts(""), *_groups(), *_interfaces(), *_loops(""), *_users_of_boxes()}


def of_one(groups: set[Path], data_dir: Path) -> set[str]:
    """What is left of one platform on a host that other programs use as well. `groups`:
    `groups_of`."""
    kept = {f"group {group}" for group in groups if group.exists()}
    return {*kept, *_mounts(str(data_dir)), *_loops(str(data_dir))}


def groups_of(processes: set[tuple[int, str]]) -> set[Path]:
    """The topmost control groups, named after the platform, that contain these processes."""
    tops = set()
    for pid, _ in processes:
        try:
            lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            path = line.split(":", 2)[2]
            if found := re.match(r".*?/lambent[^/]*", path):
                tops.add(found[0])
    # In a container, mounts may begin at its own group, while paths begin at the host's.
    places = {Path(at + top.removeprefix(root)) for root, at in _group_mounts() for top in tops}
    return {place for place in places if place.exists()}


def _group_mounts() -> set[tuple[str, str]]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    fields = [line.split() for line in lines if " - cgroup" in line]
    return {(field[3].rstrip("/"), field[4]) for field in fields}


def family(pid: int) -> set[tuple[int, str]]:
    """A process and all its descendants, each with its start time, because pids are reused."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := _stat(int(name))):
            parents[int(name)] = int(fields[1])
    found: set[int] = set()
    frontier = {pid}
    while frontier:
        found |= frontier
        frontier = {child for child, parent in parents.items() if parent in frontier} - found
    return {(pid, started) for pid in found if (started := _started(pid))}


def still_alive(processes: set[tuple[int, str]]) -> set[tuple[int, str]]:
    """Those that run, without zombies."""
    return {(pid, started) for pid, started in processes if _started(pid) == started}


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _started(pid: int) -> str | None:
    fields = _stat(pid)
    return fields[19] if fields and fields[0] not in "ZX" else None


def _mounts(below: str) -> set[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {f"mount {line.split()[4]}" for line in lines if (below or "lambent") in line}


def _groups() -> set[str]:
    return {
        f"group {os.path.join(where, name)}"
        for where, names, _ in os.walk("/sys/fs/cgroup")
        for name in names
        if "lambent" in name
    }


def _interfaces() -> set[str]:
    return {f"interface {name}" for name in os.listdir("/sys/class/net")}


def _loops(below: str) -> set[str]:
    found = set()
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            file = path.read_text().strip()
        except OSError:
            continue
        if (below or "/sandbox/") in file:
            found.add(f"loop device of {file}")
    return found


def _users_of_boxes() -> set[str]:
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                status = Path(f"/proc/{name}/status").read_text()
            except OSError:
                continue
            user = re.search(r"^Uid:\s+(\d+)", status, re.MULTILINE)
            if user and int(user[1]) >= UID_BASE and "State:\tZ" not in status:
                found.add(f"process {name} of user {user[1]}")
    return found
