"""Use cases of change sets."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from lambent.identity.authorizer import Caller
from lambent.model.errors import ApiError
from lambent.stacks.planning import check_changes
from lambent.stacks.preparing import Prepared, with_deployment
from lambent.stacks.records import WANTED, ChangeSet, Deployment, Stack
from lambent.stacks.rows import StackRows
from lambent.stacks.sources import invalid
from lambent.stacks.template.errors import TransformFailed
from lambent.stacks.use_cases.context import (
    Existing,
    Params,
    UseCaseContext,
    exports_of,
    on_failure_of,
)
from lambent.stacks.use_cases.finding import (
    check_name,
    new_id,
    require_change_set,
    require_stack,
)
from lambent.stacks.use_cases.operating import OperatingUseCases
from lambent.stacks.use_cases.pages import page
from lambent.stacks.use_cases.requests import check_topics, is_repeated, refuse, requested
from lambent.store.store import Transaction

UNCHANGED = (
    "The submitted information didn't contain changes. Submit different information to create a"
    " change set."
)
_REFUSED = (*("RollbackConfiguration", "ResourceTypes", "ResourcesToImport", "DeploymentMode"),)
_CHANGE_SETS_MAX = 100


class ChangeSetUseCases:
    """All raise `ApiError`."""

    def __init__(self, context: UseCaseContext, operating: OperatingUseCases) -> None:
        self._context = context
        self._operating = operating

    async def create(self, caller: Caller, params: Params) -> Params:
        """CreateChangeSet."""
        refuse(params, _REFUSED)
        kind = params.get("ChangeSetType", "UPDATE")
        if kind not in ("CREATE", "UPDATE"):
            raise invalid(f"Lambent does not support change sets of type {kind}.")
        check_name(params["ChangeSetName"], "changeSetName")
        check_topics(params)
        if kind == "UPDATE":
            found = await self._operating.find_updatable(caller, params["StackName"])
        else:
            found = await self._find_new(caller, params)
        change_set = self._new(caller, params, kind)
        stack = found.stack
        try:
            prepared, changes = await self._operating.plan(caller, params, found, expands=True)
        except TransformFailed as error:
            text = await self._context.preparing.read(caller, params)
            if text is None and found.deployed is not None:
                text = found.deployed.template
            change_set = _failed(change_set, Deployment(template=text or "{}"), error.message)
        else:
            stack = with_deployment(stack, prepared)
            deployment = prepared.deployment
            change_set = dataclasses.replace(
                change_set,
                deployment=deployment.to_body(),
                changes=[change.shown() for change in changes],
            )
            is_new = kind == "CREATE"
            if not (is_new or changes or self._operating.has_other_changes(prepared, found)):
                change_set = _failed(change_set, deployment, UNCHANGED)
        stored = await self._store(stack, change_set)
        return {"Id": stored.arn, "StackId": found.stack.arn}

    async def describe(self, caller: Caller, params: Params) -> Params:
        """DescribeChangeSet."""
        stack, change_set = await self._find(caller, params)
        deployment = Deployment.from_body(change_set.deployment)
        shown: dict[str, Any] = {
            **_summary(stack, change_set),
            "Parameters": list(deployment.shown),
            "NotificationARNs": list(deployment.notification_arns),
            "Capabilities": list(deployment.capabilities),
            "RollbackConfiguration": {},
            "Tags": [{"Key": key, "Value": value} for key, value in deployment.tags.items()],
        }
        if change_set.on_failure:
            shown["OnStackFailure"] = change_set.on_failure
        changes, token = page(change_set.changes, params, size=100)
        shown["Changes"] = changes
        return {**shown, **token}

    async def execute(self, caller: Caller, params: Params) -> Params:
        """ExecuteChangeSet."""
        context = self._context
        stack, change_set = await self._find(caller, params)
        if is_repeated(stack, "ExecuteChangeSet", params):
            return {}
        if change_set.execution_status != "AVAILABLE":
            raise ApiError(
                "InvalidChangeSetStatusException",
                f"ChangeSet [{change_set.arn}] cannot be executed in its current status of"
                f" [{change_set.status}]",
            )
        deployment = Deployment.from_body(change_set.deployment)
        chosen = {**params, "OnFailure": change_set.on_failure}
        kind = "CREATE_STACK" if change_set.kind == "CREATE" else "UPDATE_STACK"
        operation = context.operation(kind, params, on_failure_of(chosen))
        done = dataclasses.replace(change_set, execution_status="EXECUTE_COMPLETE")
        stack = dataclasses.replace(
            stack,
            caller=context.acting(caller, deployment.role_arn),
            change_set_id=change_set.arn,
            disable_rollback=params.get("DisableRollback", False),
        )
        stack = requested(stack, "ExecuteChangeSet", params)
        if change_set.kind == "UPDATE":
            found = await self._operating.find_updatable(caller, stack.arn)
            blueprint = await context.make_blueprint(stack, deployment, found.exports)
            prepared = Prepared(deployment, blueprint)
            check_changes(stack.policy, await context.changes(prepared, found.resources))
            await self._operating.begin_update(stack, prepared, operation, done)
            return {}

        def run(tx: Transaction) -> None:
            rows = StackRows(tx)
            rows.lock(stack.root)
            now = rows.stack(stack.root)
            if now is None or now.status != "REVIEW_IN_PROGRESS":
                status = now.status if now is not None else "DELETE_COMPLETE"
                raise invalid(f"Stack:{stack.arn} is in {status} state and can not be updated.")
            rows.put_change_set(stack.root, done)
            rows.put_deployment(stack.root, WANTED, deployment)
            begun = dataclasses.replace(stack.showing(deployment), events=now.events)
            context.begin(rows, begun, "CREATE_IN_PROGRESS", operation)

        await context.store.transact(run)
        context.start(stack.root)
        return {}

    async def delete(self, caller: Caller, params: Params) -> Params:
        """DeleteChangeSet. One that does not exist is deleted already."""

        def run(tx: Transaction) -> None:
            rows = StackRows(tx)
            try:
                stack, change_set = require_change_set(
                    rows, caller.scope, params["ChangeSetName"], params.get("StackName")
                )
            except ApiError as error:
                if error.code == "ChangeSetNotFoundException":
                    return
                raise
            rows.lock(stack.root)
            rows.drop_change_set(stack.root, change_set.id)

        await self._context.store.transact(run)
        return {}

    async def list(self, caller: Caller, params: Params) -> Params:
        """ListChangeSets."""

        def run(tx: Transaction) -> Sequence[Params]:
            rows = StackRows(tx)
            stack = require_stack(rows, caller.scope, params["StackName"])
            return [_summary(stack, each) for each in rows.change_sets(stack.root)]

        found, token = page(await self._context.store.read(run), params, size=100)
        return {"Summaries": found, **token}

    async def _find(self, caller: Caller, params: Params) -> tuple[Stack, ChangeSet]:
        return await self._context.store.read(
            lambda tx: require_change_set(
                StackRows(tx), caller.scope, params["ChangeSetName"], params.get("StackName")
            )
        )

    async def _find_new(self, caller: Caller, params: Params) -> Existing:
        """A stack in review, stored or not."""
        name = params["StackName"]

        def run(tx: Transaction) -> Existing:
            rows = StackRows(tx)
            stack = rows.named(caller.scope, name) if len(name) <= 256 else None
            if stack is None:
                check_name(name, "stackName")
                stack = dataclasses.replace(
                    self._operating.new_stack(caller, params), status="REVIEW_IN_PROGRESS"
                )
            elif stack.status != "REVIEW_IN_PROGRESS":
                raise invalid(
                    f"Stack [{name}] already exists and cannot be created again with the changeSet"
                    f" [{params['ChangeSetName']}]."
                )
            return Existing(stack, None, {}, exports_of(rows, caller.scope))

        return await self._context.store.read(run)

    def _new(self, caller: Caller, params: Params, kind: str) -> ChangeSet:
        id, name = new_id(), params["ChangeSetName"]
        account, region = caller.scope
        return ChangeSet(
            id=id,
            name=name,
            arn=f"arn:aws:cloudformation:{region}:{account}:changeSet/{name}/{id}",
            kind=kind,
            status="CREATE_COMPLETE",
            execution_status="AVAILABLE",
            description=params.get("Description", ""),
            created_at=self._context.clock.now(),
            on_failure=params.get("OnStackFailure", ""),
            client_token=params.get("ClientToken", ""),
        )

    async def _store(self, stack: Stack, change_set: ChangeSet) -> ChangeSet:
        """Store a change set, and its stack if that is new. Returns the one that is stored
        already, if the request is a repeated one."""
        context = self._context

        def run(tx: Transaction) -> ChangeSet:
            rows = StackRows(tx)
            rows.lock_account(stack.scope)
            rows.lock(stack.root)
            others = rows.change_sets(stack.root)
            other = next((other for other in others if other.name == change_set.name), None)
            if (
                other is not None
                and other.client_token
                and other.client_token == (change_set.client_token)
            ):
                return other
            if other is not None:
                raise ApiError(
                    "AlreadyExistsException", f"ChangeSet {change_set.name} already exists"
                )
            if len(others) >= _CHANGE_SETS_MAX:
                raise ApiError(
                    "LimitExceededException",
                    f"A stack has at most {_CHANGE_SETS_MAX} change sets.",
                )
            rows.put_change_set(stack.root, change_set)
            if stack.status == "REVIEW_IN_PROGRESS" and rows.stack(stack.root) is None:
                if rows.named(stack.scope, stack.name) is not None:
                    raise ApiError("AlreadyExistsException", f"Stack [{stack.name}] already exists")
                rows.put_name(stack)
                context.begin(rows, stack, "REVIEW_IN_PROGRESS", None)
            return change_set

        return await context.store.transact(run)


def _failed(change_set: ChangeSet, deployment: Deployment, reason: str) -> ChangeSet:
    return dataclasses.replace(
        change_set,
        deployment=deployment.to_body(),
        changes=[],
        status="FAILED",
        execution_status="UNAVAILABLE",
        reason=reason,
    )


def _summary(stack: Stack, change_set: ChangeSet) -> dict[str, Any]:
    shown = {
        "StackId": stack.arn,
        "StackName": stack.name,
        "ChangeSetId": change_set.arn,
        "ChangeSetName": change_set.name,
        "ExecutionStatus": change_set.execution_status,
        "Status": change_set.status,
        "CreationTime": datetime.fromtimestamp(change_set.created_at, UTC),
        "IncludeNestedStacks": False,
        "ImportExistingResources": False,
    }
    if change_set.reason:
        shown["StatusReason"] = change_set.reason
    if change_set.description:
        shown["Description"] = change_set.description
    return shown
