"""Amazon Cognito: user pools."""

from lambent.stacks.resources.row_type import Find, Name, Part, Retag, Row, only, op

_SERVICE = "cognito-idp"
_HOST = "cognito-idp.{$region}.amazonaws.com/{$id}"

USER_POOL = Row(
    name="AWS::Cognito::UserPool",
    service=_SERVICE,
    named=Name("UserPoolName", 128, is_shared=True),
    renamed={"UserPoolName": "PoolName"},
    create=op("CreateUserPool"),
    physical="{.UserPool.Id}",
    find=Find(
        only("ListUserPools", MaxResults=60), "UserPools", {"Name": "{UserPoolName}"}, "{.Id}"
    ),
    keys={"UserPoolId": "{$id}"},
    read=only("DescribeUserPool"),
    update=(op("UpdateUserPool"),),
    delete=only("DeleteUserPool"),
    attributes={
        "Arn": "{.UserPool.Arn}",
        "ProviderName": _HOST,
        "ProviderURL": f"https://{_HOST}",
        "UserPoolId": "{$id}",
    },
    tags="UserPoolTags",
    tags_property="UserPoolTags",
    retag=Retag("TagResource", "UntagResource", {"ResourceArn": "{@Arn}"}),
    parts=(
        Part(
            of=("Schema",),
            is_each=True,
            on_create=False,
            key="Name",
            put=only("AddCustomAttributes", CustomAttributes=["{*}"]),
        ),
    ),
    note="Attributes are added to a pool, and never removed, as in AWS.",
)

USER_POOL_CLIENT = Row(
    name="AWS::Cognito::UserPoolClient",
    service=_SERVICE,
    named=Name("ClientName", 128, is_shared=True),
    create=op("CreateUserPoolClient"),
    physical="{.UserPoolClient.ClientId}",
    find=Find(
        only("ListUserPoolClients", UserPoolId="{UserPoolId}"),
        "UserPoolClients",
        {"ClientName": "{ClientName}"},
        "{.ClientId}",
    ),
    keys={"UserPoolId": "{UserPoolId}", "ClientId": "{$id}"},
    read=only("DescribeUserPoolClient"),
    update=(op("UpdateUserPoolClient"),),
    delete=only("DeleteUserPoolClient"),
    attributes={
        "ClientId": "{$id}",
        "ClientSecret": "{.UserPoolClient.ClientSecret}",
        "Name": "{.UserPoolClient.ClientName}",
    },
)

USER_POOL_DOMAIN = Row(
    name="AWS::Cognito::UserPoolDomain",
    service=_SERVICE,
    create=op("CreateUserPoolDomain"),
    physical="{Domain}",
    keys={"Domain": "{Domain}", "UserPoolId": "{UserPoolId}"},
    update=(op("UpdateUserPoolDomain"),),
    delete=only("DeleteUserPoolDomain"),
    attributes={"CloudFrontDistribution": "{.CloudFrontDomain}"},
)

ROWS = (USER_POOL, USER_POOL_CLIENT, USER_POOL_DOMAIN)
