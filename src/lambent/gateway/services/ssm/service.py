"""AWS Systems Manager: its Parameter Store."""

from lambent.control.parameters import Parameters
from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.ssm.operations import OPERATIONS
from lambent.gateway.services.ssm.permissions import DIFFERENCES, PERMISSIONS, RESOURCE_NAMES

SSM: ServiceDefinition[Parameters] = ServiceDefinition(
    name="ssm",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    is_replaceable=True,
    failure_code="InternalServerError",
    unoffered_code="ValidationException",
    differences=DIFFERENCES,
    resource_names=RESOURCE_NAMES,
    coverage=Coverage(
        note="Parameters with versions and tags, if the emulator does not serve them. Labels and"
        " parameter policies are refused. A SecureString is stored as it is."
    ),
)
