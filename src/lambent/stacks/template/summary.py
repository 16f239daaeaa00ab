"""What GetTemplateSummary and ValidateTemplate say of a template."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from lambent.stacks.template.template import Parameter, Template

CAPABILITY_IAM: Final = "CAPABILITY_IAM"
CAPABILITY_NAMED_IAM: Final = "CAPABILITY_NAMED_IAM"
CAPABILITY_AUTO_EXPAND: Final = "CAPABILITY_AUTO_EXPAND"
_IAM_NAMES: Mapping[str, str | None] = {
    "AWS::IAM::AccessKey": None,
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::GroupPolicy": None,
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": None,
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::RolePolicy": None,
    "AWS::IAM::User": "UserName",
    "AWS::IAM::UserPolicy": None,
    "AWS::IAM::UserToGroupAddition": None,
}
"""Types that change rights, and the property that is a name of the user's choice."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A template in short."""

    description: str | None
    metadata: Any
    parameters: tuple[Parameter, ...]
    capabilities: tuple[str, ...]
    capabilities_reason: str | None
    resource_types: tuple[str, ...]
    """Each once, in the order of the template."""
    transforms: tuple[str, ...]


def summary(template: Template) -> Summary:
    """The summary of a template."""
    types = tuple(dict.fromkeys(resource.type for resource in template.resources.values()))
    iam = [resource for resource in template.resources.values() if resource.type in _IAM_NAMES]
    capabilities = []
    reasons = []
    if iam:
        is_named = any(_IAM_NAMES[resource.type] in resource.properties for resource in iam)
        capabilities.append(CAPABILITY_NAMED_IAM if is_named else CAPABILITY_IAM)
        needing = ", ".join(dict.fromkeys(resource.type for resource in iam))
        reasons.append(f"The following resource(s) require capabilities: [{needing}]")
    if template.transforms:
        capabilities.append(CAPABILITY_AUTO_EXPAND)
        reasons.append(
            "The following transform(s) require capabilities:"
            f" [{', '.join(dict.fromkeys(template.transforms))}]"
        )
    return Summary(
        description=template.description,
        metadata=template.metadata,
        parameters=tuple(template.parameters.values()),
        capabilities=tuple(capabilities),
        capabilities_reason=". ".join(reasons) or None,
        resource_types=types,
        transforms=template.transforms,
    )
