"""Amazon Cognito: user pools and identity pools."""

from typing import Any

from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import Find, Name, Part, Retag, Row, only, op

_SERVICE = "cognito-idp"
_HOST = "cognito-idp.{$region}.amazonaws.com/{$id}"

_FACTORS = "SecondFactors"
_MODE, _ENABLED = "MfaConfiguration", "EnabledMfas"
_MAIL = {"EmailAuthenticationMessage": "Message", "EmailAuthenticationSubject": "Subject"}


def _split_factors(properties: Properties, _step: Step) -> dict[str, Any]:
    """Second factors have an operation of their own: CreateUserPool knows text messages alone."""
    made = {name: value for name, value in properties.items() if name not in (_MODE, _ENABLED)}
    mode = properties.get(_MODE, "OFF")
    if mode == "OFF":
        return made
    sms = {"SmsConfiguration": properties.get("SmsConfiguration")}
    if "SmsAuthenticationMessage" in properties:
        sms["SmsAuthenticationMessage"] = properties["SmsAuthenticationMessage"]
    mail = {member: properties[name] for name, member in _MAIL.items() if name in properties}
    names = properties.get(_ENABLED) or ["SMS_MFA"]
    made[_FACTORS] = {
        _MODE: mode,
        "SoftwareTokenMfaConfiguration": {"Enabled": "SOFTWARE_TOKEN_MFA" in names},
        **({"SmsMfaConfiguration": sms} if "SMS_MFA" in names and all(sms.values()) else {}),
        **({"EmailMfaConfiguration": mail} if "EMAIL_OTP" in names else {}),
    }
    return made


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
        Part(
            of=(_FACTORS,),
            put=only("SetUserPoolMfaConfig", f"{{{_FACTORS}}}"),
            remove=only("SetUserPoolMfaConfig", MfaConfiguration="OFF"),
        ),
    ),
    prepare=_split_factors,
    uses=frozenset({_MODE, _ENABLED, "SmsConfiguration", "SmsAuthenticationMessage", *_MAIL}),
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
    secrets=("ClientSecret",),
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

USER_POOL_GROUP = Row(
    name="AWS::Cognito::UserPoolGroup",
    service=_SERVICE,
    named=Name("GroupName", 128, parent="UserPoolId"),
    create=op("CreateGroup"),
    physical="{GroupName}",
    keys={"UserPoolId": "{UserPoolId}", "GroupName": "{$id}"},
    read=only("GetGroup"),
    update=(op("UpdateGroup"),),
    delete=only("DeleteGroup"),
    defaults={"Description": ""},
)

USER_POOL_USER = Row(
    name="AWS::Cognito::UserPoolUser",
    service=_SERVICE,
    named=Name("Username", 128, parent="UserPoolId"),
    create=op("AdminCreateUser"),
    physical="{Username}",
    keys={"UserPoolId": "{UserPoolId}", "Username": "{$id}"},
    read=only("AdminGetUser"),
    delete=only("AdminDeleteUser"),
)

MEMBERSHIP = Row(
    name="AWS::Cognito::UserPoolUserToGroupAttachment",
    service=_SERVICE,
    create=op("AdminAddUserToGroup"),
    physical="{UserPoolId}|{GroupName}|{Username}",
    keys={"UserPoolId": "{UserPoolId}", "GroupName": "{GroupName}", "Username": "{Username}"},
    delete=only("AdminRemoveUserFromGroup"),
)

RESOURCE_SERVER = Row(
    name="AWS::Cognito::UserPoolResourceServer",
    service=_SERVICE,
    create=op("CreateResourceServer"),
    physical="{Identifier}",
    keys={"UserPoolId": "{UserPoolId}", "Identifier": "{Identifier}"},
    read=only("DescribeResourceServer"),
    update=(op("UpdateResourceServer"),),
    delete=only("DeleteResourceServer"),
    defaults={"Scopes": []},
)

IDENTITY_PROVIDER = Row(
    name="AWS::Cognito::UserPoolIdentityProvider",
    service=_SERVICE,
    create=op("CreateIdentityProvider"),
    physical="{ProviderName}",
    keys={"UserPoolId": "{UserPoolId}", "ProviderName": "{ProviderName}"},
    read=only("DescribeIdentityProvider"),
    update=(op("UpdateIdentityProvider"),),
    delete=only("DeleteIdentityProvider"),
)

IDENTITY_POOL = Row(
    name="AWS::Cognito::IdentityPool",
    service="cognito-identity",
    named=Name("IdentityPoolName", 128, is_shared=True),
    create=op("CreateIdentityPool"),
    physical="{.IdentityPoolId}",
    find=Find(
        only("ListIdentityPools", MaxResults=60),
        "IdentityPools",
        {"IdentityPoolName": "{IdentityPoolName}"},
    ),
    keys={"IdentityPoolId": "{$id}"},
    read=only("DescribeIdentityPool"),
    update=(op("UpdateIdentityPool"),),
    delete=only("DeleteIdentityPool"),
    attributes={"Id": "{$id}", "Name": "{.IdentityPoolName}"},
    tags="IdentityPoolTags",
    tags_property="IdentityPoolTags",
    retag=Retag(
        "TagResource",
        "UntagResource",
        {"ResourceArn": "arn:aws:cognito-identity:{$region}:{$account}:identitypool/{$id}"},
    ),
)


def _by_provider(properties: Properties, _step: Step) -> dict[str, Any]:
    """Mappings of roles have the provider as their key."""
    made = dict(properties)
    mappings = {}
    for key, mapping in (properties.get("RoleMappings") or {}).items():
        inner = dict(mapping)
        mappings[inner.pop("IdentityProvider", key)] = inner
    if mappings:
        made["RoleMappings"] = mappings
    return made


ROLE_ATTACHMENT = Row(
    name="AWS::Cognito::IdentityPoolRoleAttachment",
    service="cognito-identity",
    create=op("SetIdentityPoolRoles", Roles="{Roles}"),
    physical="{$name}",
    keys={"IdentityPoolId": "{IdentityPoolId}"},
    update=(op("SetIdentityPoolRoles", Roles="{Roles}"),),
    delete=only("SetIdentityPoolRoles", Roles={}),
    prepare=lambda properties, step: {"Roles": {}, **_by_provider(properties, step)},
    attributes={"Id": "{$id}"},
)

ROWS = (
    USER_POOL,
    USER_POOL_CLIENT,
    USER_POOL_DOMAIN,
    USER_POOL_GROUP,
    USER_POOL_USER,
    MEMBERSHIP,
    RESOURCE_SERVER,
    IDENTITY_PROVIDER,
    IDENTITY_POOL,
    ROLE_ATTACHMENT,
)
