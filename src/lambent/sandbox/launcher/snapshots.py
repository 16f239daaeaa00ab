"""Owns all snapshots: captures a process in a box, and restores it into others."""

import os
import selectors
import socket
from collections.abc import Callable
from functools import partial
from typing import BinaryIO

from lambent.sandbox.launcher import capture, identity, image_rules, linux, tracing
from lambent.sandbox.launcher.apart import Apart, ChildWork
from lambent.sandbox.launcher.box import BoxState
from lambent.sandbox.launcher.image import (
    WAIT_FD,
    CannotCapture,
    Image,
    Mapping,
    make_memory,
    parse,
)
from lambent.sandbox.launcher.restore import Recipe, make_recipe, restore

_SNAPSHOTS_MAX = 1000
_RECIPES_MAX = 8
_CAPTURES_AT_ONCE, _RESTORES_AT_ONCE = 2, 8
_CAPTURE_S, _RESTORE_S = 12.0, 5.0
"""Limits for a capture and a restore; the platform waits 15 s for a reply."""
_CAPTURE_NICE = 5

OnTaken = Callable[[str | None, int, str], None]
"""Receives name and bytes of a snapshot; or no name and the reason, which is empty if the process
does not wait to be captured yet."""


class SnapshotFiles:
    """Owner of all snapshots."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._known: dict[str, StoredSnapshot] = {}
        self._count = 0
        self._captures = Apart(selector, _CAPTURES_AT_ONCE)
        self._restores = Apart(selector, _RESTORES_AT_ONCE)

    def take(self, box: BoxState, pid: int, *, bytes_max: int, on_taken: OnTaken) -> None:
        """Capture a process of a box that has at most `bytes_max` bytes of its own. Raises OSError,
        KeyError."""
        if os.uname().machine != "x86_64":
            raise OSError("processes are captured on x86-64 only")
        if len(self._known) >= _SNAPSHOTS_MAX:
            raise OSError(f"there are {_SNAPSHOTS_MAX} snapshots already")
        if not tracing.is_reading(pid, WAIT_FD):
            on_taken(None, 0, "")
            return
        pidfd, init_pid = os.dup(box.processes[pid]), box.init_pid
        memory = make_memory("snapshot")

        def on_done(description: bytes | None, reason: str) -> None:
            os.close(pidfd)
            if description is None:
                memory.close()
                on_taken(None, 0, reason)
            else:
                self._keep(memory, description, bytes_max, on_taken)

        self._captures.do(
            ChildWork(
                act=partial(_capture, pid, pidfd, init_pid, memory, bytes_max),
                descriptors=lambda: [pidfd, memory.fileno()],
                on_done=on_done,
                deadline_s=_CAPTURE_S,
                nice=_CAPTURE_NICE,
            )
        )

    def _keep(
        self, memory: BinaryIO, description: bytes, bytes_max: int, on_taken: OnTaken
    ) -> None:
        """Check an image, and keep it if it passes."""
        try:
            image = parse(description)
            if (
                not capture.is_sealed(memory)
                or os.fstat(memory.fileno()).st_size != image.size_bytes
            ):
                raise CannotCapture("its pages are not those that were copied")
            image_rules.check(image)
            snapshot = StoredSnapshot(image, memory, self._restores)
        except (CannotCapture, OSError, ValueError, KeyError, TypeError) as error:
            memory.close()
            on_taken(None, 0, str(error))
            return
        self._count += 1
        name = f"s{self._count}"
        self._known[name] = snapshot
        on_taken(name, image.size_bytes, "")

    def get(self, name: str) -> "StoredSnapshot":
        """Return a snapshot. Raises KeyError."""
        return self._known[name]

    def discard(self, name: str) -> None:
        """Discard a snapshot, if there is one of that name."""
        snapshot = self._known.pop(name, None)
        if snapshot is not None:
            snapshot.close()

    def close(self) -> None:
        """End what is in progress."""
        self._captures.close()
        self._restores.close()


class StoredSnapshot:
    """An image with everything it takes to restore it repeatedly."""

    def __init__(self, image: Image, memory: BinaryIO, restores: Apart) -> None:
        """Raises OSError if it has more parts than can be restored."""
        self.image = image
        self._memory = memory
        self._restores = restores
        self._recipes: dict[tuple[Mapping, ...], Recipe] = {}
        """By the kernel's own mappings, which are the same for all children of one zygote."""
        self._recipe(image.specials)

    def restore(
        self,
        pid: int,
        pidfd: int,
        *,
        control: socket.socket,
        user: int | None,
        on_done: Callable[[str | None], None],
    ) -> None:
        """Make a process that waits for its assignment continue as the image; see `restore`.
        `on_done` receives None, or the reason for a failure; the process must then be killed.
        Raises OSError."""
        recipe = self._recipe(tuple(capture.read_specials(pid)))
        pidfd = os.dup(pidfd)

        def on_restored(result: bytes | None, reason: str) -> None:
            os.close(pidfd)
            on_done(None if result is not None else reason)

        self._restores.do(
            ChildWork(
                act=partial(_restore, self.image, recipe, pid, pidfd, self._memory, control, user),
                descriptors=lambda: [pidfd, self._memory.fileno(), control.fileno()],
                on_done=on_restored,
                deadline_s=_RESTORE_S,
            )
        )

    def close(self) -> None:
        """Release the pages; processes that were restored keep theirs."""
        self._memory.close()

    def _recipe(self, specials: tuple[Mapping, ...]) -> Recipe:
        recipe = self._recipes.get(specials)
        if recipe is None:
            if len(self._recipes) >= _RECIPES_MAX:
                self._recipes.clear()
            recipe = self._recipes[specials] = make_recipe(self.image, specials)
        return recipe


def _capture(pid: int, pidfd: int, init_pid: int, memory: BinaryIO, bytes_max: int) -> bytes:
    """Return a description of the process."""
    try:
        with tracing.hold(pid, pidfd) as tracee:
            # Read while the process is held: it starts no other process, and one that shares its
            # memory could change it now.
            if linux.processes_beside(init_pid) - {pid, init_pid}:
                raise CannotCapture("it has left processes running")
            return capture.capture(tracee, memory, bytes_max=bytes_max).describe()
    except CannotCapture as reason:
        raise OSError(str(reason)) from reason


def _restore(
    image: Image,
    recipe: Recipe,
    pid: int,
    pidfd: int,
    memory: BinaryIO,
    control: socket.socket,
    user: int | None,
) -> bytes:
    # It has reported that it is ready, but may not have started to wait.
    tracing.wait_until_reading(pid, WAIT_FD)
    with tracing.hold(pid, pidfd) as tracee:
        restore(tracee, image, recipe, memory_fd=memory.fileno(), control=control, user=user)
    identity.check_released(pid)
    return b""
