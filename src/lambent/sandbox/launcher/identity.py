"""The identity of a process to the kernel: its privileges, and where it is.

A restored process keeps all of this; the launcher compares. A message names the part that differs
and does not show its value, because callers may read it.
"""

import os
from collections.abc import Iterable

_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
_STATUS = (
    *("Tgid", "Pid", "PPid", "TracerPid", "Uid", "Gid", "Groups", "NStgid", "NSpid", "Threads"),
    *_SETS,
    *("NoNewPrivs", "Seccomp", "Seccomp_filters"),
)
_NAMESPACES = (
    *("cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children"),
    *("user", "uts"),
)
_TEXTS = ("cgroup", "limits", "personality", "oom_score_adj")
_NOTHING = "0" * 16

Identity = dict[str, object]


def read_identity(pid: int) -> Identity:
    """Return the identity by the names used in messages. Raises OSError."""
    directory = f"/proc/{pid}"
    found: Identity = {f"its {name}": None for name in _STATUS}
    for line in _read(f"{directory}/status").split("\n"):
        name, _, value = line.partition(":")
        if name in _STATUS:
            found[f"its {name}"] = value.strip()
    for kind in _NAMESPACES:
        if os.path.lexists(f"{directory}/ns/{kind}"):
            found[f"its {kind} namespace"] = os.readlink(f"{directory}/ns/{kind}")
    for name in _TEXTS:
        found[f"its {name}"] = _read(f"{directory}/{name}")
    root = os.stat(f"{directory}/root")
    found["its root"] = (root.st_dev, root.st_ino)
    return found


def check_confined(identity: Identity, user: int | None) -> None:
    """Check that it has the identity of a process in a box, `user` on the host if that is known,
    and is traced by this process. Raises OSError."""
    wanted: Identity = {f"its {name}": _NOTHING for name in _SETS}
    wanted |= {"its NoNewPrivs": "1", "its Seccomp": "2", "its Threads": "1"}
    wanted["its TracerPid"] = str(os.getpid())
    if user is not None:
        wanted |= {"its Uid": "\t".join([str(user)] * 4), "its Gid": "\t".join([str(user)] * 4)}
        wanted["its Groups"] = ""
    for name, value in wanted.items():
        if identity.get(name) != value:
            raise OSError(f"{name} is not what it has to be in a box")


def check_unchanged(before: Identity, after: Identity) -> None:
    """Check that nothing changed. Raises OSError."""
    for name in before.keys() | after.keys():
        if before.get(name) != after.get(name):
            raise OSError(f"{name} is not what it was")


def check_released(pid: int) -> None:
    """Check that no process traces it. Raises OSError."""
    if read_identity(pid)["its TracerPid"] != "0":
        raise OSError("it is still traced")


def check_place(pid: int, directory: str) -> None:
    """Check that its working directory is a directory of its root. Raises OSError."""
    if not os.path.samestat(os.stat(f"/proc/{pid}/cwd"), os.stat(f"/proc/{pid}/root{directory}")):
        raise OSError(f"it is not in {directory}")


def check_descriptors(pid: int, numbers: Iterable[int]) -> None:
    """Check that it has exactly these descriptors open. Raises OSError."""
    found, wanted = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}, set(numbers)
    if found != wanted:
        raise OSError(f"its descriptors are {sorted(found)}, not {sorted(wanted)}")


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()
