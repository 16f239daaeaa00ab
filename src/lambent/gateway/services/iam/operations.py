"""Operations on users, groups, roles, policies and keys: here their use cases are only named."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import NamedTuple

from lambent.control.groups import Groups
from lambent.control.identities import Identities, own_name
from lambent.control.managed_policies import ManagedPolicies
from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.model.arn import Scope
from lambent.model.identity import Kind
from lambent.model.principal import Principal


class IamRooms(NamedTuple):
    """What the operations need."""

    identities: Identities
    managed: ManagedPolicies
    groups: Groups


_Result = Awaitable[Members]
_OfKind = Callable[[Scope, Members, Kind], _Result]
_OfKeys = Callable[[Scope, Members, Principal], _Result]


async def _of_kind(
    find: Callable[[IamRooms], _OfKind], kind: Kind, rooms: IamRooms, call: Call
) -> Members:
    return await find(rooms)(call.scope, call.params, kind)


async def _of_keys(find: Callable[[IamRooms], _OfKeys], rooms: IamRooms, call: Call) -> Members:
    return await find(rooms)(call.scope, call.params, call.caller.principal)


async def _plain(
    find: Callable[[IamRooms], Callable[[Scope, Members], _Result]], rooms: IamRooms, call: Call
) -> Members:
    return await find(rooms)(call.scope, call.params)


async def _get_user(rooms: IamRooms, call: Call) -> Members:
    """Without a name, the caller is meant."""
    named = {"UserName": call.params.get("UserName") or own_name(call.caller.principal)}
    return await rooms.identities.get(call.scope, {**call.params, **named}, "user")


async def _update_role(rooms: IamRooms, call: Call) -> Members:
    """As UpdateRoleDescription, which returns the role."""
    await rooms.identities.update_role(call.scope, call.params)
    return {}


async def _list_instance_profiles(_rooms: IamRooms, _call: Call) -> Members:
    """There are no instances."""
    return {"InstanceProfiles": [], "IsTruncated": False}


_OF_EACH_KIND: Mapping[str, Callable[[IamRooms], _OfKind]] = {
    "Create{}": lambda rooms: rooms.identities.create,
    "List{}s": lambda rooms: rooms.identities.list,
    "Delete{}": lambda rooms: rooms.identities.delete,
    "Put{}Policy": lambda rooms: rooms.identities.put_policy,
    "Get{}Policy": lambda rooms: rooms.identities.get_policy,
    "List{}Policies": lambda rooms: rooms.identities.list_policies,
    "Delete{}Policy": lambda rooms: rooms.identities.delete_policy,
    "Attach{}Policy": lambda rooms: rooms.managed.attach,
    "Detach{}Policy": lambda rooms: rooms.managed.detach,
    "ListAttached{}Policies": lambda rooms: rooms.managed.list_attached,
}
_OF_USERS_AND_ROLES: Mapping[str, Callable[[IamRooms], _OfKind]] = {
    "Get{}": lambda rooms: rooms.identities.get,
    "Tag{}": lambda rooms: rooms.identities.tag,
    "Untag{}": lambda rooms: rooms.identities.tag,
    "List{}Tags": lambda rooms: rooms.identities.list_tags,
}
_PLAIN: Mapping[str, Callable[[IamRooms], Callable[[Scope, Members], _Result]]] = {
    "GetGroup": lambda rooms: rooms.groups.get,
    "AddUserToGroup": lambda rooms: rooms.groups.add,
    "RemoveUserFromGroup": lambda rooms: rooms.groups.remove,
    "ListGroupsForUser": lambda rooms: rooms.groups.list_of_user,
    "UpdateRoleDescription": lambda rooms: rooms.identities.update_role,
    "UpdateAssumeRolePolicy": lambda rooms: rooms.identities.set_trust,
    "CreatePolicy": lambda rooms: rooms.managed.create,
    "GetPolicy": lambda rooms: rooms.managed.get,
    "DeletePolicy": lambda rooms: rooms.managed.delete,
    "ListPolicies": lambda rooms: rooms.managed.list,
    "CreatePolicyVersion": lambda rooms: rooms.managed.create_version,
    "GetPolicyVersion": lambda rooms: rooms.managed.get_version,
    "ListPolicyVersions": lambda rooms: rooms.managed.list_versions,
    "DeletePolicyVersion": lambda rooms: rooms.managed.delete_version,
    "SetDefaultPolicyVersion": lambda rooms: rooms.managed.set_default_version,
    "ListEntitiesForPolicy": lambda rooms: rooms.managed.list_entities,
    "TagPolicy": lambda rooms: rooms.managed.tag,
    "UntagPolicy": lambda rooms: rooms.managed.tag,
    "ListPolicyTags": lambda rooms: rooms.managed.list_tags,
}
_OF_KEYS: Mapping[str, Callable[[IamRooms], _OfKeys]] = {
    "CreateAccessKey": lambda rooms: rooms.identities.create_key,
    "ListAccessKeys": lambda rooms: rooms.identities.list_keys,
    "UpdateAccessKey": lambda rooms: rooms.identities.update_key,
    "DeleteAccessKey": lambda rooms: rooms.identities.delete_key,
}
_KINDS: Mapping[Kind, Mapping[str, Callable[[IamRooms], _OfKind]]] = {
    "user": {**_OF_EACH_KIND, **_OF_USERS_AND_ROLES},
    "role": {**_OF_EACH_KIND, **_OF_USERS_AND_ROLES},
    "group": _OF_EACH_KIND,
}

OPERATIONS: Mapping[str, Operation[IamRooms]] = {
    **{
        name.format(kind.title()): partial(_of_kind, find, kind)
        for kind, found in _KINDS.items()
        for name, find in found.items()
    },
    **{name: partial(_plain, find) for name, find in _PLAIN.items()},
    **{name: partial(_of_keys, find) for name, find in _OF_KEYS.items()},
    "GetUser": _get_user,
    "UpdateRole": _update_role,
    "ListInstanceProfilesForRole": _list_instance_profiles,
}
