"""Use cases that read stacks, and small changes of what they say."""

import dataclasses
import json
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Any

from lambent.identity.authorizer import Caller
from lambent.stacks.hiding import hide, secrets_of
from lambent.stacks.planning import check_policy
from lambent.stacks.records import DEPLOYED, WANTED, Deployment, Resource, Stack
from lambent.stacks.rows import StackRows
from lambent.stacks.sources import invalid, read_source
from lambent.stacks.use_cases.context import Params, UseCaseContext
from lambent.stacks.use_cases.finding import find_stack, require_change_set, require_stack
from lambent.stacks.use_cases.pages import page
from lambent.store.store import Transaction

_PAGE = 100
_NO_DRIFT = {"StackDriftStatus": "NOT_CHECKED"}
_NO_RESOURCE_DRIFT = {"StackResourceDriftStatus": "NOT_CHECKED"}


class ReadingUseCases:
    """All raise `ApiError`."""

    def __init__(self, context: UseCaseContext) -> None:
        self._context = context

    async def describe_stacks(self, caller: Caller, params: Params) -> Params:
        """DescribeStacks."""
        name = params.get("StackName")

        def run(tx: Transaction) -> Sequence[Stack]:
            rows = StackRows(tx)
            if name is None:
                return [stack for stack in rows.stacks(caller.scope) if not stack.is_deleted]
            stack = find_stack(rows, caller.scope, name)
            if stack is None:
                raise invalid(f"Stack with id {name} does not exist")
            return [stack]

        found, token = page(await self._context.store.read(run), params, size=_PAGE)
        return {"Stacks": [_shown(stack) for stack in found], **token}

    async def list_stacks(self, caller: Caller, params: Params) -> Params:
        """ListStacks: the newest first, deleted ones as well."""
        statuses = params.get("StackStatusFilter")
        found = await self._context.store.read(lambda tx: StackRows(tx).stacks(caller.scope))
        chosen = [s for s in reversed(found) if not statuses or s.status in statuses]
        stacks, token = page(chosen, params, size=_PAGE)
        return {"StackSummaries": [_summary(stack) for stack in stacks], **token}

    async def describe_resource(self, caller: Caller, params: Params) -> Params:
        """DescribeStackResource."""
        stack, resources = await self._resources(caller, params["StackName"])
        logical_id = params["LogicalResourceId"]
        resource = resources.get(logical_id)
        if resource is None:
            raise invalid(f"Resource {logical_id} does not exist for stack {stack.name}")
        shown = {
            "StackId": stack.arn,
            "StackName": stack.name,
            **_resource(resource, "LastUpdatedTimestamp"),
        }
        if resource.current is not None and resource.current.metadata is not None:
            secrets = await self._context.store.read(lambda tx: _secrets(StackRows(tx), stack))
            shown["Metadata"] = hide(json.dumps(resource.current.metadata), secrets)
        return {"StackResourceDetail": shown}

    async def describe_resources(self, caller: Caller, params: Params) -> Params:
        """DescribeStackResources: at most 100."""
        name, physical_id = params.get("StackName"), params.get("PhysicalResourceId")
        if name is not None and physical_id is not None:
            raise invalid("Both StackName and PhysicalResourceId cannot be specified.")
        if name is None and physical_id is None:
            raise invalid("Either StackName or PhysicalResourceId must be specified.")
        if physical_id is not None:
            name = await self._owner(caller, physical_id)
        stack, resources = await self._resources(caller, str(name))
        logical_id = params.get("LogicalResourceId")
        found = [r for r in resources.values() if logical_id in (None, r.logical_id)]
        if logical_id is not None and not found:
            raise invalid(f"Resource {logical_id} does not exist for stack {stack.name}")
        shown = [
            {"StackId": stack.arn, "StackName": stack.name, **_resource(resource, "Timestamp")}
            for resource in found[:_PAGE]
        ]
        return {"StackResources": shown}

    async def _owner(self, caller: Caller, physical_id: str) -> str:
        """The ARN of the stack that has a physical resource."""
        found = await self._context.store.read(
            lambda tx: StackRows(tx).owning(caller.scope, physical_id)
        )
        if found is None:
            raise invalid(f"Stack for {physical_id} does not exist")
        return found[0].arn

    async def list_resources(self, caller: Caller, params: Params) -> Params:
        """ListStackResources."""
        _, resources = await self._resources(caller, params["StackName"])
        found, token = page(list(resources.values()), params, size=_PAGE)
        shown = [_resource(resource, "LastUpdatedTimestamp") for resource in found]
        return {"StackResourceSummaries": shown, **token}

    async def get_template(self, caller: Caller, params: Params) -> Params:
        """GetTemplate."""
        name, change_set_name = params.get("StackName"), params.get("ChangeSetName")
        if name is None and change_set_name is None:
            raise invalid("StackName is required if ChangeSetName is not specified.")

        def run(tx: Transaction) -> Deployment | None:
            rows = StackRows(tx)
            if change_set_name is not None:
                _, found = require_change_set(rows, caller.scope, change_set_name, name)
                return Deployment.from_body(found.deployment)
            stack = require_stack(rows, caller.scope, str(name))
            return rows.deployment(stack.root, WANTED) or rows.deployment(stack.root, DEPLOYED)

        deployment = await self._context.store.read(run)
        stages = {"StagesAvailable": ["Original", "Processed"]}
        if deployment is None:  # A stack in review has none.
            return stages
        text = deployment.template
        if params.get("TemplateStage") == "Processed":
            text = deployment.processed or text
        return {"TemplateBody": text, **stages}

    async def get_policy(self, caller: Caller, params: Params) -> Params:
        """GetStackPolicy."""
        stack = await self._stack(caller, params["StackName"])
        return {"StackPolicyBody": stack.policy} if stack.policy else {}

    async def set_policy(self, caller: Caller, params: Params) -> Params:
        """SetStackPolicy."""
        api = self._context.preparing.api
        text = await read_source(api, caller, params, "StackPolicyBody", "StackPolicyURL")
        if text is None:
            raise invalid("Either StackPolicyBody or StackPolicyURL must be specified.")
        await self._change(caller, params["StackName"], policy=check_policy(text))
        return {}

    async def protect(self, caller: Caller, params: Params) -> Params:
        """UpdateTerminationProtection."""
        is_protected = params["EnableTerminationProtection"]
        stack = await self._change(caller, params["StackName"], is_protected=is_protected)
        return {"StackId": stack.arn}

    async def list_exports(self, caller: Caller, params: Params) -> Params:
        """ListExports."""
        found = await self._context.store.read(lambda tx: StackRows(tx).exports(caller.scope))
        exports = [
            {"ExportingStackId": body["stack"], "Name": name, "Value": body["value"]}
            for name, body in sorted(found.items())
        ]
        shown, token = page(exports, params, size=_PAGE)
        return {"Exports": shown, **token}

    async def list_imports(self, caller: Caller, params: Params) -> Params:
        """ListImports."""
        name = params["ExportName"]
        users = await self._context.store.read(
            lambda tx: StackRows(tx).importers(caller.scope, name)
        )
        if not users:
            raise invalid(f"Export '{name}' is not imported by any stack.")
        found, token = page([stack.name for stack in users], params, size=_PAGE)
        return {"Imports": found, **token}

    async def _change(self, caller: Caller, name: str, **members: Any) -> Stack:
        def run(tx: Transaction) -> Stack:
            rows = StackRows(tx)
            stack = require_stack(rows, caller.scope, name)
            rows.lock(stack.root)
            stack = dataclasses.replace(require_stack(rows, caller.scope, stack.arn), **members)
            rows.put_stack(stack)
            return stack

        return await self._context.store.transact(run)

    async def _stack(self, caller: Caller, name: str) -> Stack:
        return await self._context.store.read(
            lambda tx: require_stack(StackRows(tx), caller.scope, name)
        )

    async def _resources(self, caller: Caller, name: str) -> tuple[Stack, Mapping[str, Resource]]:
        def run(tx: Transaction) -> tuple[Stack, Mapping[str, Resource]]:
            rows = StackRows(tx)
            stack = require_stack(rows, caller.scope, name)
            return stack, rows.resources(stack.root)

        return await self._context.store.read(run)


