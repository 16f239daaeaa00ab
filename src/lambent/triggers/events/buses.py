"""PutEvents: which rules an event matches, and what their targets get.

The rules of a bus are compiled when the first event comes, and dropped when a document of the bus
changes. A matching rule leads to one delivery for each target. All deliveries of a request are
written in one transaction, before the response.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import anyio

from lambent.control.events.buses import require_bus
from lambent.control.events.naming import RULE, BusName, find_bus, rule_arn, validation
from lambent.control.events.rules import TARGETS
from lambent.kit.clock import Clock
from lambent.kit.computing import computed
from lambent.kit.strict_json import fault_of
from lambent.model.arn import Arn, Scope
from lambent.model.changes import Changes
from lambent.model.document import Document, Root
from lambent.model.errors import ApiError
from lambent.model.events.delivery import EventDelivery, Next
from lambent.model.events.inputs import Rule
from lambent.model.events.patterns import Event, read_event, read_pattern
from lambent.model.events.rule_index import RuleIndex
from lambent.model.events.targets import BUS, SCHEDULER, delivery_to, event_text, kind_of
from lambent.model.schedules.documents import RULES
from lambent.store.store import Store, Transaction
from lambent.telemetry.event_metrics import EventMetrics

Params = Mapping[str, Any]

REQUEST_BYTES_MAX = 262_144
"""Of all entries together."""
_DISABLED = "DISABLED"
_NEEDED = ("Source", "DetailType", "Detail")


class Keep(Protocol):
    """Has events delivered; `EventDispatcher` does."""

    async def keep(self, deliveries: Sequence[EventDelivery]) -> None:
        """Returns when they are on disk."""
        ...


class _Compiled(NamedTuple):
    """A rule, ready for events."""

    rule: Rule
    targets: Sequence[Mapping[str, Any]]


class EventBuses:
    """See the module."""

    def __init__(self, store: Store, dispatcher: Keep, clock: Clock, metrics: EventMetrics) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._clock = clock
        self._metrics = metrics
        self._known: dict[Root, RuleIndex[_Compiled]] = {}
        self._compiling = anyio.Lock()
        self._changes = 0

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`."""
        changed = {root for root in changes.documents if root.service == RULES}
        if changes.is_everything:
            self._known.clear()
        for root in changed:
            self._known.pop(root, None)
        self._changes += bool(changed or changes.is_everything)

    async def put_events(
        self, scope: Scope, params: Params, *, is_from_service: bool = False
    ) -> Params:
        """PutEvents: an entry that is wrong is refused by itself. Only a service of AWS has a
        source that begins with `aws.`. Raises `ApiError` for a request that is too large."""
        entries = params["Entries"]
        if sum(map(_size, entries)) > REQUEST_BYTES_MAX:
            raise validation("Total size of the entries in the request is over the limit.")
        now = self._clock.now()
        results: list[Params] = []
        deliveries: list[EventDelivery] = []
        for entry in entries:
            try:
                _check(entry, is_from_service=is_from_service)
                bus = find_bus(scope, entry.get("EventBusName"))
                id, found = await self._deliveries(scope, bus, entry, now)
            except ApiError as error:
                results.append({"ErrorCode": error.code, "ErrorMessage": error.message})
            else:
                results.append({"EventId": id})
                deliveries += found
        await self._dispatcher.keep(deliveries)
        failed = sum("ErrorCode" in result for result in results)
        return {"FailedEntryCount": failed, "Entries": results}

    async def take(self, delivery: EventDelivery, now: float) -> Next:
        """Put what was delivered to a bus on it. A schedule makes a new event; that of a rule stays
        as it is, and goes to no third bus, as in AWS. Raises `ApiError`."""
        arn = Arn.parse(delivery.target)
        bus = find_bus(arn.scope, delivery.target)
        await self._store.read(lambda tx: require_bus(tx, bus))
        if delivery.service == SCHEDULER:
            entry = {**delivery.parameters, "Detail": delivery.body.decode(errors="replace")}
            _check(entry, is_from_service=False)
            _, deliveries = await self._deliveries(delivery.scope, bus, entry, now)
            return Next(deliveries=deliveries)
        text = delivery.body.decode()
        found = await self._matching(bus, text, read_event(text), now, delivery.trace_id)
        return Next(deliveries=[each for each in found if not _is_bus(each.target)])

    async def _deliveries(
        self, scope: Scope, bus: BusName, entry: Params, now: float
    ) -> tuple[str, Sequence[EventDelivery]]:
        """The id of the event that `scope` puts on a bus, and its deliveries. Raises `ApiError`."""
        id, at = str(uuid.uuid4()), entry.get("Time")
        text = event_text(
            scope,
            source=entry["Source"],
            detail_type=entry["DetailType"],
            detail=entry["Detail"].strip(),
            resources=list(entry.get("Resources") or ()),
            at=now if at is None else at.timestamp(),
            event_id=id,
        )
        try:
            event = read_event(text)
        except ValueError as error:
            raise _malformed() from error
        if not isinstance(event.get("detail"), dict):
            raise _malformed()
        return id, await self._matching(bus, text, event, now, entry.get("TraceHeader") or "")

    async def _matching(
        self, bus: BusName, text: str, event: Event, now: float, trace_id: str
    ) -> Sequence[EventDelivery]:
        index = await self._index(bus)
        matched = index.matching(event)
        for compiled in matched:
            self._metrics.note_matched(compiled.rule.arn)
        return [
            delivery_to(target, text, compiled.rule, bus.scope, now, trace_id)
            for compiled in matched
            for target in compiled.targets
        ]

    async def _index(self, bus: BusName) -> RuleIndex[_Compiled]:
        """The rules of a bus. Events for a bus that does not exist match nothing, as in AWS."""
        root = bus.root
        known = self._known.get(root)
        if known is not None:
            return known
        async with self._compiling:  # Many requests wait for the first one.
            return self._known.get(root) or await self._compile(bus)

    async def _compile(self, bus: BusName) -> RuleIndex[_Compiled]:
        root, changes = bus.root, self._changes

        def read(tx: Transaction) -> Sequence[Document]:
            require_bus(tx, bus)
            return tx.documents.list_of(root, RULE)

        try:
            documents = await self._store.read(read)
        except ApiError:
            return RuleIndex(())
        index = await computed(_index_of, documents)
        if changes == self._changes:
            self._known[root] = index
        return index


