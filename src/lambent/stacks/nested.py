"""Nested stacks: a stack as a resource of another one."""

from collections.abc import Mapping
from typing import Any, Final

from lambent.identity.authorizer import Caller
from lambent.kit.clock import Clock
from lambent.model.errors import ApiError
from lambent.stacks.plan import has_unknown
from lambent.stacks.records import Stack
from lambent.stacks.resources.resource_type import Made, Properties, Step, Unfinished
from lambent.stacks.rows import StackRows
from lambent.stacks.sources import invalid
from lambent.stacks.statuses import STACK_TYPE
from lambent.stacks.use_cases.finding import find_stack
from lambent.stacks.use_cases.operating import NO_UPDATES, OperatingUseCases
from lambent.store.store import Store

_LOOK_S: Final = 0.5
_PROPERTIES: Final = frozenset(
    {"NotificationARNs", "Parameters", "Tags", "TemplateURL", "TimeoutInMinutes"}
)
_CAPABILITIES: Final = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
"""Of the parent, which was asked for them."""


class NestedStackType:
    """`AWS::CloudFormation::Stack`. See `ResourceType`."""

    name = STACK_TYPE
    deadline_s = 86_400.0

    def __init__(self, store: Store, clock: Clock, operating: OperatingUseCases) -> None:
        self._store = store
        self._clock = clock
        self._operating = operating

    def check(self, properties: Properties) -> None:
        for name in properties:
            if name not in _PROPERTIES:
                raise invalid(f"Encountered unsupported property {name}")
        url = properties.get("TemplateURL")
        if not isinstance(url, str) and not has_unknown(url):
            raise invalid("Properties validation failed for resource: TemplateURL is required.")

    def replaces(self, old: Properties, new: Properties) -> frozenset[str]:
        return frozenset()

    def custom_name(self, properties: Properties) -> str | None:
        return None

    async def exists(self, step: Step, properties: Properties) -> bool:
        return False

    async def create(self, step: Step, properties: Properties) -> Made:
        if await self.find(step, properties) is None:
            parent = await self._find(step.caller, step.stack_id)
            root = parent.root_id if parent is not None else ""
            nested = {"ParentId": step.stack_id, "RootId": root or step.stack_id}
            params = {**_params(step, properties), **nested, "StackName": _name(step)}
            await self._operating.create(step.caller, params)
        stack = await self._settled(step.caller, _name(step))
        if stack.status != "CREATE_COMPLETE":
            error = _failed(stack, "created")
            raise Unfinished(error, Made(stack.arn, {}))
        return _made(stack)

    async def find(self, step: Step, properties: Properties) -> Made | None:
        stack = await self._find(step.caller, _name(step))
        is_ours = stack is not None and stack.parent_id == step.stack_id
        return Made(stack.arn, {}) if stack is not None and is_ours else None

    async def update(self, step: Step, made: Made, old: Properties, new: Properties) -> Made:
        params = {**_params(step, new), "StackName": made.physical_id}
        stack = await self._find(step.caller, made.physical_id)
        if stack is not None and not stack.is_under_way:
            try:
                await self._operating.update(step.caller, params)
            except ApiError as error:
                if error.message != NO_UPDATES:
                    raise
                return _made(stack)
        stack = await self._settled(step.caller, made.physical_id)
        if stack.status != "UPDATE_COMPLETE":
            raise _failed(stack, "updated")
        return _made(stack)

    async def delete(self, step: Step, made: Made, properties: Properties) -> None:
        stack = await self._find(step.caller, made.physical_id)
        if stack is None or stack.is_deleted:
            return
        if stack.is_under_way:
            await self._settled(step.caller, made.physical_id)
        await self._operating.delete(step.caller, {"StackName": made.physical_id})
        stack = await self._settled(step.caller, made.physical_id)
        if not stack.is_deleted:
            raise _failed(stack, "deleted")

    async def read(self, step: Step, made: Made, properties: Properties) -> Made | None:
        stack = await self._find(step.caller, made.physical_id)
        return None if stack is None or stack.is_deleted else _made(stack)

    async def _find(self, caller: Caller, name: str) -> Stack | None:
        return await self._store.read(lambda tx: find_stack(StackRows(tx), caller.scope, name))

    async def _settled(self, caller: Caller, name: str) -> Stack:
        while True:
            stack = await self._find(caller, name)
            if stack is None:
                raise ApiError("", f"Embedded stack {name} does not exist")
            if not stack.is_under_way:
                return stack
            await self._clock.sleep(_LOOK_S)


def _name(step: Step) -> str:
    """The generated name, as long as names of stacks may be."""
    return step.name if len(step.name) <= 128 else step.name[:115] + step.name[-13:]


def _params(step: Step, properties: Properties) -> Mapping[str, Any]:
    tags = {key: value for key, value in step.tags.items() if not key.startswith("aws:")}
    tags |= {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    params: dict[str, Any] = {
        "TemplateURL": properties["TemplateURL"],
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": _text(value)}
            for name, value in properties.get("Parameters", {}).items()
        ],
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "Capabilities": list(_CAPABILITIES),
        "NotificationARNs": list(properties.get("NotificationARNs", [])),
    }
    if "TimeoutInMinutes" in properties:
        params["TimeoutInMinutes"] = int(properties["TimeoutInMinutes"])
    return params


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _made(stack: Stack) -> Made:
    outputs = {f"Outputs.{o['OutputKey']}": o["OutputValue"] for o in stack.outputs}
    return Made(stack.arn, outputs)


def _failed(stack: Stack, what: str) -> ApiError:
    reason = stack.reason or stack.status
    return ApiError("", f"Embedded stack {stack.arn} was not successfully {what}: {reason}")
