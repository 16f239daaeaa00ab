"""The parts of environments without namespaces: user IDs, directories, listeners."""

import contextlib
import os
import shutil
import socket
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from lambent.sandbox.launcher import filesystem

_ADDRESS_ATTEMPTS = 8


def take_users(firsts: Sequence[int]) -> tuple[socket.socket, int]:
    """Return the first number of a range that no other launcher has. Another launcher would mistake
    our processes for its own. The range is ours as long as the socket is open. Raises OSError."""
    for first in firsts:
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            lock.bind(f"\0lambent-users-{first}")
        except OSError:
            lock.close()
            continue
        return lock, first
    raise OSError("other platforms have all user numbers for environments: see sandbox.uid_base")


def remove_of_users(directory: str, users: Collection[int]) -> None:
    """Remove the files of some users from a shared directory."""
    with os.scandir(directory) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_uid not in users:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)


def link(root: Path, mounts: Mapping[str, str]) -> None:
    """Show directories at their places below an environment's root."""
    (root / "var").mkdir(mode=0o755, exist_ok=True)
    for target in filesystem.TARGETS:
        place = root / target[1:]
        if place.is_symlink():
            place.unlink()
        if target in mounts:
            with contextlib.suppress(FileNotFoundError):
                place.rmdir()
            place.symlink_to(mounts[target])
        else:
            place.mkdir(mode=0o755, exist_ok=True)


def listen() -> dict[str, socket.socket]:
    """Listen for an environment's APIs, at a separate address: the loopback has 16 million, so an
    environment cannot find another's by trying."""
    for _ in range(_ADDRESS_ATTEMPTS):
        address = "127.{}.{}.{}".format(*(1 + byte % 254 for byte in os.urandom(3)))
        sockets: dict[str, socket.socket] = {}
        try:
            for name in ("runtime_api", "endpoint"):
                sockets[name] = socket.create_server((address, 0), backlog=256)
                sockets[name].setblocking(False)
            daemon = sockets["trace_daemon"] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            daemon.setblocking(False)
            daemon.bind((address, 0))
            return sockets
        except OSError as error:
            for opened in sockets.values():
                opened.close()
            reason = error
    raise OSError(f"cannot listen on the loopback: {reason}")
