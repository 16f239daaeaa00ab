"""Operations on users, roles, policies and keys."""

from collections.abc import Mapping
from functools import partial

from lambent.control.identities import Identities, Kind, own_name
from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation


async def _create(kind: Kind, identities: Identities, call: Call) -> Members:
    return await identities.create(call.scope, call.params, kind)


async def _get(kind: Kind, identities: Identities, call: Call) -> Members:
    params = dict(call.params)
    if kind == "user" and "UserName" not in params:
        params["UserName"] = own_name(call.caller.principal)
    return await identities.get(call.scope, params, kind)


async def _list_all(kind: Kind, identities: Identities, call: Call) -> Members:
    return await identities.list(call.scope, kind)


async def _delete(kind: Kind, identities: Identities, call: Call) -> Members:
    return await identities.delete(call.scope, call.params, kind)


async def _put_policy(kind: Kind, identities: Identities, call: Call) -> Members:
    return await identities.put_policy(call.scope, call.params, kind)


async def _get_policy(kind: Kind, identities: Identities, call: Call) -> Members:
    return await identities.get_policy(call.scope, call.params, kind)


async def _list_policies(kind: Kind, identities: Identities, call: Call) -> Members:
    return await identities.list_policies(call.scope, call.params, kind)


async def _delete_policy(kind: Kind, identities: Identities, call: Call) -> Members:
    return await identities.delete_policy(call.scope, call.params, kind)


async def _list_attached(kind: Kind, identities: Identities, call: Call) -> Members:
    """Only inline policies are offered, so nothing is ever attached."""
    await identities.get(call.scope, call.params, kind)
    return {"AttachedPolicies": [], "IsTruncated": False}


async def _tag(kind: Kind, identities: Identities, call: Call) -> Members:
    return await identities.tag(call.scope, call.params, kind)


async def _list_tags(kind: Kind, identities: Identities, call: Call) -> Members:
    return await identities.list_tags(call.scope, call.params, kind)


async def _update_trust(identities: Identities, call: Call) -> Members:
    return await identities.set_trust(call.scope, call.params)


async def _create_key(identities: Identities, call: Call) -> Members:
    return await identities.create_key(call.scope, call.params, call.caller.principal)


async def _list_keys(identities: Identities, call: Call) -> Members:
    return await identities.list_keys(call.scope, call.params, call.caller.principal)


async def _update_key(identities: Identities, call: Call) -> Members:
    return await identities.update_key(call.scope, call.params, call.caller.principal)


async def _delete_key(identities: Identities, call: Call) -> Members:
    return await identities.delete_key(call.scope, call.params, call.caller.principal)


async def _list_instance_profiles(_identities: Identities, _call: Call) -> Members:
    """There are no instances."""
    return {"InstanceProfiles": [], "IsTruncated": False}


_OF_EACH_KIND = {
    "Create{}": _create,
    "Get{}": _get,
    "List{}s": _list_all,
    "Delete{}": _delete,
    "Put{}Policy": _put_policy,
    "Get{}Policy": _get_policy,
    "List{}Policies": _list_policies,
    "Delete{}Policy": _delete_policy,
    "ListAttached{}Policies": _list_attached,
    "Tag{}": _tag,
    "Untag{}": _tag,
    "List{}Tags": _list_tags,
}
_KINDS: tuple[Kind, ...] = ("user", "role")

OPERATIONS: Mapping[str, Operation[Identities]] = {
    "UpdateAssumeRolePolicy": _update_trust,
    "CreateAccessKey": _create_key,
    "ListAccessKeys": _list_keys,
    "UpdateAccessKey": _update_key,
    "DeleteAccessKey": _delete_key,
    "ListInstanceProfilesForRole": _list_instance_profiles,
    **{
        name.format(kind.title()): partial(operation, kind)
        for kind in _KINDS
        for name, operation in _OF_EACH_KIND.items()
    },
}
