"""AWS Identity and Access Management."""

from typing import Any

from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import Call, Name, Part, Retag, Row, only, op


def _policies(kind: str) -> tuple[Part, Part]:
    """The inline and the attached policies of a role, a user or a group."""
    return (
        Part(
            of=("Policies",),
            is_each=True,
            key="PolicyName",
            put=only(f"Put{kind}Policy", "{*}"),
            remove=only(f"Delete{kind}Policy", PolicyName="{*.PolicyName}"),
            is_deleted_first=True,
        ),
        Part(
            of=("ManagedPolicyArns",),
            is_each=True,
            put=only(f"Attach{kind}Policy", PolicyArn="{*}"),
            remove=only(f"Detach{kind}Policy", PolicyArn="{*}"),
            is_deleted_first=True,
        ),
    )


def _inline(kind: str, names: str) -> Part:
    """An inline policy of each of the roles, users or groups."""
    return Part(
        of=(names,),
        with_=("PolicyDocument",),
        is_each=True,
        put=only(
            f"Put{kind}Policy",
            PolicyName="{PolicyName}",
            PolicyDocument="{PolicyDocument}",
            **{f"{kind}Name": "{*}"},
        ),
        remove=only(f"Delete{kind}Policy", PolicyName="{PolicyName}", **{f"{kind}Name": "{*}"}),
        is_deleted_first=True,
    )


def _attached(kind: str, names: str) -> Part:
    """A managed policy at each of the roles, users or groups."""
    return Part(
        of=(names,),
        is_each=True,
        put=only(f"Attach{kind}Policy", **{f"{kind}Name": "{*}"}),
        remove=only(f"Detach{kind}Policy", **{f"{kind}Name": "{*}"}),
        is_deleted_first=True,
    )


def _own_policy(name: str, kind: str) -> Row:
    """An inline policy of a role, a user or a group that is a resource of its own."""
    return Row(
        name=name,
        service="iam",
        create=op(f"Put{kind}Policy"),
        physical=f"{{PolicyName}}|{{{kind}Name}}",
        keys={"PolicyName": "{PolicyName}", f"{kind}Name": f"{{{kind}Name}}"},
        read=only(f"Get{kind}Policy"),
        update=(op(f"Put{kind}Policy"),),
        delete=only(f"Delete{kind}Policy"),
    )


def _with_path(properties: Properties, _step: Step) -> dict[str, Any]:
    return {"Path": "/", **properties}


async def _delete_other_versions(call: Call, arn: str, _properties: Properties) -> None:
    """A managed policy has at most five versions, and none but the default when it is deleted."""
    listed = await call("iam", "ListPolicyVersions", {"PolicyArn": arn})
    for version in listed["Versions"]:
        if not version["IsDefaultVersion"]:
            chosen = {"PolicyArn": arn, "VersionId": version["VersionId"]}
            await call("iam", "DeletePolicyVersion", chosen)


_BOUNDARY = "PermissionsBoundary"

ROLE = Row(
    name="AWS::IAM::Role",
    service="iam",
    named=Name("RoleName", 64),
    create=op("CreateRole"),
    physical="{RoleName}",
    keys={"RoleName": "{$id}"},
    read=only("GetRole"),
    update=(
        op("UpdateRole"),
        only("UpdateAssumeRolePolicy", PolicyDocument="{AssumeRolePolicyDocument}"),
    ),
    delete=only("DeleteRole"),
    attributes={"Arn": "{.Role.Arn}", "RoleId": "{.Role.RoleId}"},
    tags="Tags",
    retag=Retag("TagRole", "UntagRole", {}),
    parts=(
        *_policies("Role"),
        Part(
            of=(_BOUNDARY,),
            on_create=False,
            put=only("PutRolePermissionsBoundary", PermissionsBoundary="{PermissionsBoundary}"),
            remove=only("DeleteRolePermissionsBoundary"),
        ),
    ),
    defaults={"Description": "", "MaxSessionDuration": 3600},
)

POLICY = Row(
    name="AWS::IAM::Policy",
    service="iam",
    create=None,
    physical="{$name}",
    parts=(_inline("Role", "Roles"), _inline("User", "Users"), _inline("Group", "Groups")),
    attributes={"Id": "{$id}"},
    replacing=frozenset({"PolicyName"}),
)

