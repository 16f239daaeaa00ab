"""Sessions that follow log groups while lines are logged: Live Tail.

A session takes the lines of its groups once a second. What it holds is bounded: 500 events of each
second are sent, and lines that arrive while the client is behind are dropped; `is_sampled` says so.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatchLogs_LiveTail.html
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from lambent.kit.clock import Clock
from lambent.model.arn import AccountId, Scope
from lambent.telemetry.logs import LogStore
from lambent.telemetry.patterns import Matches
from lambent.telemetry.taps import Line, Tap

EVENTS_MAX = 500
SESSION_S_MAX = 3 * 3600.0
_SESSION_BYTES_MAX = 4 << 20
"""Bytes of lines that one session holds."""
_MATCH_S_MAX = 0.25
"""How long one update may look for events that match."""
SESSIONS_MAX = 15
"""Sessions of one account, as in AWS."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What a session follows."""

    scope: Scope
    groups: tuple[str, ...]
    streams: frozenset[str] = frozenset()
    """Names of streams; empty for all."""
    prefixes: tuple[str, ...] = ()
    """Prefixes of streams' names; empty for all."""
    matches: Matches

    def includes(self, stream: str) -> bool:
        """Whether the session has this stream."""
        if self.streams:
            return stream in self.streams
        return not self.prefixes or stream.startswith(self.prefixes)


@dataclasses.dataclass(frozen=True, slots=True)
class Update:
    """What was logged in a second."""

    events: Sequence[tuple[str, Line]]
    """Groups and lines, by time."""
    is_sampled: bool
    """Whether there was more."""


class LiveTails:
    """The sessions of all accounts."""

    def __init__(self, logs: LogStore, clock: Clock) -> None:
        self._logs = logs
        self._clock = clock
        self._open: Counter[AccountId] = Counter()

    def has_room(self, account: AccountId) -> bool:
        """Whether an account may start another session."""
        return self._open[account] < SESSIONS_MAX

    @contextmanager
    def open(self, followed: Followed) -> Iterator["LiveTail"]:
        """A session that receives lines for as long as the context lasts."""
        account, region = followed.scope
        bytes_max = _SESSION_BYTES_MAX // len(followed.groups)
        taps = {group: Tap(_ignore, bytes_max=bytes_max) for group in followed.groups}
        owner = object()
        self._open[account] += 1
        self._logs.set_taps(owner, {(account, region, group): tap for group, tap in taps.items()})
        try:
            yield LiveTail(followed, taps, self._clock.monotonic)
        finally:
            self._logs.set_taps(owner, {})
            self._open[account] -= 1
            if not self._open[account]:
                del self._open[account]


class LiveTail:
    """One session."""

    def __init__(
        self, followed: Followed, taps: Mapping[str, Tap], monotonic: Callable[[], float]
    ) -> None:
        self._followed = followed
        self._taps = taps
        self._monotonic = monotonic

    def take(self) -> tuple[list[tuple[str, Line]], bool]:
        """The lines since the last call, by group, and whether some were dropped. On the event
        loop."""
        was_dropped = any(tap.dropped for tap in self._taps.values())
        lines = [(group, line) for group, tap in self._taps.items() for line in tap.take()]
        return lines, was_dropped

    def select(self, lines: Sequence[tuple[str, Line]], was_dropped: bool) -> Update:
        """The events among what `take` returned, in a thread."""
        followed, deadline = self._followed, self._monotonic() + _MATCH_S_MAX
        found: list[tuple[str, Line]] = []
        for group, line in sorted(lines, key=_time_of):
            if not followed.includes(line.stream):
                continue
            if len(found) >= EVENTS_MAX or self._monotonic() > deadline:
                return Update(found, True)
            if followed.matches(line.message.decode("utf-8", "replace")):
                found.append((group, line))
        return Update(found, was_dropped)


def _time_of(item: tuple[str, Line]) -> int:
    return item[1].timestamp_ms


def _ignore() -> None:
    """Sessions look every second."""
