"""AWS Secrets Manager: secrets, without rotation."""

from lambent.control.secrets import Secrets
from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.secretsmanager.operations import OPERATIONS
from lambent.gateway.services.secretsmanager.permissions import (
    DIFFERENCES,
    PERMISSIONS,
    RESOURCE_NAMES,
)

SECRETSMANAGER: ServiceDefinition[Secrets] = ServiceDefinition(
    name="secretsmanager",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    is_replaceable=True,
    failure_code="InternalServiceError",
    unoffered_code="InvalidRequestException",
    differences=DIFFERENCES,
    resource_names=RESOURCE_NAMES,
    coverage=Coverage(
        note="Secrets with versions and tags, if no other server is configured. Rotation, replicas"
        " and resource policies are refused. Values are stored as they are."
    ),
)
