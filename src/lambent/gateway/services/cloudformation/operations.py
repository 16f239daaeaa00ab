"""The operations of CloudFormation that are offered: here their use cases are only named."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.identity.authorizer import Caller
from lambent.stacks.room import Stacks

UseCase = Callable[[Caller, Members], Awaitable[Members]]
Find = Callable[[Stacks], UseCase]

_USE_CASES: Mapping[str, Find] = {
    "CreateStack": lambda stacks: stacks.operating.create,
    "UpdateStack": lambda stacks: stacks.operating.update,
    "DeleteStack": lambda stacks: stacks.operating.delete,
    "CancelUpdateStack": lambda stacks: stacks.operating.cancel_update,
    "ContinueUpdateRollback": lambda stacks: stacks.operating.continue_rollback,
    "RollbackStack": lambda stacks: stacks.operating.roll_back,
    "DescribeStacks": lambda stacks: stacks.reading.describe_stacks,
    "ListStacks": lambda stacks: stacks.reading.list_stacks,
    "DescribeStackEvents": lambda stacks: stacks.events.describe_stack_events,
    "DescribeEvents": lambda stacks: stacks.events.describe_events,
    "SignalResource": lambda stacks: stacks.events.signal,
    "DescribeStackResource": lambda stacks: stacks.reading.describe_resource,
    "DescribeStackResources": lambda stacks: stacks.reading.describe_resources,
    "ListStackResources": lambda stacks: stacks.reading.list_resources,
    "GetTemplate": lambda stacks: stacks.reading.get_template,
    "GetStackPolicy": lambda stacks: stacks.reading.get_policy,
    "SetStackPolicy": lambda stacks: stacks.reading.set_policy,
    "UpdateTerminationProtection": lambda stacks: stacks.reading.protect,
    "ListExports": lambda stacks: stacks.reading.list_exports,
    "ListImports": lambda stacks: stacks.reading.list_imports,
    "GetTemplateSummary": lambda stacks: stacks.templates.summarize,
    "ValidateTemplate": lambda stacks: stacks.templates.validate,
    "CreateChangeSet": lambda stacks: stacks.change_sets.create,
    "DescribeChangeSet": lambda stacks: stacks.change_sets.describe,
    "ExecuteChangeSet": lambda stacks: stacks.change_sets.execute,
    "DeleteChangeSet": lambda stacks: stacks.change_sets.delete,
    "ListChangeSets": lambda stacks: stacks.change_sets.list,
}


async def _perform(find: Find, stacks: Stacks, call: Call) -> Members:
    return await find(stacks)(call.caller, call.params)


OPERATIONS: Mapping[str, Operation[Stacks]] = {
    name: partial(_perform, find) for name, find in _USE_CASES.items()
}
