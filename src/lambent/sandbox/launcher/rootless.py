"""Root in a user namespace, for a launcher without root outside."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from lambent.sandbox.launcher import linux


def map_ids(ids: Mapping[str, int]) -> None:
    """Become root in a user namespace that was just created; `ids` are the `uid` and `gid`
    outside."""
    Path("/proc/self/setgroups").write_text("deny")
    for kind, number in ids.items():
        Path(f"/proc/self/{kind}_map").write_text(f"0 {number} 1")


def go_on_in_child(platform: socket.socket) -> None:
    """Return in a child, the first process of a new pid namespace; the parent ends as the child
    does."""
    pid, pidfd = linux.fork()
    if pid == 0:
        linux.die_with_parent()
        return
    platform.close()
    result = linux.reap(pidfd)
    os._exit(1 if result is None or result.si_status else 0)
