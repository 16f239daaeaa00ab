"""Operations on users, roles, policies and keys."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from lambent.control.identities import Identities, Kind, own_name
from lambent.control.managed_policies import ManagedPolicies
from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation


class IamRooms(NamedTuple):
    """What the operations need."""

    identities: Identities
    managed: ManagedPolicies


async def _create(kind: Kind, rooms: IamRooms, call: Call) -> Members:
    return await rooms.identities.create(call.scope, call.params, kind)


async def _get(kind: Kind, rooms: IamRooms, call: Call) -> Members:
    params = dict(call.params)
    if kind == "user" and "UserName" not in params:
        params["UserName"] = own_name(call.caller.principal)
    return await rooms.identities.get(call.scope, params, kind)


async def _list_all(kind: Kind, rooms: IamRooms, call: Call) -> Members:
    return await rooms.identities.list(call.scope, call.params, kind)


async def _delete(kind: Kind, rooms: IamRooms, call: Call) -> Members:
    return await rooms.identities.delete(call.scope, call.params, kind)


async def _put_policy(kind: Kind, rooms: IamRooms, call: Call) -> Members:
    return await rooms.identities.put_policy(call.scope, call.params, kind)


async def _get_policy(kind: Kind, rooms: IamRooms, call: Call) -> Members:
    return await rooms.identities.get_policy(call.scope, call.params, kind)


async def _list_policies(kind: Kind, rooms: IamRooms, call: Call) -> Members:
    return await rooms.identities.list_policies(call.scope, call.params, kind)


async def _delete_policy(kind: Kind, rooms: IamRooms, call: Call) -> Members:
    return await rooms.identities.delete_policy(call.scope, call.params, kind)


async def _tag(kind: Kind, rooms: IamRooms, call: Call) -> Members:
    return await rooms.identities.tag(call.scope, call.params, kind)


async def _list_tags(kind: Kind, rooms: IamRooms, call: Call) -> Members:
    return await rooms.identities.list_tags(call.scope, call.params, kind)


async def _attach(kind: Kind, rooms: IamRooms, call: Call) -> Members:
    return await rooms.managed.attach(call.scope, call.params, kind)


async def _detach(kind: Kind, rooms: IamRooms, call: Call) -> Members:
    return await rooms.managed.detach(call.scope, call.params, kind)


async def _list_attached(kind: Kind, rooms: IamRooms, call: Call) -> Members:
    return await rooms.managed.list_attached(call.scope, call.params, kind)


async def _create_managed(rooms: IamRooms, call: Call) -> Members:
    return await rooms.managed.create(call.scope, call.params)


async def _get_managed(rooms: IamRooms, call: Call) -> Members:
    return await rooms.managed.get(call.scope, call.params)


async def _delete_managed(rooms: IamRooms, call: Call) -> Members:
    return await rooms.managed.delete(call.scope, call.params)


async def _list_managed(rooms: IamRooms, call: Call) -> Members:
    return await rooms.managed.list(call.scope, call.params)


async def _create_version(rooms: IamRooms, call: Call) -> Members:
    return await rooms.managed.create_version(call.scope, call.params)


async def _get_version(rooms: IamRooms, call: Call) -> Members:
    return await rooms.managed.get_version(call.scope, call.params)


async def _list_versions(rooms: IamRooms, call: Call) -> Members:
    return await rooms.managed.list_versions(call.scope, call.params)


async def _delete_version(rooms: IamRooms, call: Call) -> Members:
    return await rooms.managed.delete_version(call.scope, call.params)


async def _set_default_version(rooms: IamRooms, call: Call) -> Members:
    return await rooms.managed.set_default_version(call.scope, call.params)


async def _list_entities(rooms: IamRooms, call: Call) -> Members:
    return await rooms.managed.list_entities(call.scope, call.params)


async def _tag_managed(rooms: IamRooms, call: Call) -> Members:
    return await rooms.managed.tag(call.scope, call.params)


async def _list_managed_tags(rooms: IamRooms, call: Call) -> Members:
    return await rooms.managed.list_tags(call.scope, call.params)


async def _update_role(rooms: IamRooms, call: Call) -> Members:
    await rooms.identities.update_role(call.scope, call.params)
    return {}


async def _update_description(rooms: IamRooms, call: Call) -> Members:
    return await rooms.identities.update_role(call.scope, call.params)


async def _update_trust(rooms: IamRooms, call: Call) -> Members:
    return await rooms.identities.set_trust(call.scope, call.params)


async def _create_key(rooms: IamRooms, call: Call) -> Members:
    return await rooms.identities.create_key(call.scope, call.params, call.caller.principal)


async def _list_keys(rooms: IamRooms, call: Call) -> Members:
    return await rooms.identities.list_keys(call.scope, call.params, call.caller.principal)


async def _update_key(rooms: IamRooms, call: Call) -> Members:
    return await rooms.identities.update_key(call.scope, call.params, call.caller.principal)


async def _delete_key(rooms: IamRooms, call: Call) -> Members:
    return await rooms.identities.delete_key(call.scope, call.params, call.caller.principal)


async def _list_instance_profiles(_rooms: IamRooms, _call: Call) -> Members:
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
    "Attach{}Policy": _attach,
    "Detach{}Policy": _detach,
    "ListAttached{}Policies": _list_attached,
    "Tag{}": _tag,
    "Untag{}": _tag,
    "List{}Tags": _list_tags,
}
_KINDS: tuple[Kind, ...] = ("user", "role")

OPERATIONS: Mapping[str, Operation[IamRooms]] = {
    "CreatePolicy": _create_managed,
    "GetPolicy": _get_managed,
    "DeletePolicy": _delete_managed,
    "ListPolicies": _list_managed,
    "CreatePolicyVersion": _create_version,
    "GetPolicyVersion": _get_version,
    "ListPolicyVersions": _list_versions,
    "DeletePolicyVersion": _delete_version,
    "SetDefaultPolicyVersion": _set_default_version,
    "ListEntitiesForPolicy": _list_entities,
    "TagPolicy": _tag_managed,
    "UntagPolicy": _tag_managed,
    "ListPolicyTags": _list_managed_tags,
    "UpdateRole": _update_role,
    "UpdateRoleDescription": _update_description,
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
