"""What each operation of Cloud Control needs permission for. Each call that it makes for a resource
needs its own permission on top."""

from collections.abc import Mapping, Sequence

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
)
from lambent.model.arn import Arn

_PREFIX = "cloudformation"


async def _role(asked: Asked) -> Sequence[Target]:
    arn = Arn.try_parse(asked.params["RoleArn"])
    return [] if arn is None else [Target(asked.params["RoleArn"], arn.account)]


async def _passed_to(_: Asked) -> Values:
    return {"iam:passedtoservice": ["cloudformation.amazonaws.com"]}


_PASS_ROLE = Need(
    "iam:PassRole",
    Resource(("role",), _role),
    (Key("iam:PassedToService", _passed_to),),
    only_with="RoleArn",
)
PERMISSIONS: Mapping[str, Needs] = {
    **each(
        _PREFIX,
        ("CancelResourceRequest", "GetResourceRequestStatus", "ListResourceRequests"),
        NOTHING,
    ),
    **{
        name: (Need(f"{_PREFIX}:{name}", NOTHING), _PASS_ROLE)
        for name in (
            *("CreateResource", "DeleteResource", "GetResource", "ListResources"),
            "UpdateResource",
        )
    },
}
DIFFERENCES = (
    Difference(
        "action iam:PassRole",
        True,
        "Cloud Control acts with the role, so its caller must be allowed to pass it. AWS's guide"
        " asks for it; its list does not.",
    ),
    Difference(
        "key iam:AssociatedResourceArn",
        False,
        "The resource that the role is used for need not exist, and has no ARN that is known.",
    ),
)
