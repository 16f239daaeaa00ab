"""The documents of stacks in the database: see `records.py`."""

import dataclasses
from collections.abc import Iterable
from typing import Final, TypeVar

from lambent.model.arn import Scope
from lambent.model.document import Body, Root
from lambent.model.stack_documents import CHANGE_SET, NAME, SERVICE, STACK, account_root
from lambent.stacks.records import ChangeSet, Deployment, Event, Operation, Resource, Stack, Stored
from lambent.stacks.sealing import SealedDocuments
from lambent.store.store import Transaction

_DEPLOYMENT: Final = "deployment"
_OPERATION: Final = "operation"
_RESOURCE: Final = "resource"
_EVENT: Final = "event"
_NOTIFIED: Final = "notified"
_RESPONSE: Final = "response"
_EXPORT: Final = "export"
_MACRO: Final = "macro"
_LAST_EVENT = 10**12
"""Numbers of events count down from here, so that the newest is listed first."""

_SEALED: Final = {
    STACK: ("outputs",),
    _DEPLOYMENT: ("looked_up", "parameters", "processed", "template"),
    _RESOURCE: ("current", "leftovers", "previous", "wish"),
    CHANGE_SET: ("deployment",),
    _RESPONSE: ("signals",),
    _EXPORT: ("value",),
}
"""Members of documents that may have secrets, by kind. Those of events are hidden before."""
Record = TypeVar("Record", bound=Stored)


