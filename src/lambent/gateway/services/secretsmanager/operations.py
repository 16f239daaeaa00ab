"""Operations on secrets."""

from collections.abc import Mapping

from lambent.control.secrets import Secrets, random_password
from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation


async def _create(secrets: Secrets, call: Call) -> Members:
    return await secrets.create(call.scope, call.params)


async def _get_value(secrets: Secrets, call: Call) -> Members:
    return await secrets.get_value(call.scope, call.params)


async def _put_value(secrets: Secrets, call: Call) -> Members:
    return await secrets.put_value(call.scope, call.params)


async def _update(secrets: Secrets, call: Call) -> Members:
    return await secrets.update(call.scope, call.params)


async def _delete(secrets: Secrets, call: Call) -> Members:
    return await secrets.delete(call.scope, call.params)


async def _restore(secrets: Secrets, call: Call) -> Members:
    return await secrets.restore(call.scope, call.params)


async def _describe(secrets: Secrets, call: Call) -> Members:
    return await secrets.describe(call.scope, call.params)


async def _get_policy(secrets: Secrets, call: Call) -> Members:
    return await secrets.no_policy(call.scope, call.params)


async def _list(secrets: Secrets, call: Call) -> Members:
    return await secrets.list(call.scope, call.params)


async def _tag(secrets: Secrets, call: Call) -> Members:
    return await secrets.tag(call.scope, call.params)


async def _get_password(_: Secrets, call: Call) -> Members:
    return {"RandomPassword": random_password(call.params)}


OPERATIONS: Mapping[str, Operation[Secrets]] = {
    "CreateSecret": _create,
    "GetSecretValue": _get_value,
    "PutSecretValue": _put_value,
    "UpdateSecret": _update,
    "DeleteSecret": _delete,
    "RestoreSecret": _restore,
    "DescribeSecret": _describe,
    "GetResourcePolicy": _get_policy,
    "ListSecrets": _list,
    "TagResource": _tag,
    "UntagResource": _tag,
    "GetRandomPassword": _get_password,
}
