"""A mapping that is polled in a time of the test's own, with a function and a source that are
Python functions."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import anyio

from lambent.invocation.call import CallResult
from lambent.kit.clock import ManualClock
from lambent.model.arn import Scope
from lambent.model.concurrency import throttled
from lambent.model.delivery import Delivery
from lambent.model.invocation import FunctionFailed, Outcome, Refused, Succeeded
from lambent.model.mapping import EventSourceMapping, MappingState
from lambent.model.sources.kind import SourceKind
from lambent.model.sources.streams import KINESIS
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.function_calls import FunctionCalls
from lambent.polling.ports import Record
from lambent.polling.positions import MappingPositions, OpenShards
from lambent.polling.role_client import RoleClient
from lambent.polling.settings import PollingSettings
from lambent.polling.status import Status
from lambent.polling.stop import Stop
from lambent.store.positions import Position
from lambent.store.store import Store
from lambent.telemetry.metrics import Metrics

STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
ROLE = "arn:aws:iam::000000000000:role/r"
FAILED = FunctionFailed(b"{}", "ValueError")
THROTTLED = throttled()

Act = Callable[[Any], Outcome | Any]
"""A function: returns an outcome, or the response."""


class Function:
    """Remembers what it was called with."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.events: list[Any] = []

    async def call(self, event: bytes, trace_header: str | None = None) -> CallResult:
        """As `FunctionCalls`."""
        self.events.append(json.loads(event))
        given = self.act(self.events[-1])
        if not isinstance(given, Succeeded | FunctionFailed | Refused):
            given = Succeeded(json.dumps(given).encode())
        return CallResult(f"request-{len(self.events)}", given, None)

    @property
    def batches(self) -> list[list[str]]:
        """The ids of the records of each call."""
        return [[record["id"] for record in event["Records"]] for event in self.events]


class Positions:
    """In memory."""

    def __init__(self, kept: Mapping[str, Position] | None = None) -> None:
        self.kept = dict(kept or {})

    @property
    def positions(self) -> "Positions":
        """As `Transaction`."""
        return self

    async def transact(self, work: Callable[[Any], Any]) -> Any:
        """As `Store`."""
        return work(self)

    def of_mapping(self, uuid: str) -> Mapping[str, Position]:
        """As `Positions` of the store."""
        return dict(self.kept)

    def put(self, uuid: str, positions: Mapping[str, Position]) -> None:
        """As `Positions` of the store."""
        self.kept |= positions

    def forget(self, uuid: str, parts: Iterable[str]) -> None:
        """As `Positions` of the store."""
        for part in parts:
            self.kept.pop(part)


class Calls:
    """AWS, as the function's role."""

    role = ROLE
    region = "us-east-1"

    def __init__(self, answer: Callable[[str, Mapping[str, Any]], Any]) -> None:
        self.answer = answer
        self.made: list[tuple[str, Mapping[str, Any]]] = []

    async def call(
        self, service: str, operation: str, parameters: Mapping[str, Any], **_: Any
    ) -> Any:
        """As `RoleClient`."""
        self.made.append((operation, dict(parameters)))
        return self.answer(operation, parameters)


@dataclasses.dataclass
class Rig:
    """The mapping, and what is around it."""

    polled: ActiveMapping
    clock: ManualClock
    function: Function
    store: Positions
    deliveries: list[Delivery]
    metrics: Metrics

    def sum_of(self, name: str) -> float:
        """A metric of the mapping, since it began."""
        uuid = self.polled.mapping.uuid
        found = [sums for sums in self.metrics.sums() if sums.mapping == uuid]
        return sum(sums.values[name][1] for sums in found if name in sums.values)

    async def advance(self, seconds: float, steps: int = 1) -> None:
        """Let time pass, and run everything that becomes due."""
        await anyio.wait_all_tasks_blocked()
        for _ in range(steps):
            self.clock.advance(seconds / steps)
            await anyio.wait_all_tasks_blocked()


def make_rig(
    act: Act = lambda _: None,
    *,
    kind: SourceKind = KINESIS,
    arn: str = STREAM,
    calls: Calls | None = None,
    positions: Mapping[str, Position] | None = None,
    settings: Mapping[str, float] | None = None,
    **configuration: Any,
) -> Rig:
    """A mapping with this configuration."""
    clock = ManualClock()
    mapping = EventSourceMapping(
        uuid="00000000-0000-4000-8000-000000000000",
        scope=Scope("000000000000", "us-east-1"),
        kind=kind,
        source_id=arn,
        function_arn="arn:aws:lambda:us-east-1:000000000000:function:f",
        function_name="f",
        state=MappingState.ENABLED,
        state_reason="User action",
        last_modified=clock.now(),
        configuration={
            **kind.defaults,
            "StartingPosition": "TRIM_HORIZON",
            **configuration,
        },
    )
    function, store, deliveries = Function(act), Positions(positions), list[Delivery]()
    metrics = Metrics()

    async def keep(some: list[Delivery]) -> None:
        deliveries.extend(some)

    polled = ActiveMapping(
        mapping=mapping,
        stop=Stop(),
        status=Status(mapping, metrics, clock),
        clock=clock,
        aws=cast(RoleClient, calls or Calls(lambda *_: {})),
        calls=cast(FunctionCalls, function),
        keep=keep,
        positions=MappingPositions(cast(Store, store), mapping.uuid),
        open_shards=OpenShards(),
        settings=PollingSettings(**(settings or {})),
    )
    return Rig(polled, clock, function, store, deliveries, metrics)


def record(number: int | str, arrived_at: float = 0.0, key: str = "", size: int = 0) -> Record:
    """One, whose document has its id; and is as large as that, at least."""
    document = json.dumps({"id": str(number), "more": "x" * size}).encode()
    return Record(id=str(number), document=document, raw=None, arrived_at=arrived_at, key=key)


def ids(records: Iterable[Record]) -> Sequence[str]:
    """Of some records."""
    return [record.id for record in records]