class StackRows:
    """The documents of stacks in one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._rows = SealedDocuments(tx, _SEALED)

    # -- Stacks ------------------------------------------------------------------------------------

    def lock(self, root: Root) -> None:
        """Keep other writers from a stack."""
        self._tx.locks.root(root)

    def lock_account(self, scope: Scope) -> None:
        """Keep other writers from names and exports; before `lock`."""
        self._tx.locks.root(account_root(scope))

    def stack(self, root: Root) -> Stack | None:
        """A stack, deleted or not."""
        return self._get(root, STACK, STACK, Stack)

    def stacks(self, scope: Scope) -> list[Stack]:
        """All stacks of an account and region, the oldest first."""
        found = self._rows.list_in(SERVICE, scope, STACK)
        stacks = [Stack.from_body(document.body) for document in found]
        return sorted(stacks, key=lambda stack: stack.created_at)

    def deleted_before(self, time: float) -> list[Root]:
        """The stacks of all accounts that were deleted before a time."""
        found = self._rows.everywhere(SERVICE, STACK)
        return [d.root for d in found if 0 < d.body.get("deleted_at", 0) < time]

    def put_stack(self, stack: Stack) -> None:
        """Add or replace a stack."""
        self._rows.put(stack.root, STACK, STACK, stack.to_body())

    def named(self, scope: Scope, name: str) -> Stack | None:
        """The stack with a name that is not deleted."""
        found = self._rows.get(account_root(scope), NAME, name)
        if found is None:
            return None
        return self.stack(Root(SERVICE, *scope, found.body["stack"]))

    def put_name(self, stack: Stack) -> None:
        """Give a stack its name."""
        self._rows.put(account_root(stack.scope), NAME, stack.name, {"stack": stack.id})

    def free_name(self, stack: Stack) -> None:
        """Make the name free for another stack."""
        self._rows.delete(account_root(stack.scope), NAME, stack.name)

    def forget(self, root: Root) -> None:
        """Delete everything that is stored of a stack."""
        self._rows.delete_all(root)

    # -- Parts of a stack --------------------------------------------------------------------------

    def deployment(self, root: Root, which: str) -> Deployment | None:
        """A deployment of a stack: DEPLOYED or WANTED."""
        return self._get(root, _DEPLOYMENT, which, Deployment)

    def put_deployment(self, root: Root, which: str, deployment: Deployment) -> None:
        """Store a deployment."""
        self._rows.put(root, _DEPLOYMENT, which, deployment.to_body())

    def drop_deployment(self, root: Root, which: str) -> None:
        """Remove a deployment, if it is there."""
        self._rows.delete(root, _DEPLOYMENT, which)

    def operation(self, root: Root) -> Operation | None:
        """The operation under way."""
        return self._get(root, _OPERATION, _OPERATION, Operation)

    def put_operation(self, root: Root, operation: Operation) -> None:
        """Add or replace the operation under way."""
        self._rows.put(root, _OPERATION, _OPERATION, operation.to_body())

    def end_operation(self, root: Root) -> None:
        """No operation is under way any more, and nothing waits for a response."""
        self._rows.delete(root, _OPERATION, _OPERATION)
        for document in self._rows.list_of(root, _RESPONSE):
            self._rows.delete(root, _RESPONSE, document.id)

    def under_way(self) -> list[tuple[Root, Operation]]:
        """The operations under way, of all accounts."""
        found = self._rows.everywhere(SERVICE, _OPERATION)
        return [(document.root, Operation.from_body(document.body)) for document in found]

    def is_running(self, starts: int) -> bool:
        """See `NodeRows.is_running`."""
        return self._tx.nodes.is_running(starts)

    def resources(self, root: Root) -> dict[str, Resource]:
        """The resources of a stack, by logical id."""
        found = self._rows.list_of(root, _RESOURCE)
        return {document.id: Resource.from_body(document.body) for document in found}

    def put_resource(self, root: Root, resource: Resource) -> None:
        """Add or replace a resource."""
        self._rows.put(root, _RESOURCE, resource.logical_id, resource.to_body())

    def drop_resource(self, root: Root, logical_id: str) -> None:
        """Remove a resource."""
        self._rows.delete(root, _RESOURCE, logical_id)

    def add_events(
        self, stack: Stack, events: Iterable[Event], now: float, operation: Operation | None
    ) -> Stack:
        """Add events, the oldest first; returns the stack, which counts them and is not stored.

        Events of different transactions differ by at least a millisecond: clients ask for those
        that are later than the last they have seen."""
        number = stack.events
        time = round(max(now, stack.last_event_at + 0.001), 3)
        for event in events:
            number += 1
            key = f"{_LAST_EVENT - number:012d}"
            body = {name: value for name, value in event._asdict().items() if value}
            if operation is not None:
                body |= {"operation": operation.token, "operation_kind": operation.kind}
                if operation.client_token:
                    body["client_token"] = operation.client_token
            self._rows.put(stack.root, _EVENT, key, {**body, "time": time, "number": number})
        return dataclasses.replace(stack, events=number, last_event_at=time)

    def prune_events(self, stack: Stack, kept: int) -> None:
        """Delete a stack's events except the newest."""
        if stack.events > kept:
            after = f"{_LAST_EVENT - stack.events + kept:012d}"
            for document in self._rows.list_of(stack.root, _EVENT, after=after):
                self._rows.delete(stack.root, _EVENT, document.id)

    def events(self, root: Root, *, after: str = "", limit: int) -> list[tuple[str, Body]]:
        """Events with their keys, the newest first, from behind a key."""
        found = self._rows.list_of(root, _EVENT, after=after, limit=limit)
        return [(document.id, document.body) for document in found]

    def events_after(self, root: Root, number: int, *, limit: int) -> list[Body]:
        """Events that follow the one with a number, the oldest first."""
        after = f"{_LAST_EVENT - number - limit - 1:012d}"
        found = self._rows.list_of(root, _EVENT, after=after, limit=limit)
        return [document.body for document in reversed(found) if document.body["number"] > number]

    def notified(self, root: Root) -> int:
        """The number of the last event that topics were notified of."""
        found = self._rows.get(root, _NOTIFIED, _NOTIFIED)
        return 0 if found is None else int(found.body["number"])

    def put_notified(self, root: Root, number: int) -> None:
        """Note that topics were notified of events up to a number."""
        self._rows.put(root, _NOTIFIED, _NOTIFIED, {"number": number})

    def with_topics(self) -> list[Stack]:
        """The stacks of all accounts whose events go to topics."""
        found = self._rows.everywhere(SERVICE, STACK)
        return [Stack.from_body(d.body) for d in found if d.body.get("notification_arns")]

    def owning(self, scope: Scope, physical_id: str) -> tuple[Stack, Resource] | None:
        """The stack that has a physical resource, with the resource; None if there is none."""
        for document in self._rows.list_in(SERVICE, scope, _RESOURCE):
            if document.body.get("physical_id") == physical_id:
                stack = self.stack(document.root)
                if stack is not None and not stack.is_deleted:
                    return stack, Resource.from_body(document.body)
        return None

    # -- Change sets -------------------------------------------------------------------------------

    def change_set(self, root: Root, id: str) -> ChangeSet | None:
        """A change set by the last part of its ARN."""
        return self._get(root, CHANGE_SET, id, ChangeSet)

    def change_sets(self, root: Root) -> list[ChangeSet]:
        """The change sets of a stack, the oldest first."""
        found = [ChangeSet.from_body(d.body) for d in self._rows.list_of(root, CHANGE_SET)]
        return sorted(found, key=lambda change_set: change_set.created_at)

    def find_change_set(self, id: str) -> tuple[Root, ChangeSet] | None:
        """A change set of any stack."""
        found = self._rows.find(SERVICE, CHANGE_SET, id)
        return None if found is None else (found.root, ChangeSet.from_body(found.body))

    def put_change_set(self, root: Root, change_set: ChangeSet) -> None:
        """Add or replace a change set."""
        self._rows.put(root, CHANGE_SET, change_set.id, change_set.to_body())

    def drop_change_set(self, root: Root, id: str) -> None:
        """Remove a change set."""
        self._rows.delete(root, CHANGE_SET, id)

    # -- Requests that wait for a response ---------------------------------------------------------

    def response(self, root: Root, id: str) -> Body | None:
        """What is known of a request to a custom resource, or of signals to a wait condition."""
        found = self._rows.get(root, _RESPONSE, id)
        return None if found is None else found.body

    def put_response(self, root: Root, id: str, body: Body) -> None:
        """Add or replace it."""
        self._rows.put(root, _RESPONSE, id, body)

    # -- Exports -----------------------------------------------------------------------------------

    def exports(self, scope: Scope) -> dict[str, Body]:
        """All exports: `stack` (an ARN) and `value`, by name."""
        found = self._rows.list_of(account_root(scope), _EXPORT)
        return {document.id: document.body for document in found}

    def put_export(self, scope: Scope, name: str, stack: str, value: str) -> None:
        """Add or replace an export of a stack, an ARN."""
        self._rows.put(account_root(scope), _EXPORT, name, {"stack": stack, "value": value})

    def drop_export(self, scope: Scope, name: str) -> None:
        """Remove an export."""
        self._rows.delete(account_root(scope), _EXPORT, name)

    def importers(self, scope: Scope, name: str) -> list[Stack]:
        """The stacks that use an export."""
        return [stack for stack in self.stacks(scope) if name in stack.imports]

    # -- Macros ------------------------------------------------------------------------------------

    def macro(self, scope: Scope, name: str) -> Body | None:
        """A macro: `function` and `token`."""
        found = self._rows.get(account_root(scope), _MACRO, name)
        return None if found is None else found.body

    def put_macro(self, scope: Scope, name: str, body: Body) -> None:
        """Add or replace a macro."""
        self._rows.put(account_root(scope), _MACRO, name, body)

    def drop_macro(self, scope: Scope, name: str) -> None:
        """Remove a macro."""
        self._rows.delete(account_root(scope), _MACRO, name)

    def _get(self, root: Root, kind: str, id: str, record: type[Record]) -> Record | None:
        found = self._rows.get(root, kind, id) if len(id) <= 256 else None
        return None if found is None else record.from_body(found.body)
