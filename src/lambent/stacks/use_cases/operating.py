"""Use cases that begin, cancel or continue operations on stacks."""

import dataclasses

from lambent.identity.authorizer import Caller
from lambent.model.errors import ApiError
from lambent.stacks.plan import Change
from lambent.stacks.planning import changes_outputs, check_changes, check_policy
from lambent.stacks.preparing import Prepared, with_deployment
from lambent.stacks.records import DEPLOYED, WANTED, ChangeSet, Operation, Stack
from lambent.stacks.rows import StackRows
from lambent.stacks.sources import invalid, read_source
from lambent.stacks.statuses import UPDATABLE
from lambent.stacks.use_cases.context import (
    Existing,
    Params,
    UseCaseContext,
    existing,
    exports_of,
    on_failure_of,
)
from lambent.stacks.use_cases.finding import check_name, find_stack, new_id, require_stack
from lambent.stacks.use_cases.requests import check_topics, is_repeated, refuse, requested, said
from lambent.store.store import Transaction

NO_UPDATES = "No updates are to be performed."
_REFUSED = ("RollbackConfiguration", "ResourceTypes", "StackPolicyDuringUpdateURL")


class OperatingUseCases:
    """All raise `ApiError`."""

    def __init__(self, context: UseCaseContext) -> None:
        self._context = context

    async def create(self, caller: Caller, params: Params) -> Params:
        """CreateStack."""
        context, scope = self._context, caller.scope
        refuse(params, _REFUSED)
        name = params["StackName"]
        check_name(name, "stackName")
        check_topics(params)
        if params.get("DisableRollback") and "OnFailure" in params:
            raise invalid("You can specify either OnFailure or DisableRollback, but not both.")
        policy = await self._policy(caller, params)
        stack = self.new_stack(caller, params)
        exports = await context.store.read(lambda tx: exports_of(StackRows(tx), scope))
        prepared = await context.preparing.prepare(
            caller, stack, params, None, exports, expands=False
        )
        operation = context.operation("CREATE_STACK", params, on_failure_of(params))
        stack = dataclasses.replace(with_deployment(stack, prepared), policy=policy)
        stack = requested(stack, "CreateStack", params)

        def run(tx: Transaction) -> Stack | None:
            rows = StackRows(tx)
            rows.lock_account(scope)
            existing = rows.named(scope, name)
            if existing is not None:
                return existing if is_repeated(existing, "CreateStack", params) else None
            rows.put_name(stack)
            rows.put_deployment(stack.root, WANTED, prepared.deployment)
            return context.begin(rows, stack, "CREATE_IN_PROGRESS", operation)

        begun = await context.store.transact(run)
        if begun is None:
            raise ApiError("AlreadyExistsException", f"Stack [{name}] already exists")
        if begun.id == stack.id:
            context.start(begun.root)
        return said(begun)

    async def update(self, caller: Caller, params: Params) -> Params:
        """UpdateStack."""
        refuse(params, _REFUSED)
        check_topics(params)
        repeated = await self._repeated(caller, "UpdateStack", params)
        if repeated is not None:
            return said(repeated)
        found = await self.find_updatable(caller, params["StackName"])
        during = params.get("StackPolicyDuringUpdateBody")
        policy = await self._policy(caller, params)
        prepared, changes = await self.plan(caller, params, found, expands=False)
        if not changes and not self.has_other_changes(prepared, found):
            raise invalid(NO_UPDATES)
        check_changes(check_policy(during) if during else found.stack.policy, changes)
        operation = self._context.operation("UPDATE_STACK", params, on_failure_of(params))
        stack = dataclasses.replace(
            found.stack,
            caller=self._context.acting(caller, prepared.deployment.role_arn),
            policy=policy or found.stack.policy,
            disable_rollback=params.get("DisableRollback", False),
        )
        stack = requested(stack, "UpdateStack", params)
        await self.begin_update(stack, prepared, operation)
        return {"StackId": stack.arn, "OperationId": operation.token}

    async def delete(self, caller: Caller, params: Params) -> Params:
        """DeleteStack. A stack that does not exist is deleted already."""
        context, scope = self._context, caller.scope
        if params.get("DeletionMode", "STANDARD") != "STANDARD":
            raise invalid("Lambent does not support DeletionMode FORCE_DELETE_STACK.")
        retained = params.get("RetainResources", [])
        role_arn = params.get("RoleARN", "")

        def run(tx: Transaction) -> Stack | None:
            rows = StackRows(tx)
            stack = find_stack(rows, scope, params["StackName"])
            if stack is None or stack.is_deleted:
                return None
            rows.lock(stack.root)
            stack = require_stack(rows, scope, stack.arn)
            if is_repeated(stack, "DeleteStack", params):
                return None
            if stack.is_protected:
                raise invalid(
                    f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
                )
            if stack.status == "DELETE_IN_PROGRESS":
                return None
            if stack.is_under_way and stack.status != "CREATE_IN_PROGRESS":
                raise invalid(
                    f"Stack [{stack.arn}] cannot be deleted while in status {stack.status}"
                )
            context.require_own(rows, stack)
            if retained and stack.status != "DELETE_FAILED":
                raise invalid(
                    f"Invalid operation on stack [{stack.arn}]. Specify RetainResources only for a"
                    " stack in DELETE_FAILED state."
                )
            operation = context.operation("DELETE_STACK", params)
            operation = dataclasses.replace(operation, retained=list(retained))
            stack = dataclasses.replace(
                stack, caller=context.acting(caller, role_arn or stack.role_arn)
            )
            stack = requested(stack, "DeleteStack", params)
            return context.begin(rows, stack, "DELETE_IN_PROGRESS", operation)

        begun = await context.store.transact(run)
        if begun is not None:
            context.start(begun.root)
        return {}

    async def cancel_update(self, caller: Caller, params: Params) -> Params:
        """CancelUpdateStack."""

        def run(tx: Transaction) -> Stack | None:
            rows = StackRows(tx)
            stack = require_stack(rows, caller.scope, params["StackName"])
            rows.lock(stack.root)
            stack = require_stack(rows, caller.scope, stack.arn)
            if is_repeated(stack, "CancelUpdateStack", params):
                return None
            operation = self._context.require_own(rows, stack)
            if stack.status != "UPDATE_IN_PROGRESS" or operation is None:
                raise invalid(
                    f"CancelUpdateStack cannot be called from current stack status {stack.status}"
                )
            rows.put_operation(stack.root, dataclasses.replace(operation, is_cancelled=True))
            rows.put_stack(requested(stack, "CancelUpdateStack", params))
            return stack

        cancelled = await self._context.store.transact(run)
        if cancelled is not None:
            self._context.start(cancelled.root)
        return {}

    async def continue_rollback(self, caller: Caller, params: Params) -> Params:
        """ContinueUpdateRollback."""
        skipped = params.get("ResourcesToSkip", [])
        nested = [each for each in skipped if "." in each]
        if nested:
            raise invalid(f"Lambent does not skip resources of nested stacks: {nested[0]}.")
        allowed = {"UPDATE_ROLLBACK_FAILED": "UPDATE_ROLLBACK_IN_PROGRESS"}
        await self._go_back(
            "ContinueUpdateRollback", "CONTINUE_ROLLBACK", caller, params, allowed, skipped
        )
        return {}

    async def roll_back(self, caller: Caller, params: Params) -> Params:
        """RollbackStack."""
        allowed = {
            "CREATE_FAILED": "ROLLBACK_IN_PROGRESS",
            "UPDATE_FAILED": "UPDATE_ROLLBACK_IN_PROGRESS",
        }
        begun = await self._go_back("RollbackStack", "ROLLBACK", caller, params, allowed, ())
        return said(begun)

    async def _go_back(
        self,
        name: str,
        kind: str,
        caller: Caller,
        params: Params,
        allowed: dict[str, str],
        skipped: tuple[str, ...] | list[str],
    ) -> Stack:
        context = self._context

        def run(tx: Transaction) -> tuple[Stack, bool]:
            rows = StackRows(tx)
            stack = require_stack(rows, caller.scope, params["StackName"])
            rows.lock(stack.root)
            stack = require_stack(rows, caller.scope, stack.arn)
            if is_repeated(stack, name, params):
                return stack, False
            if stack.status not in allowed:
                raise invalid(
                    f"Stack:{stack.arn} is in {stack.status} state and can not be rolled back."
                )
            unknown = set(skipped) - rows.resources(stack.root).keys()
            if unknown:
                raise invalid(f"Resources {sorted(unknown)} are not in the stack.")
            role_arn = params.get("RoleARN") or stack.role_arn
            stack = dataclasses.replace(stack, caller=context.acting(caller, role_arn))
            operation = dataclasses.replace(context.operation(kind, params), skipped=list(skipped))
            stack, status = requested(stack, name, params), allowed[stack.status]
            return context.begin(rows, stack, status, operation), True

        begun, is_new = await context.store.transact(run)
        if is_new:
            context.start(begun.root)
        return begun

    # -- Also for change sets ----------------------------------------------------------------------

    def new_stack(self, caller: Caller, params: Params) -> Stack:
        """A stack that does not exist yet."""
        on_failure = on_failure_of(params)
        return Stack(
            account=caller.scope.account,
            region=caller.scope.region,
            id=new_id(),
            name=params["StackName"],
            status="",
            created_at=self._context.clock.now(),
            caller=self._context.acting(caller, params.get("RoleARN", "")),
            is_protected=params.get("EnableTerminationProtection", False),
            disable_rollback=on_failure == "DO_NOTHING",
            timeout_minutes=params.get("TimeoutInMinutes", 0),
            parent_id=params.get("ParentId", ""),
            root_id=params.get("RootId", ""),
        )

    async def find_updatable(self, caller: Caller, name: str) -> Existing:
        """A stack that may be updated."""

        def run(tx: Transaction) -> Existing:
            rows = StackRows(tx)
            stack = require_stack(rows, caller.scope, name)
            if stack.status not in UPDATABLE:
                raise _not_updatable(stack)
            return existing(rows, stack, DEPLOYED)

        found = await self._context.store.read(run)
        if found.deployed is not None:
            return found
        # A creation that failed and was not rolled back.
        return await self._context.store.read(
            lambda tx: existing(StackRows(tx), found.stack, WANTED)
        )

    async def plan(
        self, caller: Caller, params: Params, found: Existing, *, expands: bool
    ) -> tuple[Prepared, list[Change]]:
        """What an update would change."""
        context = self._context
        prepared = await context.preparing.prepare(
            caller, found.stack, params, found.deployed, found.exports, expands=expands
        )
        changes = await context.changes(prepared, found.resources)
        return prepared, list(changes)

    def has_other_changes(self, prepared: Prepared, found: Existing) -> bool:
        """Whether an update that changes no resource changes anything else."""
        if found.stack.status in ("CREATE_FAILED", "UPDATE_FAILED"):
            return True
        has_tags = dict(prepared.deployment.tags) != dict(found.stack.tags)
        return has_tags or changes_outputs(prepared.blueprint, found.stack, found.resources)

    async def begin_update(
        self,
        stack: Stack,
        prepared: Prepared,
        operation: Operation,
        executed: ChangeSet | None = None,
    ) -> None:
        """Begin an update of a stack that has not changed since it was read. All change sets go,
        except the one that is executed."""
        context = self._context
        shown = dataclasses.replace(
            with_deployment(stack, prepared), updated_at=context.clock.now()
        )

        def run(tx: Transaction) -> None:
            rows = StackRows(tx)
            rows.lock(stack.root)
            now = rows.stack(stack.root)
            if now is None or now.status != stack.status or now.status not in UPDATABLE:
                raise _not_updatable(now or stack)
            rows.put_deployment(stack.root, WANTED, prepared.deployment)
            for change_set in rows.change_sets(stack.root):
                rows.drop_change_set(stack.root, change_set.id)
            if executed is not None:
                rows.put_change_set(stack.root, executed)
            context.begin(
                rows,
                dataclasses.replace(shown, events=now.events, is_protected=now.is_protected),
                "UPDATE_IN_PROGRESS",
                operation,
            )

        await context.store.transact(run)
        context.start(stack.root)

    async def _repeated(self, caller: Caller, name: str, params: Params) -> Stack | None:
        """The stack, if an operation on it is a repeated one."""

        def run(tx: Transaction) -> Stack | None:
            stack = find_stack(StackRows(tx), caller.scope, params["StackName"])
            return stack if is_repeated(stack, name, params) else None

        return await self._context.store.read(run)

    async def _policy(self, caller: Caller, params: Params) -> str:
        api = self._context.preparing.api
        text = await read_source(api, caller, params, "StackPolicyBody", "StackPolicyURL")
        return check_policy(text) if text else ""


def _not_updatable(stack: Stack) -> ApiError:
    return invalid(f"Stack:{stack.arn} is in {stack.status} state and can not be updated.")
