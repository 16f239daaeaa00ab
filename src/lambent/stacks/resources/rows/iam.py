"""AWS Identity and Access Management."""

from lambent.stacks.resources.row_type import Name, Part, Retag, Row, only, op

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
        Part(
            of=("Policies",),
            is_each=True,
            key="PolicyName",
            put=only(
                "PutRolePolicy", PolicyName="{*.PolicyName}", PolicyDocument="{*.PolicyDocument}"
            ),
            remove=only("DeleteRolePolicy", PolicyName="{*.PolicyName}"),
            is_deleted_first=True,
        ),
        Part(
            of=("ManagedPolicyArns",),
            is_each=True,
            put=only("AttachRolePolicy", PolicyArn="{*}"),
            remove=only("DetachRolePolicy", PolicyArn="{*}"),
            is_deleted_first=True,
        ),
    ),
    defaults={"Description": "", "MaxSessionDuration": 3600},
)

ROWS = (ROLE,)
