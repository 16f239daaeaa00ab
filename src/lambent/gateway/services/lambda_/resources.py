"""The operations whose use case takes the request's members and returns the response's: here they
are only named."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from lambent.control.room import Control
from lambent.gateway.call import Call, Members
from lambent.gateway.services.lambda_.rooms import LambdaRooms
from lambent.model.arn import Scope

UseCase = Callable[[Scope, Mapping[str, Any]], Awaitable[Members]]

_USE_CASES: Mapping[str, Callable[[Control], UseCase]] = {
    "CreateAlias": lambda control: control.aliases.create,
    "GetAlias": lambda control: control.aliases.get,
    "ListAliases": lambda control: control.aliases.list,
    "UpdateAlias": lambda control: control.aliases.update,
    "DeleteAlias": lambda control: control.aliases.delete,
    "AddPermission": lambda control: control.permissions.add,
    "RemovePermission": lambda control: control.permissions.remove,
    "GetPolicy": lambda control: control.permissions.get,
    "PutResourcePolicy": lambda control: control.permissions.put_document,
    "GetResourcePolicy": lambda control: control.permissions.get_document,
    "DeleteResourcePolicy": lambda control: control.permissions.delete_document,
    "TagResource": lambda control: control.tags.add,
    "UntagResource": lambda control: control.tags.remove,
    "ListTags": lambda control: control.tags.list,
    "ListLayers": lambda control: control.layers.list,
    "ListLayerVersions": lambda control: control.layers.list_versions,
    "DeleteLayerVersion": lambda control: control.layers.delete,
    "AddLayerVersionPermission": lambda control: control.layers.add_permission,
    "RemoveLayerVersionPermission": lambda control: control.layers.remove_permission,
    "GetLayerVersionPolicy": lambda control: control.layers.get_policy,
    "PutFunctionConcurrency": lambda control: control.concurrency.reserve,
    "GetFunctionConcurrency": lambda control: control.concurrency.get_reserved,
    "DeleteFunctionConcurrency": lambda control: control.concurrency.release,
    "PutProvisionedConcurrencyConfig": lambda control: control.concurrency.provision,
    "GetProvisionedConcurrencyConfig": lambda control: control.concurrency.get_provisioned,
    "ListProvisionedConcurrencyConfigs": lambda control: control.concurrency.list_provisioned,
    "DeleteProvisionedConcurrencyConfig": lambda control: control.concurrency.withdraw,
    "PutFunctionEventInvokeConfig": lambda control: control.event_invoke.put,
    "UpdateFunctionEventInvokeConfig": lambda control: control.event_invoke.update,
    "GetFunctionEventInvokeConfig": lambda control: control.event_invoke.get,
    "DeleteFunctionEventInvokeConfig": lambda control: control.event_invoke.delete,
    "ListFunctionEventInvokeConfigs": lambda control: control.event_invoke.list,
    "CreateCodeSigningConfig": lambda control: control.code_signing.create,
    "GetCodeSigningConfig": lambda control: control.code_signing.get,
    "ListCodeSigningConfigs": lambda control: control.code_signing.list,
    "UpdateCodeSigningConfig": lambda control: control.code_signing.update,
    "DeleteCodeSigningConfig": lambda control: control.code_signing.delete,
    "ListFunctionsByCodeSigningConfig": lambda control: control.code_signing.list_functions,
    "PutFunctionCodeSigningConfig": lambda control: control.code_signing.bind,
    "GetFunctionCodeSigningConfig": lambda control: control.code_signing.get_binding,
    "DeleteFunctionCodeSigningConfig": lambda control: control.code_signing.unbind,
    "CreateEventSourceMapping": lambda control: control.mappings.create,
    "GetEventSourceMapping": lambda control: control.mappings.get,
    "ListEventSourceMappings": lambda control: control.mappings.list,
    "UpdateEventSourceMapping": lambda control: control.mappings.update,
    "DeleteEventSourceMapping": lambda control: control.mappings.delete,
    "PutRuntimeManagementConfig": lambda control: control.management.put_runtime,
    "GetRuntimeManagementConfig": lambda control: control.management.get_runtime,
    "PutFunctionRecursionConfig": lambda control: control.management.put_recursion,
    "GetFunctionRecursionConfig": lambda control: control.management.get_recursion,
    "PutFunctionScalingConfig": lambda control: control.management.refuse_scaling,
    "GetFunctionScalingConfig": lambda control: control.management.refuse_scaling,
}


async def _perform(find: Callable[[Control], UseCase], rooms: LambdaRooms, call: Call) -> Members:
    return await find(rooms.control)(call.scope, call.params)


OPERATIONS = {name: partial(_perform, find) for name, find in _USE_CASES.items()}
