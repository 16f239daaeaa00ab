"""Amazon CloudWatch Logs: what functions have logged."""

from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.logs.operations import OPERATIONS
from lambent.gateway.services.logs.permissions import PERMISSIONS, RESOURCE_NAMES
from lambent.telemetry.logs import LogStore

LOGS: ServiceDefinition[LogStore] = ServiceDefinition(
    name="logs",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    resource_names=RESOURCE_NAMES,
    coverage=Coverage(note="Only operations that read logs are offered."),
)
