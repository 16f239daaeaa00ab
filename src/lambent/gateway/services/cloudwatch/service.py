"""Amazon CloudWatch: metrics of functions, those that functions and clients put themselves, and
alarms."""

from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.cloudwatch.operations import OPERATIONS, CloudWatchRooms
from lambent.gateway.services.cloudwatch.permissions import (
    DIFFERENCES,
    PERMISSIONS,
    RESOURCE_NAMES,
)

CLOUDWATCH: ServiceDefinition[CloudWatchRooms] = ServiceDefinition(
    name="cloudwatch",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    failure_code="InternalServiceFault",
    resource_names=RESOURCE_NAMES,
    differences=DIFFERENCES,
    coverage=Coverage(
        note="Metrics can be put, listed and read, with metric math. Alarms have a static threshold"
        " or follow other alarms; they call functions, notify SNS topics and send events. Periods"
        " below a minute, anomaly detection and dashboards are refused."
    ),
)
