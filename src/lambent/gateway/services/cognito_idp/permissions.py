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
    Needs,
    Resource,
    each,
)
from lambent.gateway.services.cognito_idp.operations import MANAGED, PUBLIC

_TYPES = ("userpool",)


async def _pool(asked: Asked) -> Sequence[Target]:
    return [Target(pool_arn(asked.scope, asked.params["UserPoolId"]), asked.scope.account)]


async def _by_arn(asked: Asked) -> Sequence[Target]:
    return [Target(asked.params["ResourceArn"], asked.scope.account)]


_POOL, _TAGGED = Resource(_TYPES, _pool), Resource(_TYPES, _by_arn)
_SPECIAL = (
    *("CreateUserPool", "ListUserPools", "DescribeUserPoolDomain", "TagResource"),
    *("UntagResource", "ListTagsForResource"),
)
PERMISSIONS: Mapping[str, Needs] = {
    **each("cognito-idp", tuple(name for name in MANAGED if name not in _SPECIAL), _POOL),
    **each("cognito-idp", ("ListUserPools", "DescribeUserPoolDomain"), NOTHING),
    **each("cognito-idp", ("CreateUserPool",), NOTHING, *TAGS),
    **each("cognito-idp", ("TagResource",), _TAGGED, *TAGS),
    **each("cognito-idp", ("UntagResource",), _TAGGED, TAG_KEYS),
    **each("cognito-idp", ("ListTagsForResource",), _TAGGED),
    **dict.fromkeys(PUBLIC, ()),
}
DIFFERENCES: tuple[Difference, ...] = ()
RESOURCE_NAMES = (("userpool", "`arn:aws:cognito-idp:REGION:ACCOUNT:userpool/ID`"),)
