"""What GetTemplateSummary and ValidateTemplate say of a template."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from lambent.stacks.template.sections import LOOP
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

    version: str | None
    """`2010-09-09`, or None if the template does not say it."""
    description: str | None
    metadata: Any
    parameters: tuple[Parameter, ...]
    capabilities: tuple[str, ...]
    capabilities_reason: str | None
    resources: Mapping[str, tuple[str, ...]]
    """Type → logical ids, in the order of the template; in a loop, as they are written."""
    transforms: tuple[str, ...]

    @property
    def resource_types(self) -> tuple[str, ...]:
        """Each type once."""
        return tuple(self.resources)


def summary(template: Template) -> Summary:
    """The summary of a template, with the resources in its loops."""
    resources = list(_resources(template.document.get("Resources", {})))
    iam = [(kind, properties) for _, kind, properties in resources if kind in _IAM_NAMES]
    capabilities = []
    reasons = []
    if iam:
        is_named = any(_IAM_NAMES[kind] in properties for kind, properties in iam)
        capabilities.append(CAPABILITY_NAMED_IAM if is_named else CAPABILITY_IAM)
        needing = ", ".join(dict.fromkeys(kind for kind, _ in iam))
        reasons.append(f"The following resource(s) require capabilities: [{needing}]")
    if template.transforms:
        capabilities.append(CAPABILITY_AUTO_EXPAND)
        reasons.append(
            f"The following transform(s) require capabilities: [{', '.join(template.transforms)}]"
        )
    return Summary(
        version=template.document.get("AWSTemplateFormatVersion"),
        description=template.description,
        metadata=template.metadata,
        parameters=tuple(template.parameters.values()),
        capabilities=tuple(capabilities),
        capabilities_reason=". ".join(reasons) or None,
        resources=_by_type(resources),
        transforms=template.transforms,
    )


def _resources(section: Any) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Name, type and properties of each resource, also in loops that are not written out."""
    for name, written in section.items() if isinstance(section, dict) else ():
        if name.startswith(LOOP):
            body = written[2] if isinstance(written, list) and len(written) == 3 else None
            yield from _resources(body)
        elif isinstance(written, dict) and isinstance(written.get("Type"), str):
            properties = written.get("Properties", {})
            yield name, written["Type"], properties if isinstance(properties, dict) else {}


def _by_type(
    resources: Iterable[tuple[str, str, Mapping[str, Any]]],
) -> dict[str, tuple[str, ...]]:
    made: dict[str, tuple[str, ...]] = {}
    for name, kind, _ in resources:
        made[kind] = (*made.get(kind, ()), name)
    return made
