"""What each operation on parameters needs permission for."""

from collections.abc import Mapping, Sequence

from lambent.control.parameters import parameter_arn, select
from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import (
    TAG_KEYS,
    TAGS,
    Difference,
    Needs,
    Resource,
    each,
)


def _target(asked: Asked, name: str) -> Target:
    return Target(parameter_arn(asked.scope, select(asked.scope, name).name), asked.scope.account)


async def _parameter(asked: Asked) -> Sequence[Target]:
    return [_target(asked, asked.params["Name"])]


async def _parameters(asked: Asked) -> Sequence[Target]:
    return [_target(asked, name) for name in asked.params["Names"]]


async def _path(asked: Asked) -> Sequence[Target]:
    path = asked.params["Path"].rstrip("/")
    return [Target(parameter_arn(asked.scope, path), asked.scope.account)]


async def _every_parameter(asked: Asked) -> Sequence[Target]:
    account, region = asked.scope
    return [Target(f"arn:aws:ssm:{region}:{account}:*", account)]


async def _tagged(asked: Asked) -> Sequence[Target]:
    return [Target(parameter_arn(asked.scope, asked.params["ResourceId"]), asked.scope.account)]


_TYPES = ("parameter",)
_ONE = Resource(_TYPES, _parameter)
_SEVERAL = Resource(_TYPES, _parameters)
_TAGGED = Resource(_TYPES, _tagged)

PERMISSIONS: Mapping[str, Needs] = {
    **each("ssm", ("GetParameter", "GetParameterHistory", "DeleteParameter"), _ONE),
    **each("ssm", ("PutParameter",), _ONE, *TAGS),
    **each("ssm", ("GetParameters", "DeleteParameters"), _SEVERAL),
    **each("ssm", ("GetParametersByPath",), Resource(_TYPES, _path)),
    **each("ssm", ("DescribeParameters",), Resource((), _every_parameter)),
    **each("ssm", ("AddTagsToResource",), _TAGGED, *TAGS),
    **each("ssm", ("RemoveTagsFromResource",), _TAGGED, TAG_KEYS),
    **each("ssm", ("ListTagsForResource",), _TAGGED),
}
_NOT_ASKED = "Policies here cannot ask for it."
_NO_SUCH = "There are only parameters."
DIFFERENCES = (
    *(
        Difference(f"key ssm:{key}", False, _NOT_ASKED)
        for key in ("Overwrite", "Policies", "Recursive")
    ),
    *(
        Difference(f"resource {kind}", False, _NO_SUCH)
        for kind in (
            *("association", "automation-execution", "document", "instance"),
            *("maintenancewindow", "managed-instance", "opsitem", "opsmetadata"),
            *("patchbaseline", "task"),
        )
    ),
)
RESOURCE_NAMES = (("parameter", "`arn:aws:ssm:REGION:ACCOUNT:parameter/NAME`"),)
