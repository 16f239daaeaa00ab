"""What each operation of CloudFront needs permission for."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control.cloudfront.associations import parse_edge_function
from lambent.control.cloudfront.common import items
from lambent.control.cloudfront.policies import KINDS, behaviors_of
from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import (
    NOTHING,
    Difference,
    Key,
    Need,
    Needs,
    Resource,
    Values,
    each,
    some,
)
from lambent.model.cloudfront.names import DISTRIBUTION, FUNCTION, arn_of, parse_cloudfront_arn
from lambent.model.errors import ApiError


def _named(kind: str, member: str) -> Resource:
    async def find(asked: Asked) -> Sequence[Target]:
        account = asked.scope.account
        return [Target(arn_of(account, kind, asked.params[member]), account)]

    return Resource((kind,), find)


async def _by_arn(asked: Asked) -> Sequence[Target]:
    text = asked.params["Resource"]
    named = parse_cloudfront_arn(text)
    if named is None:
        raise ApiError("InvalidArgument", "The parameter Resource is not valid.")
    return [Target(text, named[0])]


def _tags(asked: Asked) -> Mapping[str, str]:
    given = asked.params.get("DistributionConfigWithTags") or asked.params
    return {tag["Key"]: tag.get("Value", "") for tag in items(given.get("Tags"))}


async def _request_tags(asked: Asked) -> Values:
    found: dict[str, list[str]] = {}
    for name, value in _tags(asked).items():
        found.setdefault(f"aws:requesttag/{name.lower()}", []).append(value)
    return found


async def _tag_keys(asked: Asked) -> Values:
    return some("aws:tagkeys", [*items(asked.params.get("TagKeys")), *_tags(asked)])


def _config(asked: Asked) -> Mapping[str, Any]:
    given: Mapping[str, Any] = asked.params.get("DistributionConfigWithTags") or asked.params
    config: Mapping[str, Any] = given["DistributionConfig"]
    return config


async def _edge_functions(asked: Asked) -> Sequence[Target]:
    """The functions of Lambda that a distribution is to run."""
    arns = {
        association["LambdaFunctionARN"]
        for behavior in behaviors_of(_config(asked))
        for association in items(behavior.get("LambdaFunctionAssociations"))
    }
    found = []
    for arn in sorted(arns):
        key, version = parse_edge_function(arn)
        found.append(Target(f"{key.arn}:{version}", key.account))
    return found


_REQUEST_TAGS = Key("aws:RequestTag/${TagKey}", _request_tags)
_TAG_KEYS = Key("aws:TagKeys", _tag_keys)
_DISTRIBUTION = _named(DISTRIBUTION, "Id")
_OF_DISTRIBUTION = _named(DISTRIBUTION, "DistributionId")
_FUNCTION = _named(FUNCTION, "Name")
_TAGGED = Resource((DISTRIBUTION, FUNCTION), _by_arn)
_REPLICATED = Resource(("function",), _edge_functions)
_EDGE = (Need("lambda:GetFunction", _REPLICATED), Need("lambda:EnableReplication", _REPLICATED))
_CREATES = Need("cloudfront:CreateDistribution", NOTHING, (_REQUEST_TAGS, _TAG_KEYS))


def _of_kind(name: str) -> dict[str, Needs]:
    """The permissions of the operations on one kind of policies."""
    noun, plural = KINDS[name].noun, KINDS[name].plural
    own = (f"Get{noun}", f"Get{noun}Config", f"Update{noun}", f"Delete{noun}")
    return {
        **each("cloudfront", (f"Create{noun}", f"List{plural}"), NOTHING),
        **each("cloudfront", own, _named(name, "Id")),
    }


PERMISSIONS: Mapping[str, Needs] = {
    "CreateDistribution": (_CREATES, *_EDGE),
    "CreateDistributionWithTags": (
        _CREATES,
        Need("cloudfront:TagResource", NOTHING, (_REQUEST_TAGS, _TAG_KEYS)),
        *_EDGE,
    ),
    "UpdateDistribution": (Need("cloudfront:UpdateDistribution", _DISTRIBUTION), *_EDGE),
    **each(
        "cloudfront",
        ("GetDistribution", "GetDistributionConfig", "DeleteDistribution"),
        _DISTRIBUTION,
    ),
    **each(
        "cloudfront",
        ("CreateInvalidation", "GetInvalidation", "ListInvalidations"),
        _OF_DISTRIBUTION,
    ),
    **each("cloudfront", ("CreateFunction", "ListFunctions", "ListDistributions"), NOTHING),
    **each(
        "cloudfront",
        (
            *("DescribeFunction", "GetFunction", "UpdateFunction", "PublishFunction"),
            *("DeleteFunction", "TestFunction"),
        ),
        _FUNCTION,
    ),
    **each("cloudfront", ("ListTagsForResource",), _TAGGED),
    **each("cloudfront", ("TagResource",), _TAGGED, _REQUEST_TAGS, _TAG_KEYS),
    **each("cloudfront", ("UntagResource",), _TAGGED, _TAG_KEYS),
    **{name: needs for kind in KINDS for name, needs in _of_kind(kind).items()},
}

_LAMBDA_AT_EDGE = (
    "AWS names it in the guide of Lambda@Edge: who has a distribution run a function needs it."
)
_NOT_OFFERED = "Lambent does not offer this kind of resource."
_TAGGING = tuple(
    f"cloudfront:{name}" for name in ("TagResource", "UntagResource", "ListTagsForResource")
)
DIFFERENCES = (
    Difference("action lambda:GetFunction", True, _LAMBDA_AT_EDGE),
    Difference("action lambda:EnableReplication", True, _LAMBDA_AT_EDGE),
    Difference("resource function", True, "Functions of CloudFront have tags here.", _TAGGING),
    *(
        Difference(f"resource {kind}", False, _NOT_OFFERED, _TAGGING)
        for kind in (
            *("anycast-ip-list", "connection-function", "connection-group"),
            *("distribution-tenant", "trust-store", "vpcorigin"),
        )
    ),
    Difference("resource streaming-distribution", False, _NOT_OFFERED, _TAGGING[:2]),
    Difference(
        "resource distribution",
        False,
        "A distribution that is created has no ARN yet.",
        ("cloudfront:TagResource",),
    ),
)
RESOURCE_NAMES = tuple(
    (kind, f"`arn:aws:cloudfront::ACCOUNT:{kind}/{'NAME' if kind == FUNCTION else 'ID'}`")
    for kind in (DISTRIBUTION, FUNCTION, *KINDS)
)
