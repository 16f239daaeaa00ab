"""Sessions that follow log groups while lines are logged: Live Tail.

A session takes the lines of its groups once a second. What it holds is bounded: 500 events of each
second are sent, and lines that arrive while the client is behind are dropped; `is_sampled` says so.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatchLogs_LiveTail.html

Other nodes hold their lines for a session, too, and select among them; they are asked once a
second. A node that is not asked for a while forgets the session.
"""

import dataclasses
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from lambent.kit.clock import Clock
from lambent.kit.computing import computed
from lambent.model.arn import AccountId, Scope
from lambent.model.peers import Peers
from lambent.telemetry.logs import LogStore
from lambent.telemetry.patterns import Matches, compile_pattern
from lambent.telemetry.taps import Line, Tap

EVENTS_MAX = 500
SESSION_S_MAX = 3 * 3600.0
_SESSION_BYTES_MAX = 4 << 20
"""Bytes of lines that one session holds."""
_MATCH_S_MAX = 0.25
"""How long one update may look for events that match."""
_ANSWER_S = 5.0
_FORGET_S = 10.0
_FOR_OTHERS_MAX = 256
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
    pattern: str = ""
    matches: Matches
    """Compiled from the pattern."""

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

    def __init__(self, logs: LogStore, peers: Peers, clock: Clock) -> None:
        self._logs = logs
        self._peers = peers
        self._clock = clock
        self._for_others: dict[str, _ForOther] = {}
        """Sessions of other nodes, by id."""
        peers.serve("logs/tail", self._serve)
        self._open: Counter[AccountId] = Counter()

    def has_room(self, account: AccountId) -> bool:
        """Whether an account may start another session."""
        return self._open[account] < SESSIONS_MAX

    @contextmanager
    def open(self, followed: Followed) -> Iterator["LiveTail"]:
        """A session that receives lines for as long as the context lasts."""
        account = followed.scope.account
        self._open[account] += 1
        try:
            with self._hear(followed) as tail:
                yield tail
        finally:
            self._open[account] -= 1
            if not self._open[account]:
                del self._open[account]

    async def next_update(self, tail: "LiveTail") -> Update:
        """What was logged on any node since the last call. The first call for a session begins it
        on the other nodes."""
        own = await computed(tail.select, *tail.take())
        followed = tail.followed
        value = {
            "id": tail.id,
            "scope": followed.scope,
            "groups": followed.groups,
            "streams": sorted(followed.streams),
            "prefixes": followed.prefixes,
            "pattern": followed.pattern,
        }
        answers = await self._peers.ask("logs/tail", value, within_s=_ANSWER_S)
        events, is_sampled = list(own.events), own.is_sampled or bool(answers.missing)
        for theirs, were_more in answers.found.values():
            is_sampled = is_sampled or were_more
            for group, stream, at_ms, text in theirs:
                line = Line(stream, at_ms, text.encode("utf-8", "surrogateescape"))
                events.append((group, line))
        events.sort(key=_time_of)
        return Update(events[:EVENTS_MAX], is_sampled or len(events) > EVENTS_MAX)

    async def run(self) -> None:
        """Forget sessions of other nodes that have ended, until cancelled."""
        while True:
            await self._clock.sleep(_FORGET_S)
            now = self._clock.monotonic()
            for id, session in list(self._for_others.items()):
                if now - session.asked_at > _FORGET_S:
                    session.stack.close()
                    del self._for_others[id]

    async def _serve(self, value: Any) -> Any:
        session = self._for_others.get(value["id"])
        if session is None:
            if len(self._for_others) >= _FOR_OTHERS_MAX:
                return [], True
            followed = Followed(
                scope=Scope(*value["scope"]),
                groups=tuple(value["groups"]),
                streams=frozenset(value["streams"]),
                prefixes=tuple(value["prefixes"]),
                pattern=value["pattern"],
                matches=compile_pattern(value["pattern"]),
            )
            stack = ExitStack()
            tail = stack.enter_context(self._hear(followed))
            session = self._for_others[value["id"]] = _ForOther(tail, stack)
        session.asked_at = self._clock.monotonic()
        update = await computed(session.tail.select, *session.tail.take())
        events = [
            (group, line.stream, line.timestamp_ms, line.message.decode("utf-8", "surrogateescape"))
            for group, line in update.events
        ]
        return events, update.is_sampled

    @contextmanager
    def _hear(self, followed: Followed) -> Iterator["LiveTail"]:
        account, region = followed.scope
        bytes_max = _SESSION_BYTES_MAX // len(followed.groups)
        taps = {group: Tap(_ignore, bytes_max=bytes_max) for group in followed.groups}
        owner = object()
        self._logs.set_taps(owner, {(account, region, group): tap for group, tap in taps.items()})
        try:
            yield LiveTail(followed, taps, self._clock.monotonic)
        finally:
            self._logs.set_taps(owner, {})


@dataclasses.dataclass(slots=True)
class _ForOther:
    """A session of another node."""

    tail: "LiveTail"
    stack: ExitStack
    """Ends it."""
    asked_at: float = 0.0


class LiveTail:
    """The lines of one session on this node."""

    def __init__(
        self, followed: Followed, taps: Mapping[str, Tap], monotonic: Callable[[], float]
    ) -> None:
        self.id = uuid.uuid4().hex
        self.followed = followed
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
        followed, deadline = self.followed, self._monotonic() + _MATCH_S_MAX
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
