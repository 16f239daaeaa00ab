"""What each operation of user pools needs permission for. Operations of users need none: they are
not signed."""

from collections.abc import Mapping, Sequence

from lambent.control.cognito.pool import pool_arn
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
from lambent.gateway.services.cognito_idp.operations import MANAGED, PUBLIC
from lambent.model.arn import Arn

_TYPES = ("userpool",)


async def _pool(asked: Asked) -> Sequence[Target]:
    return [Target(pool_arn(asked.scope, asked.params["UserPoolId"]), asked.scope.account)]


async def _by_arn(asked: Asked) -> Sequence[Target]:
    return [Target(asked.params["ResourceArn"], asked.scope.account)]


async def _key_of_codes(asked: Asked) -> Sequence[Target]:
    """The key in KMS of codes for functions: who sets it lets Cognito use it."""
    key = Arn.try_parse((asked.params.get("LambdaConfig") or {}).get("KMSKeyID") or "")
    return [] if key is None else [Target(str(key), key.account)]


_GRANT = Need("kms:CreateGrant", Resource(("key",), _key_of_codes), only_with="LambdaConfig")
_POOL, _TAGGED = Resource(_TYPES, _pool), Resource(_TYPES, _by_arn)
_SPECIAL = (
    *("CreateUserPool", "UpdateUserPool", "ListUserPools", "DescribeUserPoolDomain", "TagResource"),
    *("UntagResource", "ListTagsForResource"),
)
PERMISSIONS: Mapping[str, Needs] = {
    **each("cognito-idp", tuple(name for name in MANAGED if name not in _SPECIAL), _POOL),
    **each("cognito-idp", ("ListUserPools", "DescribeUserPoolDomain"), NOTHING),
    "CreateUserPool": (Need("cognito-idp:CreateUserPool", NOTHING, TAGS), _GRANT),
    "UpdateUserPool": (Need("cognito-idp:UpdateUserPool", _POOL), _GRANT),
    **each("cognito-idp", ("TagResource",), _TAGGED, *TAGS),
    **each("cognito-idp", ("UntagResource",), _TAGGED, TAG_KEYS),
    **each("cognito-idp", ("ListTagsForResource",), _TAGGED),
    **dict.fromkeys(PUBLIC, ()),
}
DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "action kms:CreateGrant",
        True,
        "As Cognito's guide says; AWS's list of actions does not have it.",
        ("kms:CreateGrant",),
    ),
    *(
        Difference(f"key kms:{key}", False, "The user pool makes no grant: it uses the key itself.")
        for key in (
            *("CallerAccount", "EncryptionContext:${EncryptionContextKey}"),
            *("EncryptionContextKeys", "GrantConstraintType", "GrantIsForAWSResource"),
            *("GrantOperations", "GranteePrincipal", "RetiringPrincipal", "ViaService"),
        )
    ),
)
RESOURCE_NAMES = (("userpool", "`arn:aws:cognito-idp:REGION:ACCOUNT:userpool/ID`"),)
