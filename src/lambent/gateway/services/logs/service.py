"""Amazon CloudWatch Logs: what functions have logged."""

from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.logs.operations import OPERATIONS
from lambent.gateway.services.logs.permissions import DIFFERENCES, PERMISSIONS, RESOURCE_NAMES
from lambent.gateway.services.logs.rooms import LogsRooms

LOGS: ServiceDefinition[LogsRooms] = ServiceDefinition(
    name="logs",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    resource_names=RESOURCE_NAMES,
    differences=DIFFERENCES,
    coverage=Coverage(
        note="Functions write logs; the operations read them, and create, tag and delete groups."
        " Subscription filters deliver to functions. Metric filters, streams and events of callers"
        " are not offered."
    ),
)
