"""The log groups of all nodes as one store.

Each node keeps what was logged on it. Readers ask all nodes and merge what they answer: a group is
there if any node has it, a stream may have events on several. The order of events is that of time,
then of streams, then of the places where nodes keep their files, then of the position in a file;
so pages continue where the last one ended, also when a node has started again.

What must not be half done, such as to delete a group, fails if a node does not answer. Readers get
what the others have, and which nodes are missing.
"""

import dataclasses
import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from lambent.model.arn import AccountId, Region
from lambent.model.peers import SCAN_S, NoAnswer, Peers, require_all
from lambent.telemetry.logs import LogGroup, LogStore, LogStream
from lambent.telemetry.patterns import compile_pattern
from lambent.telemetry.queries import Bounds, EventKey, event_key, weight
from lambent.telemetry.segments import PLACE_BITS, LogEvent

END_OF_STREAM = 1 << 62
"""A position after every event of a stream."""

Positions = Mapping[int, int]
"""Positions in the files of a stream, by the places of nodes."""


class Groups(NamedTuple):
    """Log groups, by name, and the nodes whose groups are missing."""

    found: Sequence[LogGroup]
    missing: Sequence[int]


class Streams(NamedTuple):
    """The streams of a group, by name, and the nodes whose streams are missing."""

    found: Sequence[LogStream]
    missing: Sequence[int]


@dataclasses.dataclass(frozen=True, slots=True)
class StreamPage:
    """Events of a stream."""

    events: Sequence[LogEvent]
    forward: Positions
    """Where the next page begins."""
    backward: Positions
    """Before which the page before this one ends."""
    missing: Sequence[int]


class Found(NamedTuple):
    """An event of a group."""

    key: EventKey
    stream: str
    event: LogEvent


@dataclasses.dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page of a group begins."""

    after: EventKey | None = None
    late: Mapping[int, EventKey | None] = dataclasses.field(default_factory=dict)
    """The same for nodes that did not answer before."""

    def of(self, number: int) -> EventKey | None:
        """Where a node's events begin."""
        return self.late.get(number, self.after)


