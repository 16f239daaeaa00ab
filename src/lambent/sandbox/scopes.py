"""A cgroup from systemd, where systemd manages the tree.

systemd delegates a part of its tree to anyone who requests a scope with `Delegate=`. Its own
program `systemd-run` makes the request, waits and then becomes the program it was asked to run: as
root through the system's manager, else through the user's. Lambent writes to no group that is not
delegated. https://systemd.io/CGROUP_DELEGATION
"""

import functools
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import lambent
from lambent.sandbox.launcher import cgroup_tree

_MANAGER = Path("/run/systemd/system")
"""Exists if systemd is the first process."""
_PROBE_DEADLINE_S = 20.0
_PROBE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from lambent.sandbox.launcher import cgroup_tree; "
    "print(*cgroup_tree.limits_here(sys.argv[2]))"
)


def wrap(command: list[str], name: str) -> list[str]:
    """Return a command that runs another in a scope `NAME-….scope`, as the same process."""
    asking = ["systemd-run", "--scope", "--quiet", "--collect", "--no-ask-password"]
    if os.geteuid() != 0:
        asking.append("--user")
    asking += [
        f"--unit={name}-{secrets.token_hex(4)}",
        "--description=Environments of Lambent",
        f"--property=Delegate={' '.join(cgroup_tree.LIMITS)}",
        # Each box has a limit. The manager's would be one for all.
        "--property=TasksMax=infinity",
    ]
    # What systemd-run needs to find the manager is not for the command.
    return [*asking, "--", "/usr/bin/env", "-i", *command]


def environment() -> dict[str, str]:
    """The variables that `systemd-run` needs."""
    found = {"PATH": os.environ.get("PATH", os.defpath)}
    if os.geteuid() != 0:
        found["XDG_RUNTIME_DIR"] = _runtime_directory()
    return found


def are_needed() -> bool:
    """Whether only systemd can provide groups, and there is a systemd to ask."""
    return not cgroup_tree.has_own_limits() and _can_ask()


@functools.cache
def limits() -> tuple[tuple[str, ...], str]:
    """Return those of `cgroup_tree.LIMITS` that a scope has, and the reason if it has none. To find
    out, it creates a scope that ends immediately."""
    if not _can_ask():
        who = "systemd" if os.geteuid() == 0 else "a systemd of this user"
        return (), f"cannot ask {who} for a group: it does not run here, or systemd-run is missing"
    name = "lambent-probe"
    source = str(Path(lambent.__file__).parent.parent)
    command = [sys.executable, "-I", "-S", "-c", _PROBE, source, name]
    try:
        done = subprocess.run(
            wrap(command, name),
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PROBE_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return (), f"systemd gives no group: {error}"
    if done.returncode != 0:
        return (), f"systemd gives no group: {done.stderr.strip()[-200:]}"
    return tuple(done.stdout.split()), ""


def _can_ask() -> bool:
    if not _MANAGER.is_dir() or shutil.which("systemd-run") is None:
        return False
    if os.geteuid() == 0:
        return True
    try:
        return Path(_runtime_directory(), "systemd/private").is_socket()
    except PermissionError:  # The directory of the user who ran `su` or `sudo`.
        return False


def _runtime_directory() -> str:
    return os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
