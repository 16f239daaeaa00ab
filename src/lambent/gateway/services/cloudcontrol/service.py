"""AWS Cloud Control API: resources of stacks' types without a stack."""

from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.cloudcontrol.operations import OPERATIONS
from lambent.gateway.services.cloudcontrol.permissions import DIFFERENCES, PERMISSIONS
from lambent.stacks.cloud_control.use_cases import CloudControl

CLOUDCONTROL: ServiceDefinition[CloudControl] = ServiceDefinition(
    name="cloudcontrol",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    unoffered_code="UnsupportedActionException",
    differences=DIFFERENCES,
    coverage=Coverage(
        note="The resource types of stacks that have APIs. GetResource returns what the service of"
        " a type says, and what an earlier request has set. Types without an operation that reads"
        " or lists are refused with UnsupportedActionException, and so is an update that would lose"
        " what cannot be read. A request that was under way when"
        " the platform stopped goes on at its start. ProgressEvent has no ResourceModel, since"
        " properties may be secrets.",
        refused={
            name: ("TypeVersionId",)
            for name in (
                *("CreateResource", "GetResource", "UpdateResource", "DeleteResource"),
                "ListResources",
            )
        },
    ),
)
