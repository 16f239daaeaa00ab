"""Operations on parameters."""

from collections.abc import Mapping

from lambent.control.parameters import Parameters
from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation


async def _put(parameters: Parameters, call: Call) -> Members:
    return await parameters.put(call.scope, call.params, call.caller.principal.arn)


async def _get(parameters: Parameters, call: Call) -> Members:
    return await parameters.get(call.scope, call.params)


async def _get_several(parameters: Parameters, call: Call) -> Members:
    return await parameters.get_several(call.scope, call.params)


async def _get_below(parameters: Parameters, call: Call) -> Members:
    return await parameters.get_below(call.scope, call.params)


async def _history(parameters: Parameters, call: Call) -> Members:
    return await parameters.history(call.scope, call.params)


async def _describe(parameters: Parameters, call: Call) -> Members:
    return await parameters.describe(call.scope, call.params)


async def _delete(parameters: Parameters, call: Call) -> Members:
    return await parameters.delete(call.scope, call.params)


async def _delete_several(parameters: Parameters, call: Call) -> Members:
    return await parameters.delete_several(call.scope, call.params)


async def _tag(parameters: Parameters, call: Call) -> Members:
    return await parameters.tag(call.scope, call.params)


async def _list_tags(parameters: Parameters, call: Call) -> Members:
    return await parameters.list_tags(call.scope, call.params)


OPERATIONS: Mapping[str, Operation[Parameters]] = {
    "PutParameter": _put,
    "GetParameter": _get,
    "GetParameters": _get_several,
    "GetParametersByPath": _get_below,
    "GetParameterHistory": _history,
    "DescribeParameters": _describe,
    "DeleteParameter": _delete,
    "DeleteParameters": _delete_several,
    "AddTagsToResource": _tag,
    "RemoveTagsFromResource": _tag,
    "ListTagsForResource": _list_tags,
}
