"""What each operation on repositories needs permission for."""

from collections.abc import Mapping, Sequence

from lambent.control.repositories import repository_arn
from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import TAG_KEYS, TAGS, Difference, Needs, Resource, each
from lambent.model.arn import Arn
from lambent.model.errors import ApiError


async def _repository(asked: Asked) -> Sequence[Target]:
    name = asked.params["repositoryName"]
    return [Target(repository_arn(asked.scope, name), asked.scope.account)]


async def _repositories(asked: Asked) -> Sequence[Target]:
    names = asked.params.get("repositoryNames") or ["*"]
    return [Target(repository_arn(asked.scope, name), asked.scope.account) for name in names]


async def _by_arn(asked: Asked) -> Sequence[Target]:
    text = asked.params["resourceArn"]
    arn = Arn.try_parse(text)
    if arn is None or (arn.partition, arn.service) != ("aws", "ecr"):
        raise ApiError(
            "InvalidParameterException",
            "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'",
        )
    return [Target(text, arn.account)]


_TYPES = ("repository",)
_REPOSITORY = Resource(_TYPES, _repository)
_TAGGED = Resource(_TYPES, _by_arn)
_OF_REPOSITORIES = (
    *("DeleteRepository", "PutImageTagMutability", "PutImageScanningConfiguration"),
    *("SetRepositoryPolicy", "GetRepositoryPolicy", "DeleteRepositoryPolicy"),
    *("PutLifecyclePolicy", "GetLifecyclePolicy", "DeleteLifecyclePolicy"),
)

PERMISSIONS: Mapping[str, Needs] = {
    **each("ecr", _OF_REPOSITORIES, _REPOSITORY),
    **each("ecr", ("CreateRepository",), _REPOSITORY, *TAGS),
    **each("ecr", ("DescribeRepositories",), Resource(_TYPES, _repositories)),
    **each("ecr", ("ListTagsForResource",), _TAGGED),
    **each("ecr", ("TagResource",), _TAGGED, *TAGS),
    **each("ecr", ("UntagResource",), _TAGGED, TAG_KEYS),
}
_READING = ("ecr:ListTagsForResource",)
_NO_TAGS = "The request has no tags."
DIFFERENCES = (
    Difference("key aws:RequestTag/${TagKey}", False, _NO_TAGS, _READING),
    Difference("key aws:TagKeys", False, _NO_TAGS, _READING),
)
RESOURCE_NAMES = (("repository", "`arn:aws:ecr:REGION:ACCOUNT:repository/NAME`"),)
