"""Amazon EventBridge: event buses and rules."""

from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.events.operations import OPERATIONS, EventsRooms
from lambent.gateway.services.events.permissions import (
    DIFFERENCES,
    PERMISSIONS,
    RESOURCE_NAMES,
)

EVENTS: ServiceDefinition[EventsRooms] = ServiceDefinition(
    name="events",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    failure_code="InternalException",
    unoffered_code="OperationDisabledException",
    differences=DIFFERENCES,
    resource_names=RESOURCE_NAMES,
    coverage=Coverage(
        note="Buses, rules with all operators of patterns, schedules, and targets that are"
        " functions, event buses, API destinations, log groups, SQS queues, SNS topics, Kinesis and"
        " Firehose streams or state machines."
        " [Schedules and events](../schedules-and-events.md) describes them. Archives, replays,"
        " endpoints and partner event sources are not offered.",
        stored={"PutRule": ("RoleArn",)},
        refused={
            "CreateEventBus": (
                *("EventSourceName", "KmsKeyIdentifier", "LogConfig", "DeadLetterConfig"),
            ),
            "UpdateEventBus": ("KmsKeyIdentifier", "LogConfig", "DeadLetterConfig"),
            "CreateConnection": ("InvocationConnectivityParameters", "KmsKeyIdentifier"),
            "UpdateConnection": ("InvocationConnectivityParameters", "KmsKeyIdentifier"),
        },
    ),
)
