"""Operations on repositories."""

from collections.abc import Mapping
from functools import partial

from lambent.control.repositories import Repositories
from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation


async def _create(repositories: Repositories, call: Call) -> Members:
    return await repositories.create(call.scope, call.params)


async def _describe(repositories: Repositories, call: Call) -> Members:
    return await repositories.describe(call.scope, call.params)


async def _delete(repositories: Repositories, call: Call) -> Members:
    return await repositories.delete(call.scope, call.params)


async def _set(member: str, repositories: Repositories, call: Call) -> Members:
    return await repositories.set_members(call.scope, call.params, member)


async def _put_policy(member: str, repositories: Repositories, call: Call) -> Members:
    return await repositories.put_policy(call.scope, call.params, member)


async def _get_policy(member: str, repositories: Repositories, call: Call) -> Members:
    return await repositories.get_policy(call.scope, call.params, member)


async def _delete_policy(member: str, repositories: Repositories, call: Call) -> Members:
    return await repositories.delete_policy(call.scope, call.params, member)


async def _tag(repositories: Repositories, call: Call) -> Members:
    return await repositories.tag(call.scope, call.params)


async def _list_tags(repositories: Repositories, call: Call) -> Members:
    return await repositories.list_tags(call.scope, call.params)


_POLICY, _LIFECYCLE = "policyText", "lifecyclePolicyText"

OPERATIONS: Mapping[str, Operation[Repositories]] = {
    "CreateRepository": _create,
    "DescribeRepositories": _describe,
    "DeleteRepository": _delete,
    "PutImageTagMutability": partial(_set, "imageTagMutability"),
    "PutImageScanningConfiguration": partial(_set, "imageScanningConfiguration"),
    "SetRepositoryPolicy": partial(_put_policy, _POLICY),
    "GetRepositoryPolicy": partial(_get_policy, _POLICY),
    "DeleteRepositoryPolicy": partial(_delete_policy, _POLICY),
    "PutLifecyclePolicy": partial(_put_policy, _LIFECYCLE),
    "GetLifecyclePolicy": partial(_get_policy, _LIFECYCLE),
    "DeleteLifecyclePolicy": partial(_delete_policy, _LIFECYCLE),
    "TagResource": _tag,
    "UntagResource": _tag,
    "ListTagsForResource": _list_tags,
}
