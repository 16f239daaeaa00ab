"""What each operation of IAM needs permission for."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import (
    NOTHING,
    TAG_KEYS,
    TAGS,
    Difference,
    Need,
    Needs,
    Resource,
    each,
)
from lambent.model.identity import IdentityKey
from lambent.model.resources import IdentityName

Find = Callable[[Asked], Awaitable[Sequence[Target]]]


def _identity(kind: str) -> Find:
    """A user or role by name, with the path it really has."""
    member = f"{kind.title()}Name"

    async def find(asked: Asked) -> Sequence[Target]:
        principal, name = asked.caller.principal, asked.params.get(member)
        account = asked.scope.account
        if name is None:
            # Without a name, the caller is meant.
            return [Target(principal.arn, account)]
        key = IdentityKey(account, "user" if kind == "user" else "role", name)
        found = await asked.lookups.identity(key)
        arn = IdentityName(account, kind, "/", name).arn if found is None else found.arn
        return [Target(arn, account)]

    return find


def _new_identity(kind: str) -> Find:
    member = f"{kind.title()}Name"

    async def find(asked: Asked) -> Sequence[Target]:
        account, params = asked.scope.account, asked.params
        name = IdentityName(account, kind, params.get("Path", "/"), params[member])
        return [Target(name.arn, account)]

    return find


_USER = Resource(("user",), _identity("user"))
_ROLE = Resource(("role",), _identity("role"))
_NEW_USER = Resource(("user",), _new_identity("user"))
_NEW_ROLE = Resource(("role",), _new_identity("role"))

_OF_USERS = (
    *("CreateAccessKey", "DeleteAccessKey", "ListAccessKeys", "UpdateAccessKey"),
    *("DeleteUser", "GetUser", "ListAttachedUserPolicies", "ListUserTags"),
    *("DeleteUserPolicy", "GetUserPolicy", "ListUserPolicies", "PutUserPolicy"),
)
_OF_ROLES = (
    *("DeleteRole", "GetRole", "ListAttachedRolePolicies", "ListInstanceProfilesForRole"),
    *("DeleteRolePolicy", "GetRolePolicy", "ListRolePolicies", "PutRolePolicy"),
    *("ListRoleTags", "UpdateAssumeRolePolicy"),
)

PERMISSIONS: Mapping[str, Needs] = {
    **each("iam", _OF_USERS, _USER),
    **each("iam", _OF_ROLES, _ROLE),
    **each("iam", ("ListRoles", "ListUsers"), NOTHING),
    **each("iam", ("TagUser",), _USER, *TAGS),
    **each("iam", ("TagRole",), _ROLE, *TAGS),
    **each("iam", ("UntagUser",), _USER, TAG_KEYS),
    **each("iam", ("UntagRole",), _ROLE, TAG_KEYS),
    "CreateUser": (
        Need("iam:CreateUser", _NEW_USER, TAGS),
        Need("iam:TagUser", _NEW_USER, TAGS, only_with="Tags"),
    ),
    "CreateRole": (
        Need("iam:CreateRole", _NEW_ROLE, TAGS),
        Need("iam:TagRole", _NEW_ROLE, TAGS, only_with="Tags"),
    ),
}

_GUIDE = "AWS's guide asks for it, its list does not."
DIFFERENCES = (
    Difference("action iam:TagUser", True, _GUIDE),
    Difference("action iam:TagRole", True, _GUIDE),
    Difference("key iam:PermissionsBoundary", False, "Permissions boundaries are not offered."),
)
RESOURCE_NAMES = (
    ("user, role", "`arn:aws:iam::ACCOUNT:user/PATH/NAME`, `arn:aws:iam::ACCOUNT:role/PATH/NAME`"),
)
