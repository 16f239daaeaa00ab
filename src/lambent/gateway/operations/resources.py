"""The operations whose use case takes the request's members and answers the response's: nothing
is left to do here but to name them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lambent.control.control import Control
from lambent.gateway.call import Call, OperationHandler
from lambent.model.function import Scope

Members = Mapping[str, Any]
UseCase = Callable[[Scope, Members], Awaitable[Members]]

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
}


def operations(control: Control) -> Mapping[str, OperationHandler]:
    """The handlers, by operation name."""
    return {name: _handler(find, control) for name, find in _USE_CASES.items()}


def _handler(find: Callable[[Control], UseCase], control: Control) -> OperationHandler:
    async def handle(call: Call) -> Members:
        return await find(control)(call.scope, call.params)

    return handle