def _secrets(rows: StackRows, stack: Stack) -> Set[str]:
    deployments = [rows.deployment(stack.root, which) for which in (DEPLOYED, WANTED)]
    return secrets_of(deployments, rows.resources(stack.root).values())


def _shown(stack: Stack) -> Params:
    shown = {
        **_summary(stack),
        "Description": stack.description or None,
        "Parameters": list(stack.parameters),
        "RollbackConfiguration": {},
        "DisableRollback": stack.disable_rollback,
        "NotificationARNs": list(stack.notification_arns),
        "TimeoutInMinutes": stack.timeout_minutes or None,
        "Capabilities": list(stack.capabilities),
        "Outputs": list(stack.outputs),
        "RoleARN": stack.role_arn or None,
        "Tags": [{"Key": key, "Value": value} for key, value in stack.tags.items()],
        "EnableTerminationProtection": stack.is_protected,
        "ChangeSetId": stack.change_set_id or None,
        "LastOperations": list(stack.operations) or None,
    }
    del shown["TemplateDescription"]
    return _present(shown)


def _summary(stack: Stack) -> dict[str, Any]:
    return dict(
        _present(
            {
                "StackId": stack.arn,
                "StackName": stack.name,
                "TemplateDescription": stack.description or "",
                "CreationTime": _time(stack.created_at),
                "LastUpdatedTime": _time(stack.updated_at),
                "DeletionTime": _time(stack.deleted_at),
                "StackStatus": stack.status,
                "StackStatusReason": stack.reason or None,
                "ParentId": stack.parent_id or None,
                "RootId": stack.root_id or None,
                "DriftInformation": _NO_DRIFT,
            }
        )
    )


def _resource(resource: Resource, time: str) -> dict[str, Any]:
    return dict(
        _present(
            {
                "LogicalResourceId": resource.logical_id,
                "PhysicalResourceId": resource.physical_id or None,
                "ResourceType": resource.type,
                time: _time(resource.updated_at),
                "ResourceStatus": resource.status,
                "ResourceStatusReason": resource.reason or None,
                "DriftInformation": _NO_RESOURCE_DRIFT,
            }
        )
    )


def _present(members: Mapping[str, Any]) -> Params:
    return {name: value for name, value in members.items() if value is not None}


def _time(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