@dataclasses.dataclass(frozen=True, slots=True)
class GroupPage:
    """Events of a group."""

    found: Sequence[Found]
    following: Cursor | None
    """The next page, if there are more events."""
    missing: Sequence[int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The events of a group that a page shows."""

    bounds: Bounds
    pattern: str = ""
    names: Sequence[str] = ()
    """Of streams; empty for all."""
    prefix: str = ""
    """Of the names of streams."""
    is_forward: bool = True
    """Whether the oldest events come first."""


class AllLogs:
    """See the module."""

    def __init__(self, own: LogStore, peers: Peers) -> None:
        self._own = own
        self._peers = peers
        self.now = own.now
        peers.serve("logs/has-group", self._unpacked(own.has_group))
        peers.serve("logs/has-stream", self._unpacked(own.has_stream))
        peers.serve("logs/delete-group", self._unpacked(own.delete_group))
        peers.serve("logs/delete-stream", self._unpacked(own.delete_stream))
        peers.serve("logs/groups", self._serve_groups)
        peers.serve("logs/streams", self._serve_streams)
        peers.serve("logs/stream-names", self._unpacked(own.stream_names))
        peers.serve("logs/stream-page", self._serve_stream_page)
        peers.serve("logs/group-page", self._serve_group_page)

    # -- groups and streams ----------------------------------------------------------------

    async def has_group(self, account: AccountId, region: Region, group: str) -> bool:
        """Whether there is such a group."""
        if await self._own.has_group(account, region, group):
            return True
        return await self._any("logs/has-group", account, region, group)

    async def create_group(self, account: AccountId, region: Region, group: str) -> bool:
        """Create a group; returns False if there is one already."""
        if await self.has_group(account, region, group):
            return False
        return await self._own.create_group(account, region, group)

    async def delete_group(self, account: AccountId, region: Region, group: str) -> bool:
        """Delete a group with its events; returns whether it was there."""
        was_elsewhere = await self._any("logs/delete-group", account, region, group, is_all=True)
        return await self._own.delete_group(account, region, group) or was_elsewhere

    async def has_stream(self, account: AccountId, region: Region, group: str, stream: str) -> bool:
        """Whether there is such a stream."""
        if await self._own.has_stream(account, region, group, stream):
            return True
        return await self._any("logs/has-stream", account, region, group, stream)

    async def create_stream(
        self, account: AccountId, region: Region, group: str, stream: str
    ) -> bool:
        """Create a stream of a group that exists; returns False if there is one already."""
        if await self.has_stream(account, region, group, stream):
            return False
        return await self._own.create_stream(account, region, group, stream)

    async def delete_stream(
        self, account: AccountId, region: Region, group: str, stream: str
    ) -> bool:
        """Delete a stream with its events; returns whether it was there."""
        question = "logs/delete-stream"
        was_elsewhere = await self._any(question, account, region, group, stream, is_all=True)
        return await self._own.delete_stream(account, region, group, stream) or was_elsewhere

    async def describe_groups(self, account: AccountId, region: Region) -> Groups:
        """All groups."""
        answers = await self._peers.ask("logs/groups", [account, region], within_s=SCAN_S)
        merged: dict[str, LogGroup] = {}
        theirs = (LogGroup(*each) for found in answers.found.values() for each in found)
        for group in (*await self._own.describe_groups(account, region), *theirs):
            known = merged.get(group.name)
            merged[group.name] = group if known is None else _joined_group(known, group)
        return Groups(sorted(merged.values(), key=_name_of), self._missing(answers.missing))

    async def describe_streams(
        self, account: AccountId, region: Region, group: str
    ) -> Streams | None:
        """All streams of a group; None if there is no such group."""
        answers = await self._peers.ask("logs/streams", [account, region, group], within_s=SCAN_S)
        own = await self._own.describe_streams(account, region, group)
        theirs = [found for found in answers.found.values() if found is not None]
        if own is None and not theirs:
            require_all(answers)
            return None
        merged: dict[str, LogStream] = {}
        for stream in (*(own or ()), *(LogStream(*each) for found in theirs for each in found)):
            known = merged.get(stream.name)
            merged[stream.name] = stream if known is None else _joined_stream(known, stream)
        return Streams(sorted(merged.values(), key=_name_of), self._missing(answers.missing))

    async def stream_names(
        self, account: AccountId, region: Region, group: str
    ) -> Sequence[str] | None:
        """The names of all streams of a group, sorted; None if there is no such group."""
        answers = await self._peers.ask("logs/stream-names", [account, region, group])
        own = await self._own.stream_names(account, region, group)
        found = [names for names in (own, *answers.found.values()) if names is not None]
        if not found:
            require_all(answers)
            return None
        return sorted({name for names in found for name in names})

    # -- events ----------------------------------------------------------------------------

    async def stream_page(
        self,
        account: AccountId,
        region: Region,
        group: str,
        stream: str,
        bounds: Bounds,
        positions: Positions,
        *,
        is_forward: bool,
        position: int,
    ) -> StreamPage:
        """Events of a stream: the first ones from their positions on, or the last ones before
        them. Places that are not in `positions` have `position`."""
        about = [account, region, group, stream, [*dataclasses.astuple(bounds)]]
        values = {
            number: [*about, positions.get(self._peers.place_of(number), position), is_forward]
            for number in self._peers.numbers()
        }
        answers = await self._peers.ask_each("logs/stream-page", values, within_s=SCAN_S)
        own = self._place
        starts = {own: positions.get(own, position), **positions}
        parts = {
            own: await self._own.stream_page(
                *(account, region, group, stream, bounds, starts[own]), is_forward=is_forward
            )
        }
        for number, found in answers.found.items():
            place = self._peers.place_of(number)
            starts.setdefault(place, position)
            parts[place] = [_event_of(each) for each in found]
        page = _merged(parts, bounds, is_forward=is_forward)
        forward, backward = {}, {}
        for place, start in starts.items():
            part = parts.get(place, ())
            shown = [event for at, event in page if at == place]
            # At either end the position is the one that was passed: that is how callers know.
            stays = start if start < END_OF_STREAM else 0
            if not is_forward and part:
                stays = part[-1].position + 1
            if place not in parts:  # It did not answer, and continues where it was.
                stays = start
            forward[place] = shown[-1].position + 1 if shown else stays
            backward[place] = shown[0].position if shown else stays
        events = [event for _, event in page]
        return StreamPage(events, forward, backward, self._missing(answers.missing))

    async def event_at(
        self, account: AccountId, region: Region, group: str, stream: str, position: int
    ) -> LogEvent | None:
        """The event at a position in its group; None if there is none, or not now."""
        place, position = divmod(position, 1 << PLACE_BITS)
        bounds = Bounds(start_ms=0, end_ms=END_OF_STREAM, events_max=1, bytes_max=1)
        about = (account, region, group, stream)
        if place == self._place:
            page = await self._own.stream_page(*about, bounds, position, is_forward=True)
        else:
            numbers = [n for n in self._peers.numbers() if self._peers.place_of(n) == place]
            value = [*about, [*dataclasses.astuple(bounds)], position, True]
            try:
                found = await self._peers.ask_one([*numbers, 0][0], "logs/stream-page", value)
            except NoAnswer:
                return None
            page = [_event_of(each) for each in found]
        return page[0] if page and page[0].position == position else None

    async def group_page(
        self, account: AccountId, region: Region, group: str, wanted: Wanted, cursor: Cursor
    ) -> GroupPage:
        """The first events of a group after the cursor that are wanted. Raises `TimeoutError` if
        it takes too long, and `ApiError` for a pattern that is none."""
        compile_pattern(wanted.pattern)
        about = [account, region, group, _packed(wanted)]
        values = {number: [*about, cursor.of(number)] for number in self._peers.numbers()}
        answers = await self._peers.ask_each("logs/group-page", values, within_s=SCAN_S)
        parts = [await self._own_group_page(account, region, group, wanted, cursor.after)]
        for answer in answers.found.values():
            if answer is None:
                raise TimeoutError
            theirs, has_more = answer
            found = [Found((*key,), stream, _event_of(event)) for key, stream, event in theirs]
            parts.append((found, has_more))
        page, has_more = _first_of(parts, wanted)
        following = None
        if has_more and page:
            following = _following(cursor, page[-1].key, answers.missing, wanted)
        return GroupPage(page, following, self._missing(answers.missing))

    async def _own_group_page(
        self,
        account: AccountId,
        region: Region,
        group: str,
        wanted: Wanted,
        after: EventKey | None,
    ) -> tuple[list[Found], bool]:
        place = self._place << PLACE_BITS
        names = [
            name
            for name in await self._own.stream_names(account, region, group) or ()
            if name.startswith(wanted.prefix) and (not wanted.names or name in wanted.names)
        ]
        page, has_more = await self._own.group_page(
            *(account, region, group, names, wanted.bounds, compile_pattern(wanted.pattern), after),
            is_forward=wanted.is_forward,
            place=place,
        )
        return [Found(event_key(name, event, place), name, event) for name, event in page], has_more

    # -- what other nodes ask --------------------------------------------------------------

    @staticmethod
    def _unpacked(method: Callable[..., Any]) -> Callable[[Any], Any]:
        async def serve(value: Any) -> Any:
            return await method(*value)

        return serve

    async def _serve_groups(self, value: Any) -> Any:
        return [dataclasses.astuple(each) for each in await self._own.describe_groups(*value)]

    async def _serve_streams(self, value: Any) -> Any:
        found = await self._own.describe_streams(*value)
        return None if found is None else [dataclasses.astuple(each) for each in found]

    async def _serve_stream_page(self, value: Any) -> Any:
        account, region, group, stream, bounds, position, is_forward = value
        page = await self._own.stream_page(
            *(account, region, group, stream, _bounds_of(bounds), position), is_forward=is_forward
        )
        return [_plain(event) for event in page]

    async def _serve_group_page(self, value: Any) -> Any:
        account, region, group, packed, after = value
        wanted = Wanted(**{**packed, "bounds": _bounds_of(packed["bounds"])})
        after = None if after is None else (*after,)
        try:
            found, has_more = await self._own_group_page(account, region, group, wanted, after)
        except TimeoutError:
            return None
        return [[key, stream, _plain(event)] for key, stream, event in found], has_more

    @property
    def _place(self) -> int:
        return self._peers.place_of(self._peers.number)

    async def _any(self, question: str, *about: str, is_all: bool = False) -> bool:
        """Whether a node answers so. Raises `ApiError` if that is not known, and with `is_all`
        unless all nodes have answered."""
        answers = await self._peers.ask(question, about)
        is_true = any(answers.found.values())
        if is_all or not is_true:
            require_all(answers)
        return is_true

    def _missing(self, missing: Sequence[int]) -> Sequence[int]:
        return sorted({*missing, *self._peers.lost})


def _first_of(
    parts: Sequence[tuple[list[Found], bool]], wanted: Wanted
) -> tuple[list[Found], bool]:
    """The page that parts of several nodes make, and whether there is more. It ends where a part
    ends that has more."""
    found = [each for part, _ in parts for each in part]
    found.sort(key=lambda each: each.key, reverse=not wanted.is_forward)
    ends = [part[-1].key for part, has_more in parts if has_more and part]
    if ends:
        end = min(ends) if wanted.is_forward else max(ends)
        keys = [each.key for each in found]
        found = found[: keys.index(end) + 1]
    count = _fitting([each.event for each in found], wanted.bounds)
    return found[:count], bool(ends) or count < len(found)


def _following(cursor: Cursor, last: EventKey, missing: Sequence[int], wanted: Wanted) -> Cursor:
    """The cursor after a page. Nodes that did not answer continue where they were; those that had
    not answered before may still be behind."""

    def later(one: EventKey | None, other: EventKey) -> EventKey:
        if one is None:
            return other
        return max(one, other) if wanted.is_forward else min(one, other)

    after = later(cursor.after, last)
    late = {number: later(key, last) for number, key in cursor.late.items()}
    waiting = {number: cursor.of(number) for number in missing}
    return Cursor(after, {n: key for n, key in {**late, **waiting}.items() if key != after})


def _merged(
    parts: Mapping[int, Sequence[LogEvent]], bounds: Bounds, *, is_forward: bool
) -> list[tuple[int, LogEvent]]:
    """The page that parts of several nodes make, which keeps the order of each. It ends where a
    part ends that may have more."""
    step = 1 if is_forward else -1
    ordered = (
        [(place, event, number) for number, event in enumerate(part[::step], 1)]
        for place, part in parts.items()
    )
    page: list[tuple[int, LogEvent]] = []
    total = 0
    for place, event, number in heapq.merge(
        *ordered, key=lambda each: (each[1].timestamp_ms, each[0]), reverse=not is_forward
    ):
        total += weight(event)
        if page and total > bounds.bytes_max:
            break
        page.append((place, event))
        part = parts[place]
        is_end = number == len(part) and 2 * sum(map(weight, part)) > bounds.bytes_max
        if len(page) >= bounds.events_max or is_end:
            break
    return page[::step]


def _fitting(events: Iterable[LogEvent], bounds: Bounds) -> int:
    """How many of these events a page has."""
    count = total = 0
    for event in events:
        total += weight(event)
        if count and total > bounds.bytes_max:
            break
        count += 1
        if count >= bounds.events_max:
            break
    return count


def _joined_group(one: LogGroup, other: LogGroup) -> LogGroup:
    return LogGroup(
        one.name, _first(one.created_ms, other.created_ms), one.stored_bytes + other.stored_bytes
    )


def _joined_stream(one: LogStream, other: LogStream) -> LogStream:
    def pick(choose: Callable[[Iterable[int]], int], name: str) -> int | None:
        known = [at for at in (getattr(one, name), getattr(other, name)) if at is not None]
        return choose(known) if known else None

    return LogStream(
        one.name,
        _first(one.created_ms, other.created_ms),
        pick(min, "first_event_ms"),
        pick(max, "last_event_ms"),
        pick(max, "last_ingestion_ms"),
        one.stored_bytes + other.stored_bytes,
    )


def _first(one: int, other: int) -> int:
    """The earlier of two moments; 0 is none."""
    return min(one or other, other or one)


def _name_of(named: LogGroup | LogStream) -> str:
    return named.name


# -- as JSON -------------------------------------------------------------------------------


def _plain(event: LogEvent) -> list[Any]:
    text = event.message.decode("utf-8", "surrogateescape")
    return [event.timestamp_ms, event.ingestion_ms, text, event.position]


def _event_of(plain: Sequence[Any]) -> LogEvent:
    timestamp_ms, ingestion_ms, text, position = plain
    message = text.encode("utf-8", "surrogateescape")
    return LogEvent(timestamp_ms, ingestion_ms, message, position)


def _packed(wanted: Wanted) -> dict[str, Any]:
    return {**dataclasses.asdict(wanted), "bounds": [*dataclasses.astuple(wanted.bounds)]}


def _bounds_of(plain: Sequence[int]) -> Bounds:
    start_ms, end_ms, events_max, bytes_max = plain
    return Bounds(start_ms=start_ms, end_ms=end_ms, events_max=events_max, bytes_max=bytes_max)
