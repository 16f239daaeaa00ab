"""What each operation of IAM needs permission for."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import (
    NOTHING,
    TAG_KEYS,
    TAGS,
    Difference,
    Key,
    Need,
    Needs,
    Resource,
    Values,
    each,
)
from lambent.model.errors import ApiError
from lambent.model.identity import IdentityKey, Kind
from lambent.model.managed_policy import AWS, parse_policy_arn
from lambent.model.resources import IdentityName

Find = Callable[[Asked], Awaitable[Sequence[Target]]]


def _identity(kind: Kind) -> Find:
    """A user, role or group by name, with the path it really has."""
    member = f"{kind.title()}Name"

    async def find(asked: Asked) -> Sequence[Target]:
        principal, name = asked.caller.principal, asked.params.get(member)
        account = asked.scope.account
        if name is None:
            # Without a name, the caller is meant.
            return [Target(principal.arn, account)]
        key = IdentityKey(account, kind, name)
        found = await asked.lookups.identity(key)
        arn = IdentityName(account, kind, "/", name).arn if found is None else found.arn
        return [Target(arn, account)]

    return find


def _new_identity(kind: Kind) -> Find:
    member = f"{kind.title()}Name"

    async def find(asked: Asked) -> Sequence[Target]:
        account, params = asked.scope.account, asked.params
        name = IdentityName(account, kind, params.get("Path", "/"), params[member])
        return [Target(name.arn, account)]

    return find


async def _policy(asked: Asked) -> Sequence[Target]:
    """A managed policy by its ARN. One of AWS belongs to every account."""
    arn = asked.params["PolicyArn"]
    key = parse_policy_arn(arn)
    if key is None:
        raise ApiError("InvalidInput", f"ARN {arn} is not valid.")
    return [Target(arn, asked.scope.account if key.account == AWS else key.account)]


async def _new_policy(asked: Asked) -> Sequence[Target]:
    account, params = asked.scope.account, asked.params
    name = IdentityName(account, "policy", params.get("Path", "/"), params["PolicyName"])
    return [Target(name.arn, account)]


async def _policy_arn(asked: Asked) -> Values:
    return {"iam:policyarn": [asked.params["PolicyArn"]]}


_POLICY = Resource(("policy",), _policy)
_NEW_POLICY = Resource(("policy",), _new_policy)
_ATTACHED = Key("iam:PolicyARN", _policy_arn)
_USER = Resource(("user",), _identity("user"))
_ROLE = Resource(("role",), _identity("role"))
_GROUP = Resource(("group",), _identity("group"))
_NEW_GROUP = Resource(("group",), _new_identity("group"))
_NEW_USER = Resource(("user",), _new_identity("user"))
_NEW_ROLE = Resource(("role",), _new_identity("role"))

_OF_USERS = (
    *("CreateAccessKey", "DeleteAccessKey", "ListAccessKeys", "UpdateAccessKey"),
    *("DeleteUser", "GetUser", "ListAttachedUserPolicies", "ListGroupsForUser", "ListUserTags"),
    *("DeleteUserPolicy", "GetUserPolicy", "ListUserPolicies", "PutUserPolicy"),
)
_OF_ROLES = (
    *("DeleteRole", "GetRole", "ListAttachedRolePolicies", "ListInstanceProfilesForRole"),
    *("DeleteRolePolicy", "GetRolePolicy", "ListRolePolicies", "PutRolePolicy"),
    *("ListRoleTags", "UpdateAssumeRolePolicy", "UpdateRole", "UpdateRoleDescription"),
)
_OF_POLICIES = (
    *("CreatePolicyVersion", "DeletePolicyVersion", "GetPolicyVersion", "ListPolicyVersions"),
    *("DeletePolicy", "GetPolicy", "ListEntitiesForPolicy", "ListPolicyTags"),
    "SetDefaultPolicyVersion",
)
_OF_GROUPS = (
    *("AddUserToGroup", "DeleteGroup", "GetGroup", "ListAttachedGroupPolicies"),
    *("DeleteGroupPolicy", "GetGroupPolicy", "ListGroupPolicies", "PutGroupPolicy"),
    "RemoveUserFromGroup",
)

PERMISSIONS: Mapping[str, Needs] = {
    **each("iam", _OF_USERS, _USER),
    **each("iam", _OF_ROLES, _ROLE),
    **each("iam", _OF_POLICIES, _POLICY),
    **each("iam", _OF_GROUPS, _GROUP),
    **each("iam", ("CreateGroup",), _NEW_GROUP),
    **each("iam", ("AttachGroupPolicy", "DetachGroupPolicy"), _GROUP, _ATTACHED),
    **each("iam", ("AttachUserPolicy", "DetachUserPolicy"), _USER, _ATTACHED),
    **each("iam", ("AttachRolePolicy", "DetachRolePolicy"), _ROLE, _ATTACHED),
    **each("iam", ("ListGroups", "ListPolicies", "ListRoles", "ListUsers"), NOTHING),
    **each("iam", ("TagPolicy",), _POLICY, *TAGS),
    **each("iam", ("UntagPolicy",), _POLICY, TAG_KEYS),
    "CreatePolicy": (
        Need("iam:CreatePolicy", _NEW_POLICY, TAGS),
        Need("iam:TagPolicy", _NEW_POLICY, TAGS, only_with="Tags"),
    ),
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
    Difference("action iam:TagPolicy", True, _GUIDE),
    Difference("key iam:PermissionsBoundary", False, "Permissions boundaries are not offered."),
)
RESOURCE_NAMES = (
    ("user, role", "`arn:aws:iam::ACCOUNT:user/PATH/NAME`, `arn:aws:iam::ACCOUNT:role/PATH/NAME`"),
    ("group", "`arn:aws:iam::ACCOUNT:group/PATH/NAME`"),
    ("policy", "`arn:aws:iam::ACCOUNT:policy/PATH/NAME`, `arn:aws:iam::aws:policy/PATH/NAME`"),
)
