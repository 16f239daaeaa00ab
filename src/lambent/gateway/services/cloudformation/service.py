"""AWS CloudFormation: stacks and change sets."""

from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.cloudformation.operations import OPERATIONS
from lambent.gateway.services.cloudformation.permissions import (
    DIFFERENCES,
    PERMISSIONS,
    RESOURCE_NAMES,
)
from lambent.stacks.room import Stacks

_TEMPLATES = ("ResourceTypes", "RollbackConfiguration")

CLOUDFORMATION: ServiceDefinition[Stacks] = ServiceDefinition(
    name="cloudformation",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    unoffered_code="ValidationError",
    differences=DIFFERENCES,
    resource_names=RESOURCE_NAMES,
    coverage=Coverage(
        note="Stacks, change sets, exports, stack policies, macros, and the transforms"
        " AWS::Serverless-2016-10-31, AWS::LanguageExtensions and AWS::Include. Stack sets, hooks,"
        " the registry, drift, imports and refactoring are refused. A change that a stack policy"
        " denies is refused before the update begins, where AWS lets the update fail.",
        stored={
            "CreateChangeSet": ("IncludeNestedStacks",),
        },
        refused={
            "CreateStack": _TEMPLATES,
            "UpdateStack": (*_TEMPLATES, "StackPolicyDuringUpdateURL"),
            "CreateChangeSet": (
                *_TEMPLATES,
                *("ResourcesToImport", "DeploymentMode"),
                "ChangeSetType=IMPORT",
            ),
            "DeleteStack": ("DeletionMode=FORCE_DELETE_STACK",),
            "GetTemplateSummary": ("StackSetName",),
        },
    ),
)
