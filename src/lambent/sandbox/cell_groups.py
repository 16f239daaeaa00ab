"""Control groups of cells in a group that systemd has delegated: a unit, for example.

A launcher takes the delegated group that it is in for itself. So each cell gets a group of its own
below it, which is marked as delegated as systemd would do it. Elsewhere nothing is to be done:
there launchers make groups with names of their own.
"""

import contextlib
import logging
import os
from pathlib import Path

from lambent.sandbox.launcher import cgroup_tree

logger = logging.getLogger(__name__)

_SUPERVISOR = "supervisor"
_MARKS = ("user.delegate", "trusted.delegate")


class CellGroups:
    """The delegated group that this process was started in, if it was."""

    def __init__(self, name: str) -> None:
        """Move this process, the supervisor, out of the way. `name` is that of the platform's
        groups."""
        self._home: Path | None = None
        place = cgroup_tree.find_place(name)
        if place.home is None or not place.is_delegated:
            return
        try:
            leaf = place.home / _SUPERVISOR
            leaf.mkdir(exist_ok=True)
            cgroup_tree.move_all(place.home, leaf)
            cgroup_tree.enable(place.home, place.offered)
        except OSError as error:
            logger.warning("cannot divide the control group %s: %s", place.home, error)
            return
        self._home = place.home

    def enter(self, cell: int) -> None:
        """Move this process, a cell that starts, into a group of its own."""
        if self._home is None:
            return
        for left in self._home.glob(f"cell-{cell}-*"):
            _remove_empty(left)
        own = self._home / f"cell-{cell}-{os.getpid()}"
        try:
            own.mkdir()
            _mark(own)
            (own / "cgroup.procs").write_text("0")
        except OSError as error:
            logger.warning("cannot use the control group %s: %s", own, error)


def _mark(group: Path) -> None:
    """Mark a group as delegated, as systemd does. Raises OSError."""
    for mark in _MARKS[:-1]:
        with contextlib.suppress(OSError):
            os.setxattr(group, mark, b"1")
            return
    os.setxattr(group, _MARKS[-1], b"1")


def _remove_empty(group: Path) -> None:
    """Remove what an earlier cell has left; its launcher may still be at it."""
    for directory, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(directory)
