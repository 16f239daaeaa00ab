"""What each operation of CloudFormation needs permission for. Each call that the engine makes for a
stack needs its own permission on top."""

from collections.abc import Mapping, Sequence

from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import (
    NOTHING,
    TAGS,
    Difference,
    Key,
    Need,
    Needs,
    Resource,
    Values,
    each,
    some,
)
from lambent.model.arn import Arn

_PREFIX = "cloudformation"


def _key(name: str, member: str) -> Key:
    async def find(asked: Asked) -> Values:
        value = asked.params.get(member)
        values = value if isinstance(value, list) else [value] if value else []
        return some(f"{_PREFIX}:{name.lower()}", values)

    return Key(f"{_PREFIX}:{name}", find)


async def _stack(asked: Asked) -> Sequence[Target]:
    """The stack that a request names, or that its change set is of."""
    account, region = asked.scope
    name, change_set = asked.params.get("StackName"), asked.params.get("ChangeSetName")
    arn = None
    if change_set is not None and change_set.startswith("arn:"):
        arn = await asked.lookups.stack_of_change_set(asked.scope, change_set)
        name = "*"
    elif name is not None and name.startswith("arn:"):
        arn = name
    elif name is not None and len(name) <= 128:
        arn = await asked.lookups.stack_arn(asked.scope, name)
    unknown = f"arn:aws:{_PREFIX}:{region}:{account}:stack/{name or '*'}/*"
    return [Target(arn or unknown, account)]


async def _role(asked: Asked) -> Sequence[Target]:
    arn = Arn.try_parse(asked.params["RoleARN"])
    return [] if arn is None else [Target(asked.params["RoleARN"], arn.account)]


async def _passed_to(_: Asked) -> Values:
    return {"iam:passedtoservice": ["cloudformation.amazonaws.com"]}


async def _passed_for(asked: Asked) -> Values:
    return {"iam:associatedresourcearn": [target.arn for target in await _stack(asked)]}


_STACK = Resource(("stack",), _stack)
_CHANGE_SET_NAME = _key("ChangeSetName", "ChangeSetName")
_ROLE_ARN = _key("RoleArn", "RoleARN")
_POLICY_URL = _key("StackPolicyUrl", "StackPolicyURL")
_OF_TEMPLATES = (
    _key("ResourceTypes", "ResourceTypes"),
    _ROLE_ARN,
    _POLICY_URL,
    _key("TemplateUrl", "TemplateURL"),
    *TAGS,
)
_PASS_ROLE = Need(
    "iam:PassRole",
    Resource(("role",), _role),
    (Key("iam:PassedToService", _passed_to), Key("iam:AssociatedResourceArn", _passed_for)),
    only_with="RoleARN",
)


def _with_role(name: str, *keys: Key) -> Needs:
    return (Need(f"{_PREFIX}:{name}", _STACK, keys), _PASS_ROLE)


PERMISSIONS: Mapping[str, Needs] = {
    **each(
        _PREFIX,
        (
            *("CancelUpdateStack", "DescribeStackEvents", "DescribeStackResource"),
            *("DescribeStackResources", "DescribeStacks", "GetStackPolicy", "GetTemplate"),
            *("GetTemplateSummary", "ListChangeSets", "ListStackResources", "SignalResource"),
            *("DescribeEvents", "UpdateTerminationProtection"),
        ),
        _STACK,
    ),
    **each(
        _PREFIX,
        ("DeleteChangeSet", "DescribeChangeSet", "ExecuteChangeSet"),
        _STACK,
        _CHANGE_SET_NAME,
    ),
    **each(_PREFIX, ("SetStackPolicy",), _STACK, _POLICY_URL),
    **each(_PREFIX, ("ListExports", "ListImports", "ListStacks", "ValidateTemplate"), NOTHING),
    **{
        name: _with_role(name, _ROLE_ARN)
        for name in ("ContinueUpdateRollback", "DeleteStack", "RollbackStack")
    },
    "CreateStack": _with_role("CreateStack", *_OF_TEMPLATES),
    "UpdateStack": _with_role("UpdateStack", *_OF_TEMPLATES),
    "CreateChangeSet": _with_role("CreateChangeSet", _CHANGE_SET_NAME, *_OF_TEMPLATES),
}
DIFFERENCES = (
    Difference(
        "action iam:PassRole",
        True,
        "A stack acts with its role for everyone who updates it, so its creator must be allowed to"
        " pass it. AWS's guide asks for it; its list does not.",
    ),
    Difference(
        "key cloudformation:ImportResourceTypes",
        False,
        "Resources cannot be imported.",
    ),
    Difference(
        "resource changeset",
        False,
        "The events of a change set are those of its stack.",
        ("cloudformation:DescribeEvents",),
    ),
    Difference("resource stackset", False, "Stack sets are not offered."),
)
RESOURCE_NAMES = (("stack", "`arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/ID`"),)
