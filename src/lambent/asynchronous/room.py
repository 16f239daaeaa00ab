"""The room, put together: the group commit and its participants."""

import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Set
from typing import Protocol

import anyio.abc

from lambent.asynchronous.destination_dispatcher import DestinationDispatcher
from lambent.asynchronous.destinations import Destinations
from lambent.asynchronous.dispatcher import Dispatcher
from lambent.asynchronous.event_dispatcher import EventDispatcher
from lambent.asynchronous.event_targets import EventTargets
from lambent.asynchronous.group_commit import GroupCommit
from lambent.asynchronous.queue import AsyncQueue, new_ids
from lambent.asynchronous.settings import AsynchronousSettings
from lambent.aws.client import AwsClient
from lambent.aws.clients import AwsClients
from lambent.identity.authorizer import Authorizer
from lambent.identity.execution_roles import ExecutionRoles
from lambent.identity.service_roles import ServiceRoles
from lambent.invocation.invoker import Invoker
from lambent.kit.clock import Clock
from lambent.kit.tasks import start_loop
from lambent.model.arn import Arn
from lambent.model.names import parse_function_name
from lambent.store.blobs import Blobs
from lambent.store.membership import Membership
from lambent.store.store import Store
from lambent.telemetry.event_metrics import EventMetrics
from lambent.telemetry.metrics import Metrics


@dataclasses.dataclass(frozen=True, slots=True)
class Asynchronous:
    """The ways in."""

    queue: AsyncQueue
    """For events."""
    destination_dispatcher: DestinationDispatcher
    """For what is to be delivered elsewhere."""
    event_dispatcher: EventDispatcher
    """For events of rules and schedules."""
    event_targets: EventTargets


async def open_asynchronous(
    settings: AsynchronousSettings,
    *,
    store: Store,
    membership: Membership | None,
    invoker: Invoker,
    payloads: Blobs,
    clients: AwsClients,
    aws: AwsClient,
    authorizer: Authorizer,
    roles: ExecutionRoles,
    service_roles: ServiceRoles,
    metrics: Metrics,
    event_metrics: EventMetrics,
    clock: Clock,
    tasks: anyio.abc.TaskGroup,
    flush_logs: Callable[[], Awaitable[None]],
) -> Asynchronous:
    """Take up what was left and keep at it for as long as the tasks live.
    `flush_logs` puts on disk what functions printed, before it is written that they need not run
    again."""
    group_commit = GroupCommit(store, clock, flush_logs)
    ids = new_ids(clock.now(), store.starts)

    async def invoke(arn: str, payload: bytes, trace_id: str) -> None:
        reference = parse_function_name(arn, Arn.parse(arn).scope)
        await invoker.resolve(reference.key, reference.qualifier)
        await queue.keep(reference, payload, trace_id)

    destinations = Destinations(clients, aws, invoke, roles)
    destination_dispatcher = DestinationDispatcher(
        *(store, group_commit, destinations, settings, clock, tasks), ids=ids, metrics=metrics
    )
    dispatcher = Dispatcher(
        *(store, group_commit, invoker, payloads, settings, clock, tasks),
        ids=ids,
        metrics=metrics,
        on_deliveries=destination_dispatcher.note_new,
    )
    event_targets = EventTargets(aws, invoker, authorizer, service_roles)
    event_dispatcher = EventDispatcher(
        *(store, group_commit, event_targets, dispatcher),
        *(settings, clock, tasks),
        ids=ids,
        metrics=event_metrics,
    )
    queue = AsyncQueue(
        *(group_commit, dispatcher, payloads, settings, clock, tasks), ids=ids, metrics=metrics
    )
    dispatchers = (dispatcher, destination_dispatcher, event_dispatcher)
    for each in dispatchers:
        await each.recover()
    start_loop(tasks, clock, group_commit.run, queue, *dispatchers)
    start_loop(tasks, clock, dispatcher.run)
    start_loop(tasks, clock, destination_dispatcher.run)
    start_loop(tasks, clock, event_dispatcher.run)
    if membership is not None:
        start_loop(tasks, clock, take_over, membership, dispatchers)
    return Asynchronous(queue, destination_dispatcher, event_dispatcher, event_targets)


class _Nodes(Protocol):
    async def wait_others(self, known: Set[int]) -> Set[int]: ...


class _Recovers(Protocol):
    async def recover(self) -> None: ...


async def take_over(membership: _Nodes, dispatchers: Iterable[_Recovers]) -> None:
    """Take up what other nodes leave behind, until cancelled. It begins with a look at all there
    is: a look before may have failed, with the database."""
    known: Set[int] = frozenset()
    while True:
        numbers = await membership.wait_others(known)
        if not known or known - numbers:
            for dispatcher in dispatchers:
                await dispatcher.recover()
        known = numbers
