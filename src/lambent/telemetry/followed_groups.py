"""Log groups whose lines something follows: subscription filters, metric filters.

What follows them is in the store, and changes there. Lines are collected for a second, and then
handled together. Without any follower, a line costs one look at an empty dictionary.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

import anyio

from lambent.kit.clock import Clock
from lambent.model.changes import Changes
from lambent.model.resources import LogGroupKey
from lambent.telemetry.logs import LogStore
from lambent.telemetry.taps import Line, Tap

logger = logging.getLogger(__name__)

_COLLECT_S = 1.0


class Follower(Protocol):
    """What follows a group."""

    @property
    def group(self) -> LogGroupKey: ...


F = TypeVar("F", bound=Follower)


class FollowedGroups(ABC, Generic[F]):
    """The groups that have followers, and the lines of each that were not handled yet."""

    def __init__(
        self, load: Callable[[], Awaitable[Sequence[F]]], logs: LogStore, clock: Clock
    ) -> None:
        """`load` returns all followers, of all accounts."""
        self._load = load
        self._logs = logs
        self._clock = clock
        self._bell = anyio.Event()
        self._is_stale = True
        self._taps: dict[LogGroupKey, Tap] = {}
        self._followers: dict[LogGroupKey, list[F]] = {}

    @abstractmethod
    async def handle(self) -> None:
        """Handle the lines that were collected."""

    def take(self, undone: str) -> Iterator[tuple[Sequence[F], Sequence[Line]]]:
        """The followers of each group with new lines, and these lines. Lines that were too many are
        logged as `undone`."""
        for group, tap in list(self._taps.items()):
            if tap.dropped:
                logger.warning(
                    "%d lines of %s are %s: too many at once", tap.dropped, group.name, undone
                )
            if lines := tap.take():
                yield self._followers.get(group, ()), lines

    def concerns(self, changes: Changes) -> bool:
        """Whether changes may be about followers."""
        return changes.is_everything or any(root.service == "logs" for root in changes.documents)

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`."""
        if self.concerns(changes):
            self._is_stale = True
            self._ring()

    async def run(self) -> None:
        """Handle lines as they are logged, forever."""
        while True:
            if self._is_stale:
                await self.refresh()
            await self._bell.wait()
            self._bell = anyio.Event()
            if not self._is_stale:
                await self._clock.sleep(_COLLECT_S)
                await self.handle()

    async def refresh(self) -> None:
        """Read the followers again."""
        self._is_stale = False
        try:
            found = await self._load()
        except BaseException:
            self._is_stale = True
            raise
        self._followers = {}
        for follower in found:
            self._followers.setdefault(follower.group, []).append(follower)
        self._taps = {group: self._taps.get(group) or Tap(self._ring) for group in self._followers}
        self._logs.set_taps(
            self, {(*group.scope, group.name): tap for group, tap in self._taps.items()}
        )

    def _ring(self) -> None:
        self._bell.set()
