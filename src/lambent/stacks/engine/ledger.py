"""What the run of one stack knows and writes: each step with its events, in one transaction.

What steps that run at once have to write meanwhile shares the next transaction, since a commit
takes longer than a write. The run is the only writer of the stack's resources, so it keeps them in
memory. Others may change the stack itself and the operation: a deletion takes the place of a
creation.
"""

import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence, Set
from typing import Final

import anyio

from lambent.model.document import Root
from lambent.stacks.engine.ports import EngineContext
from lambent.stacks.hiding import hide, secrets_of, secrets_of_resource
from lambent.stacks.records import (
    DEPLOYED,
    WANTED,
    Deployment,
    Event,
    Operation,
    Resource,
    Stack,
    State,
)
from lambent.stacks.rows import StackRows
from lambent.stacks.statuses import STACK_TYPE
from lambent.store.store import Transaction

_PROPERTIES_MAX: Final = 32_768
"""Characters of the properties in an event."""


@dataclasses.dataclass(eq=False, slots=True)
class _Entry:
    """What a step has to write."""

    resources: Sequence[Resource]
    dropped: Sequence[str]
    events: Sequence[Event]
    is_written: bool = False


Change = Callable[[StackRows, Stack], Stack]
"""Changes documents in a transaction; returns the stack as it is to be stored."""


class Ledger:
    """Of one stack."""

    def __init__(self, context: EngineContext, root: Root) -> None:
        self._store = context.store
        self._clock = context.clock
        self._notify = context.notify
        self._waiting: list[_Entry] = []
        self._writing = anyio.Lock(fast_acquire=True)
        self.root = root
        self.stack: Stack
        self.operation: Operation
        self.resources: dict[str, Resource] = {}
        self.secrets: set[str] = set()
        """Not to be shown. Those of resources are added with the resources."""

    async def load(self) -> bool:
        """Read everything; returns whether an operation is under way."""

        def run(tx: Transaction) -> tuple[Stack | None, Operation | None, dict[str, Resource]]:
            rows = StackRows(tx)
            return rows.stack(self.root), rows.operation(self.root), rows.resources(self.root)

        def deployments(tx: Transaction) -> list[Deployment | None]:
            return [StackRows(tx).deployment(self.root, which) for which in (DEPLOYED, WANTED)]

        stack, operation, self.resources = await self._store.read(run)
        deployed = await self._store.read(deployments)
        self.secrets |= secrets_of(deployed, self.resources.values())
        if stack is None or operation is None or not stack.is_under_way:
            return False
        self.stack, self.operation = stack, operation
        self._notify(stack)
        return True

    async def note(self, resource: Resource, *events: Event) -> Resource:
        """Write a resource with events about it."""
        resource = dataclasses.replace(resource, updated_at=self._clock.now())
        await self._write([resource], [], events)
        return resource

    async def note_all(self, resources: Iterable[Resource], events: Sequence[Event] = ()) -> None:
        """Write several resources."""
        await self._write(list(resources), [], events)

    async def drop(self, resource: Resource, *events: Event) -> None:
        """Forget a resource."""
        await self._write([], [resource.logical_id], events)

    async def turn(
        self,
        status: str,
        reason: str = "",
        *,
        resources: Sequence[Resource] = (),
        change: Change | None = None,
        locks_account: bool = False,
    ) -> bool:
        """Give the stack another status, with an event; `change` runs before that. Does nothing and
        returns False if another operation has taken over. An operation that is over is removed.
        Raises what `change` raises."""
        expected = self.stack.status, self.operation.token

        def run(tx: Transaction) -> bool:
            rows = StackRows(tx)
            if locks_account:
                rows.lock_account(self.root.scope)
            rows.lock(self.root)
            stack, operation = rows.stack(self.root), rows.operation(self.root)
            if stack is None or operation is None:
                return False
            if (stack.status, operation.token) != expected:
                return False
            for resource in resources:
                rows.put_resource(self.root, resource)
            if change is not None:
                stack = change(rows, stack)
            shown = hide(reason, self.secrets)
            stack = dataclasses.replace(stack, status=status, reason=shown)
            event = Event(stack.name, stack.arn, STACK_TYPE, status, shown)
            stack = rows.add_events(stack, [event], self._clock.now(), operation)
            rows.put_stack(stack)
            if not stack.is_under_way:
                rows.end_operation(self.root)
            return True

        has_turned = await self._store.transact(run)
        self._notify(self.stack)
        return has_turned

    async def _write(
        self, resources: Sequence[Resource], dropped: Sequence[str], events: Sequence[Event]
    ) -> None:
        """Write what a step has done, together with all that waits to be written."""
        self.secrets |= {text for resource in resources for text in secrets_of_resource(resource)}
        hidden = [
            dataclasses.replace(resource, reason=hide(resource.reason, self.secrets))
            for resource in resources
        ]
        entry = _Entry(hidden, dropped, [_shown(event, self.secrets) for event in events])
        self._waiting.append(entry)
        # A step that is cancelled here knows what is written.
        with anyio.CancelScope(shield=True):
            async with self._writing:
                if entry.is_written:
                    return
                entries, self._waiting = self._waiting, []
                try:
                    await self._store.transact(lambda tx: self._put(StackRows(tx), entries))
                except BaseException:
                    # The other steps try for themselves.
                    self._waiting[:0] = [other for other in entries if other is not entry]
                    raise
                for written in entries:
                    self._keep(written)
        self._notify(self.stack)

    def _put(self, rows: StackRows, entries: Sequence[_Entry]) -> None:
        rows.lock(self.root)
        for entry in entries:
            for resource in entry.resources:
                rows.put_resource(self.root, resource)
            for logical_id in entry.dropped:
                rows.drop_resource(self.root, logical_id)
        events = [event for entry in entries for event in entry.events]
        stack = rows.stack(self.root) if events else None
        if stack is not None:
            rows.put_stack(rows.add_events(stack, events, self._clock.now(), self.operation))

    def _keep(self, entry: _Entry) -> None:
        entry.is_written = True
        for resource in entry.resources:
            self.resources[resource.logical_id] = resource
        for logical_id in entry.dropped:
            del self.resources[logical_id]


def event_of(
    resource: Resource,
    status: str,
    reason: str = "",
    *,
    state: State | None = None,
    physical_id: str | None = None,
) -> Event:
    """An event about a resource; `state` is what its properties are shown of."""
    text = "" if state is None else json.dumps(state.properties, separators=(",", ":"))
    return Event(
        resource.logical_id,
        resource.physical_id if physical_id is None else physical_id,
        resource.type if state is None else state.type,
        status,
        reason,
        text,
    )


def _shown(event: Event, secrets: Set[str]) -> Event:
    """An event without secrets."""
    return event._replace(
        reason=hide(event.reason, secrets),
        properties=hide(event.properties, secrets)[:_PROPERTIES_MAX],
    )