def _index_of(documents: Sequence[Document]) -> RuleIndex[_Compiled]:
    return RuleIndex(
        (_compiled(document), read_pattern(document.body["EventPattern"]))
        for document in documents
        if document.body["State"] != _DISABLED and document.body.get("EventPattern")
    )


def _compiled(document: Document) -> _Compiled:
    arn = rule_arn(document.root.scope, document.root.id, document.id)
    return _Compiled(Rule(document.id, arn), list(document.body[TARGETS].values()))


def _is_bus(target: str) -> bool:
    return kind_of(Arn.parse(target)) == BUS


def _size(entry: Params) -> int:
    """As AWS counts it."""
    texts = [entry.get(name) or "" for name in _NEEDED] + list(entry.get("Resources") or ())
    return sum(len(text.encode(errors="replace")) for text in texts) + (
        14 if "Time" in entry else 0
    )


def _check(entry: Params, *, is_from_service: bool) -> None:
    for name in _NEEDED:
        if not entry.get(name):
            raise ApiError(
                "InvalidArgument",
                f"Parameter {name} is not valid. Reason: {name} is a required argument.",
            )
    if entry["Source"].startswith("aws.") and not is_from_service:
        raise ApiError("NotAuthorizedForSourceException", "Not authorized for the source.")
    try:
        fault = fault_of(entry["Detail"].encode())
    except UnicodeEncodeError as error:
        raise _malformed() from error
    if fault is not None:
        raise _malformed()


def _malformed() -> ApiError:
    return ApiError("MalformedDetail", "Detail is malformed.")
