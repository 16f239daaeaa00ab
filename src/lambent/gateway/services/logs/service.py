"""Amazon CloudWatch Logs: what functions and callers have logged."""

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
        note="Log groups and streams, events of functions and callers, Live Tail, CloudWatch Logs"
        " Insights, metric filters; subscription filters deliver to functions. Log groups are of"
        " the class STANDARD and not encrypted with KMS keys. docs/logs.md has the query language.",
        refused={
            "CreateLogGroup": ("kmsKeyId", "logGroupClass other than STANDARD"),
            "ListLogGroups": ("dataSources", "fieldIndexNames"),
            "PutMetricFilter": (
                *("applyOnTransformedLogs", "fieldSelectionCriteria"),
                "emitSystemFieldDimensions",
            ),
            "PutQueryDefinition": ("parameters", "queryLanguage other than CWLI"),
            "StartQuery": ("queryLanguage other than CWLI",),
        },
    ),
)
