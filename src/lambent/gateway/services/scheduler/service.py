"""Amazon EventBridge Scheduler."""

from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.scheduler.operations import OPERATIONS, SchedulerRooms
from lambent.gateway.services.scheduler.permissions import PERMISSIONS, RESOURCE_NAMES

SCHEDULER: ServiceDefinition[SchedulerRooms] = ServiceDefinition(
    name="scheduler",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    failure_code="InternalServerException",
    unoffered_code="ValidationException",
    resource_names=RESOURCE_NAMES,
    coverage=Coverage(
        note="Targets are functions, event buses, SQS queues, SNS topics, Kinesis and Firehose"
        " streams, state machines and operations of services (universal targets)."
        " [Schedules and events](../schedules-and-events.md) describes what a schedule does.",
        refused={"CreateSchedule": ("KmsKeyArn",), "UpdateSchedule": ("KmsKeyArn",)},
    ),
)
