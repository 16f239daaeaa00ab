"""The operations of Cloud Control that are offered: here their use cases are only named."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.identity.authorizer import Caller
from lambent.stacks.cloud_control.use_cases import CloudControl

UseCase = Callable[[CloudControl, Caller, Members], Awaitable[Members]]

_USE_CASES: Mapping[str, UseCase] = {
    "CreateResource": CloudControl.create,
    "GetResource": CloudControl.get,
    "UpdateResource": CloudControl.update,
    "DeleteResource": CloudControl.delete,
    "ListResources": CloudControl.list,
    "GetResourceRequestStatus": CloudControl.status,
    "ListResourceRequests": CloudControl.list_requests,
    "CancelResourceRequest": CloudControl.cancel,
}


async def _perform(use_case: UseCase, control: CloudControl, call: Call) -> Members:
    return await use_case(control, call.caller, call.params)


OPERATIONS: Mapping[str, Operation[CloudControl]] = {
    name: partial(_perform, use_case) for name, use_case in _USE_CASES.items()
}
