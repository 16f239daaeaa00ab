"""Identity and Access Management: users, roles, policies and keys."""

from collections.abc import Mapping
from typing import Any

from lambent.control.identities import Identities, Kind, own_name
from lambent.gateway.call import Call, OperationHandler

Answer = Mapping[str, Any]


def operations(identities: Identities) -> Mapping[str, OperationHandler]:
    """The handlers, by operation name."""
    handlers: dict[str, OperationHandler] = {
        "UpdateAssumeRolePolicy": lambda call: identities.set_trust(call.scope, call.params),
        "CreateAccessKey": lambda call: identities.create_key(
            call.scope, call.params, call.caller.principal
        ),
        "ListAccessKeys": lambda call: identities.list_keys(
            call.scope, call.params, call.caller.principal
        ),
        "UpdateAccessKey": lambda call: identities.update_key(
            call.scope, call.params, call.caller.principal
        ),
        "DeleteAccessKey": lambda call: identities.delete_key(
            call.scope, call.params, call.caller.principal
        ),
        "ListInstanceProfilesForRole": _no_instance_profiles,
    }
    kinds: tuple[Kind, Kind] = ("user", "role")
    for kind in kinds:
        handlers |= _of(identities, kind)
    return handlers


def _of(identities: Identities, kind: Kind) -> dict[str, OperationHandler]:
    """The operations that users and roles have both."""

    async def create(call: Call) -> Answer:
        return await identities.create(call.scope, call.params, kind)

    async def get(call: Call) -> Answer:
        params = dict(call.params)
        if kind == "user" and "UserName" not in params:
            params["UserName"] = own_name(call.caller.principal)
        return await identities.get(call.scope, params, kind)

    async def list_all(call: Call) -> Answer:
        return await identities.list(call.scope, kind)

    async def delete(call: Call) -> Answer:
        return await identities.delete(call.scope, call.params, kind)

    async def put_policy(call: Call) -> Answer:
        return await identities.put_policy(call.scope, call.params, kind)

    async def get_policy(call: Call) -> Answer:
        return await identities.get_policy(call.scope, call.params, kind)

    async def list_policies(call: Call) -> Answer:
        return await identities.list_policies(call.scope, call.params, kind)

    async def delete_policy(call: Call) -> Answer:
        return await identities.delete_policy(call.scope, call.params, kind)

    async def list_attached(call: Call) -> Answer:
        """Only inline policies are offered, so nothing is ever attached."""
        await identities.get(call.scope, call.params, kind)
        return {"AttachedPolicies": [], "IsTruncated": False}

    async def tag(call: Call) -> Answer:
        return await identities.tag(call.scope, call.params, kind)

    async def list_tags(call: Call) -> Answer:
        return await identities.list_tags(call.scope, call.params, kind)

    name = kind.title()
    return {
        f"Create{name}": create,
        f"Get{name}": get,
        f"List{name}s": list_all,
        f"Delete{name}": delete,
        f"Put{name}Policy": put_policy,
        f"Get{name}Policy": get_policy,
        f"List{name}Policies": list_policies,
        f"Delete{name}Policy": delete_policy,
        f"ListAttached{name}Policies": list_attached,
        f"Tag{name}": tag,
        f"Untag{name}": tag,
        f"List{name}Tags": list_tags,
    }


async def _no_instance_profiles(_call: Call) -> Answer:
    return {"InstanceProfiles": [], "IsTruncated": False}
