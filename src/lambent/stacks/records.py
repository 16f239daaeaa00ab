"""What is stored of stacks, as documents of the service `cloudformation`.

Each stack is a root of its own, named by the last part of its ARN. Documents of the root with the
empty id belong to the account: names of stacks, and exports. Where both are changed, the account's
root is locked first.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Self, TypeVar

from lambent.identity.authorizer import Caller
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.document import Body, Root
from lambent.model.principal import Principal
from lambent.model.stack_documents import (
    CHANGE_SET,
    NAME,
    SERVICE,
    STACK,
    account_root,
    stack_arn,
)
from lambent.stacks.resources.resource_type import Made
from lambent.store.store import Transaction

DEPLOYED, WANTED = "deployed", "wanted"
"""The two deployments of a stack: what it goes back to, and what the operation under way makes."""

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

Record = TypeVar("Record", bound="_Stored")
Attributes = Mapping[str, Any]


class _Stored:
    """A dataclass that is the body of a document. Empty members are not stored."""

    def to_body(self) -> Body:
        """As stored."""
        found = {}
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if value not in (None, "", (), {}, False, 0):
                found[field.name] = _to_json(value)
        return found

    @classmethod
    def from_body(cls, body: Body) -> Self:
        """Of a stored body."""
        return cls(**body)


def _to_json(value: Any) -> Any:
    if isinstance(value, _Stored):
        return value.to_body()
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Deployment(_Stored):
    """What a stack is made of: a template and everything that it is evaluated with."""

    template: str
    """As it was given."""
    processed: str = ""
    """As JSON, after transforms; empty if there are none."""
    is_extended: bool = False
    """See `Template.is_extended`."""
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Values of all parameters, as texts; without defaults of the template."""
    looked_up: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Values of parameters of Systems Manager, by name of the template's parameter."""
    shown: Sequence[Mapping[str, Any]] = ()
    """The parameters as DescribeStacks shows them."""
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    role_arn: str = ""
    capabilities: Sequence[str] = ()
    notification_arns: Sequence[str] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stack(_Stored):
    """One stack, without its template."""

    account: str
    region: str
    id: str
    """The last part of its ARN."""
    name: str
    status: str
    reason: str = ""
    description: str = ""
    created_at: float
    """Times are seconds since the epoch; 0 for what has not been."""
    updated_at: float = 0.0
    deleted_at: float = 0.0
    caller: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The principal whose rights decide, as `stored_principal` has it."""
    is_protected: bool = False
    policy: str = ""
    """The stack policy, as JSON."""
    disable_rollback: bool = False
    timeout_minutes: int = 0
    parameters: Sequence[Mapping[str, Any]] = ()
    """As DescribeStacks shows them."""
    outputs: Sequence[Mapping[str, Any]] = ()
    """As DescribeStacks shows them."""
    capabilities: Sequence[str] = ()
    notification_arns: Sequence[str] = ()
    role_arn: str = ""
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    imports: Sequence[str] = ()
    """Names of exports that the stack uses."""
    request: Sequence[str] = ()
    """Name and token of the request that began the last operation: it may be repeated."""
    operations: Sequence[Mapping[str, str]] = ()
    """The last ones, the newest first, as DescribeStacks shows them."""
    change_set_id: str = ""
    """Of the change set that was executed last, or that has made the stack."""
    parent_id: str = ""
    """The ARN of the stack that this one is nested in."""
    root_id: str = ""
    events: int = 0
    """How many events there have been."""
    last_event_at: float = 0.0

    @property
    def arn(self) -> str:
        """StackId."""
        return stack_arn(self.scope, self.name, self.id)

    @property
    def scope(self) -> Scope:
        """Account and region."""
        return Scope(AccountId(self.account), Region(self.region))

    @property
    def root(self) -> Root:
        """What its documents belong to."""
        return Root(SERVICE, AccountId(self.account), Region(self.region), self.id)

    @property
    def is_deleted(self) -> bool:
        """Whether only its history is left."""
        return self.status == "DELETE_COMPLETE"

    def showing(self, deployment: Deployment) -> "Stack":
        """With what it shows of a deployment."""
        return dataclasses.replace(
            self,
            tags=dict(deployment.tags),
            parameters=list(deployment.shown),
            capabilities=list(deployment.capabilities),
            role_arn=deployment.role_arn,
            notification_arns=list(deployment.notification_arns),
        )

    @property
    def is_under_way(self) -> bool:
        """Whether the engine works on it."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Operation(_Stored):
    """The operation under way. The stack's status says how far it is."""

    token: str
    """Unique: OperationId."""
    kind: str = ""
    """As OperationType has it: `CREATE_STACK`."""
    owner: int = 0
    """The number of the platform that runs it: `Store.starts`."""
    client_token: str = ""
    """ClientRequestToken, which events show."""
    started_at: float = 0.0
    on_failure: str = "ROLLBACK"
    """Or DO_NOTHING, DELETE."""
    deletes_new: bool = False
    """RetainExceptOnCreate: what a rollback deletes was just made, whatever its policy."""
    retained: Sequence[str] = ()
    """Resources that a deletion leaves alone."""
    skipped: Sequence[str] = ()
    """Resources that a rollback leaves alone."""
    is_cancelled: bool = False
    """Whether the update was cancelled by the user."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class State(_Stored):
    """One physical resource: what it was made from, and what it is."""

    type: str
    name: str
    """The generated name, fixed before the resource is made."""
    token: str
    """The same for what has a tag or an idempotency token instead of a name."""
    properties: Attributes = dataclasses.field(default_factory=dict)
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Of the stack, when the resource was made or changed."""
    physical_id: str = ""
    """Empty until it is known that the resource exists."""
    ref: str | None = None
    attributes: Attributes = dataclasses.field(default_factory=dict)
    depends_on: Sequence[str] = ()
    """Logical ids of resources that must be there before this one, and leave after it."""
    metadata: Any = None
    creation_policy: Any = None
    deletion_policy: str = ""
    replace_policy: str = ""

    @property
    def made(self) -> Made:
        """As types of resources know it."""
        return Made(self.physical_id, self.attributes, self.ref)

    def with_made(self, made: Made) -> "State":
        """With what a type of resource has made."""
        return dataclasses.replace(
            self,
            physical_id=made.physical_id,
            ref=made.ref,
            attributes=dict(made.attributes),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Resource(_Stored):
    """One logical resource."""

    logical_id: str
    type: str
    status: str
    reason: str = ""
    updated_at: float = 0.0
    physical_id: str = ""
    """As shown: of a resource that was deleted, the last one."""
    current: State | None = None
    wish: State | None = None
    """What is being made or changed to, written before the call. If it may have left something
    when it failed, it stays until that is gone."""
    makes: bool = False
    """Whether the wish is a new physical resource; without an id, it may exist or not."""
    wished_by: str = ""
    """The token of the operation that wrote the wish."""
    previous: State | None = None
    """What a rollback goes back to; None if the operation has not changed the resource."""
    is_new: bool = False
    """Whether the operation under way has added it."""
    is_doomed: bool = False
    """Whether it is to be deleted now."""
    leftovers: Sequence[State] = ()
    """Physical resources that are to be deleted: replaced ones, or replacements."""

    @classmethod
    def from_body(cls, body: Body) -> Self:
        states = {
            name: State.from_body(body[name])
            for name in ("current", "wish", "previous")
            if name in body
        }
        leftovers = tuple(State.from_body(state) for state in body.get("leftovers", ()))
        return cls(**{**body, **states, "leftovers": leftovers})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet(_Stored):
    """A change set."""

    id: str
    """The last part of its ARN."""
    name: str
    arn: str
    kind: str
    """CREATE or UPDATE."""
    status: str
    execution_status: str
    reason: str = ""
    description: str = ""
    created_at: float
    deployment: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """The body of a `Deployment`."""
    changes: Sequence[Mapping[str, Any]] = ()
    """As DescribeChangeSet shows them."""
    on_failure: str = ""
    client_token: str = ""


class Event(NamedTuple):
    """What an event says, besides the time and the stack."""

    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str = ""
    properties: str = ""
    """As JSON."""


def stored_principal(principal: Principal) -> Mapping[str, str]:
    """A principal as stored."""
    return {name: value for name, value in dataclasses.asdict(principal).items() if value}


def caller_of(stored: Mapping[str, str], scope: Scope) -> Caller:
    """The caller that a stored principal is."""
    fields: dict[str, Any] = {"account": "", "user_id": "", **stored}
    return Caller(principal=Principal(**fields), scope=scope, service=None, access_key_id=None)


class StackRows:
    """The documents of stacks in one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._rows = tx.documents

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
        """See `Locks.is_running`."""
        return self._tx.locks.is_running(starts)

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
