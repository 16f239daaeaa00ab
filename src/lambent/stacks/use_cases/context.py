"""What the use cases share."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from lambent.identity.authorizer import Caller
from lambent.identity.service_roles import ServiceRoles
from lambent.kit.clock import Clock
from lambent.kit.computing import computed
from lambent.model.arn import Scope
from lambent.model.document import Root
from lambent.stacks.blueprint import TemplateBlueprint
from lambent.stacks.engine.ports import FindType
from lambent.stacks.plan import Change
from lambent.stacks.planning import plan_changes
from lambent.stacks.preparing import Prepared, Preparing
from lambent.stacks.records import Deployment, Event, Operation, Resource, Stack, stored_principal
from lambent.stacks.rows import StackRows
from lambent.stacks.sources import invalid
from lambent.stacks.statuses import STACK_TYPE, USER_INITIATED
from lambent.stacks.use_cases.finding import new_id
from lambent.store.store import Store

Params = Mapping[str, Any]
"""Input or output members by API name."""
_EVENTS_KEPT = 10_000
"""Of one stack. AWS keeps those of 90 days."""
_OPERATIONS_SHOWN = 10
_SESSION = "AWSCloudFormation"
_PRINCIPAL = "cloudformation.amazonaws.com"


@dataclasses.dataclass(frozen=True, slots=True)
class Existing:
    """A stack as an update finds it."""

    stack: Stack
    deployed: Deployment | None
    resources: Mapping[str, Resource]
    exports: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UseCaseContext:
    """What the use cases share."""

    store: Store
    clock: Clock
    preparing: Preparing
    find_type: FindType
    make_blueprint: Callable[[Stack, Deployment, Mapping[str, str]], Awaitable[TemplateBlueprint]]
    roles: ServiceRoles
    start: Callable[[Root], None]
    """Runs the operation that is under way: `Engine.start`."""

    def acting(self, caller: Caller, role_arn: str) -> Mapping[str, str]:
        """The principal whose rights decide, as stored: the caller, or the role that is given.
        Raises `ApiError` for a role that CloudFormation cannot assume."""
        if role_arn:
            caller = self.roles.assume(role_arn, _PRINCIPAL, caller.scope, _SESSION)
        return stored_principal(caller.principal)

    async def changes(
        self, prepared: Prepared, resources: Mapping[str, Resource]
    ) -> Sequence[Change]:
        """The changes that a deployment makes. Raises `ApiError`."""
        blueprint, tags = prepared.blueprint, prepared.deployment.tags
        return await computed(plan_changes, blueprint, resources, self.find_type, tags)

    def operation(self, kind: str, params: Params, on_failure: str = "ROLLBACK") -> Operation:
        """An operation that begins now. `kind` is its OperationType."""
        return Operation(
            token=new_id(),
            kind=kind,
            owner=self.store.starts,
            client_token=params.get("ClientRequestToken", ""),
            started_at=self.clock.now(),
            on_failure=on_failure,
            deletes_new=params.get("RetainExceptOnCreate", False),
        )

    def require_own(self, rows: StackRows, stack: Stack) -> Operation | None:
        """The operation under way. Raises `ValidationError` if another platform of the database
        runs it: it would not learn that something takes its place."""
        operation = rows.operation(stack.root)
        is_other = operation is not None and operation.owner != self.store.starts
        if operation is not None and is_other and rows.is_running(operation.owner):
            raise invalid(
                f"Stack [{stack.name}] is in {stack.status} state on another platform of the"
                " database. Send the request to that platform, or wait."
            )
        return operation

    def begin(
        self,
        rows: StackRows,
        stack: Stack,
        status: str,
        operation: Operation | None,
        reason: str = USER_INITIATED,
    ) -> Stack:
        """Write that an operation is under way, with its first event; returns the stack."""
        stack = dataclasses.replace(stack, status=status, reason=reason)
        if operation is not None:
            shown = {"OperationType": operation.kind, "OperationId": operation.token}
            stack = dataclasses.replace(
                stack, operations=[shown, *stack.operations][:_OPERATIONS_SHOWN]
            )
        event = Event(stack.name, stack.arn, STACK_TYPE, status, reason)
        stack = rows.add_events(stack, [event], self.clock.now(), operation)
        rows.put_stack(stack)
        rows.prune_events(stack, _EVENTS_KEPT)
        if operation is not None:
            rows.put_operation(stack.root, operation)
        return stack


def exports_of(rows: StackRows, scope: Scope) -> Mapping[str, str]:
    """Values of all exports."""
    return {name: str(export["value"]) for name, export in rows.exports(scope).items()}


def existing(rows: StackRows, stack: Stack, which: str) -> Existing:
    """What an update of a stack begins with."""
    return Existing(
        stack,
        rows.deployment(stack.root, which),
        rows.resources(stack.root),
        exports_of(rows, stack.scope),
    )


def on_failure_of(params: Params) -> str:
    """What follows a failure, as an input says."""
    if params.get("DisableRollback"):
        return "DO_NOTHING"
    chosen: str = params.get("OnFailure") or params.get("OnStackFailure") or "ROLLBACK"
    return chosen