MANAGED_POLICY = Row(
    name="AWS::IAM::ManagedPolicy",
    service="iam",
    named=Name("ManagedPolicyName", 128),
    renamed={"ManagedPolicyName": "PolicyName"},
    create=op("CreatePolicy"),
    physical="arn:aws:iam::{$account}:policy{Path}{ManagedPolicyName}",
    keys={"PolicyArn": "{$id}"},
    read=only("GetPolicy"),
    update=(only("CreatePolicyVersion", PolicyDocument="{PolicyDocument}", SetAsDefault=True),),
    after_update=_delete_other_versions,
    before_delete=_delete_other_versions,
    delete=only("DeletePolicy"),
    prepare=_with_path,
    attributes={
        "PolicyArn": "{.Policy.Arn}",
        "PolicyId": "{.Policy.PolicyId}",
        "DefaultVersionId": "{.Policy.DefaultVersionId}",
        "AttachmentCount": "{.Policy.AttachmentCount}",
        "IsAttachable": "{.Policy.IsAttachable}",
    },
    parts=(_attached("Role", "Roles"), _attached("User", "Users"), _attached("Group", "Groups")),
)

USER = Row(
    name="AWS::IAM::User",
    service="iam",
    named=Name("UserName", 64),
    create=op("CreateUser"),
    physical="{UserName}",
    keys={"UserName": "{$id}"},
    read=only("GetUser"),
    delete=only("DeleteUser"),
    attributes={"Arn": "{.User.Arn}"},
    tags="Tags",
    retag=Retag("TagUser", "UntagUser", {}),
    parts=(
        *_policies("User"),
        Part(
            of=(_BOUNDARY,),
            on_create=False,
            put=only("PutUserPermissionsBoundary", PermissionsBoundary="{PermissionsBoundary}"),
            remove=only("DeleteUserPermissionsBoundary"),
        ),
        Part(
            of=("Groups",),
            is_each=True,
            put=only("AddUserToGroup", GroupName="{*}"),
            remove=only("RemoveUserFromGroup", GroupName="{*}"),
            is_deleted_first=True,
        ),
    ),
    replacing=frozenset({"Path"}),
)

GROUP = Row(
    name="AWS::IAM::Group",
    service="iam",
    named=Name("GroupName", 128),
    create=op("CreateGroup"),
    physical="{GroupName}",
    keys={"GroupName": "{$id}"},
    read=only("GetGroup"),
    delete=only("DeleteGroup"),
    attributes={"Arn": "{.Group.Arn}"},
    parts=_policies("Group"),
    replacing=frozenset({"Path"}),
)

MEMBERSHIP = Row(
    name="AWS::IAM::UserToGroupAddition",
    service="iam",
    create=None,
    physical="{$name}",
    attributes={"Id": "{$id}"},
    parts=(
        Part(
            of=("Users",),
            is_each=True,
            put=only("AddUserToGroup", GroupName="{GroupName}", UserName="{*}"),
            remove=only("RemoveUserFromGroup", GroupName="{GroupName}", UserName="{*}"),
            is_deleted_first=True,
        ),
    ),
    replacing=frozenset({"GroupName"}),
)

ACCESS_KEY = Row(
    name="AWS::IAM::AccessKey",
    service="iam",
    create=only("CreateAccessKey", UserName="{UserName}"),
    physical="{.AccessKey.AccessKeyId}",
    keys={"UserName": "{UserName}", "AccessKeyId": "{$id}"},
    delete=only("DeleteAccessKey"),
    created={"SecretAccessKey": "{.AccessKey.SecretAccessKey}"},
    secrets=("SecretAccessKey",),
    attributes={"Id": "{.AccessKey.AccessKeyId}"},
    parts=(
        Part(
            of=("Status",),
            put=only("UpdateAccessKey", Status="{Status}"),
            remove=only("UpdateAccessKey", Status="Active"),
        ),
    ),
    uses=frozenset({"Serial"}),
    note="After a stop of the platform a key may be made twice.",
)

ROWS = (
    ROLE,
    POLICY,
    MANAGED_POLICY,
    USER,
    GROUP,
    MEMBERSHIP,
    ACCESS_KEY,
    _own_policy("AWS::IAM::RolePolicy", "Role"),
    _own_policy("AWS::IAM::UserPolicy", "User"),
    _own_policy("AWS::IAM::GroupPolicy", "Group"),
)
