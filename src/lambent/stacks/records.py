"""What is stored of stacks, as documents of the service `cloudformation`.

Each stack is a root of its own, named by the last part of its ARN. Documents of the root with the
empty id belong to the account: names of stacks, and exports. Where both are changed, the account's
root is locked first.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from lambent.identity.authorizer import Caller
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.document import Body, Root
from lambent.model.principal import Principal
from lambent.model.stack_documents import (
    SERVICE,
    stack_arn,
)
from lambent.stacks.resources.resource_type import Made

DEPLOYED, WANTED = "deployed", "wanted"
"""The two deployments of a stack: what it goes back to, and what the operation under way makes."""

Attributes = Mapping[str, Any]


class Stored:
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
    if isinstance(value, Stored):
        return value.to_body()
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    return value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Deployment(Stored):
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
    hidden: Sequence[str] = ()
    """Names of parameters with NoEcho."""
    shown: Sequence[Mapping[str, Any]] = ()
    """The parameters as DescribeStacks shows them."""
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    role_arn: str = ""
    capabilities: Sequence[str] = ()
    notification_arns: Sequence[str] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stack(Stored):
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
class Operation(Stored):
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
class State(Stored):
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
    hidden: Sequence[str] = ()
    """Names of attributes that are secrets."""
    depends_on: Sequence[str] = ()
    """Logical ids of resources that must be there before this one, and leave after it."""
    metadata: Any = None
    creation_policy: Any = None
    deletion_policy: str = ""
    replace_policy: str = ""

    @property
    def made(self) -> Made:
        """As types of resources know it."""
        return Made(self.physical_id, self.attributes, self.ref, tuple(self.hidden))

    def with_made(self, made: Made) -> "State":
        """With what a type of resource has made."""
        return dataclasses.replace(
            self,
            physical_id=made.physical_id,
            ref=made.ref,
            attributes=dict(made.attributes),
            hidden=list(made.hidden),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Resource(Stored):
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
class ChangeSet(Stored):
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


def caller_of(stored: Mapping[str, str], scope: Scope, token: str = "") -> Caller:
    """The caller that a stored principal is, for the step with a token."""
    fields: dict[str, Any] = {"account": "", "user_id": "", **stored}
    principal = Principal(**fields)
    return Caller(principal=principal, scope=scope, service=None, access_key_id=None, token=token)
