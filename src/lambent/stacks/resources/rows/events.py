"""Amazon EventBridge: rules and event buses; EventBridge Scheduler and
Pipes."""

from collections.abc import Mapping
from typing import Any

from lambent.model.errors import ApiError
from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import Name, Part, Retag, Row, Wait, only, op

_TAGGED = Retag("TagResource", "UntagResource", {"ResourceARN": "{@Arn}"})


def _permission(properties: Properties, _step: Step) -> dict[str, Any]:
    """A statement becomes the members that PutPermission takes. Raises `ApiError` for another."""
    made = dict(properties)
    statement = made.pop("Statement", None)
    if statement is None:
        return made
    principal = statement.get("Principal") if isinstance(statement, Mapping) else None
    if isinstance(principal, Mapping):
        principal = principal.get("AWS")
    action = statement.get("Action") if principal is not None else None
    if not isinstance(principal, str) or action != "events:PutEvents":
        raise ApiError(
            "ValidationError",
            "Lambent offers statements for one principal and the action events:PutEvents.",
        )
    made["Principal"] = principal.split(":")[4] if principal.startswith("arn:") else principal
    made["Action"] = action
    condition = (statement.get("Condition") or {}).get("StringEquals") or {}
    for key, value in condition.items():
        made["Condition"] = {"Type": "StringEquals", "Key": key, "Value": value}
    return made


RULE = Row(
    name="AWS::Events::Rule",
    service="events",
    named=Name("Name", 64, parent="EventBusName"),
    create=op("PutRule"),
    is_idempotent=True,
    physical="{Name}",
    keys={"Name": "{$id}", "Rule": "{$id}", "EventBusName": "{EventBusName}"},
    read=only("DescribeRule"),
    update=(op("PutRule"),),
    delete=only("DeleteRule"),
    attributes={"Arn": "{.Arn}", "RuleName": "{$id}"},
    tags="Tags",
    retag=_TAGGED,
    parts=(
        Part(
            of=("Targets",),
            is_each=True,
            key="Id",
            put=only("PutTargets", Targets=["{*}"]),
            remove=only("RemoveTargets", Ids=["{*.Id}"]),
            is_deleted_first=True,
        ),
    ),
)

EVENT_BUS = Row(
    name="AWS::Events::EventBus",
    service="events",
    named=Name("Name", 256),
    create=op("CreateEventBus"),
    physical="{Name}",
    keys={"Name": "{$id}", "EventBusName": "{$id}"},
    read=only("DescribeEventBus"),
    update=(op("UpdateEventBus"),),
    delete=only("DeleteEventBus"),
    attributes={"Arn": "{.Arn}", "Name": "{.Name}"},
    tags="Tags",
    retag=_TAGGED,
    parts=(Part(of=("Policy",), put=only("PutPermission", Policy="{Policy}")),),
    defaults={"Description": ""},
)

EVENT_BUS_POLICY = Row(
    name="AWS::Events::EventBusPolicy",
    service="events",
    create=op("PutPermission"),
    physical="{$name}",
    keys={"EventBusName": "{EventBusName}", "StatementId": "{StatementId}"},
    update=(op("PutPermission"),),
    delete=only("RemovePermission"),
    prepare=_permission,
    uses=frozenset({"Statement"}),
    note="A `Statement` has one principal and the action `events:PutEvents`.",
)

SCHEDULE = Row(
    name="AWS::Scheduler::Schedule",
    service="scheduler",
    named=Name("Name", 64, parent="GroupName"),
    create=op("CreateSchedule"),
    physical="{Name}",
    keys={"Name": "{$id}", "GroupName": "{GroupName}"},
    read=only("GetSchedule"),
    update=(op("UpdateSchedule"),),
    delete=only("DeleteSchedule"),
    attributes={"Arn": "{.Arn}"},
    replacing=frozenset({"GroupName"}),
)

SCHEDULE_GROUP = Row(
    name="AWS::Scheduler::ScheduleGroup",
    service="scheduler",
    named=Name("Name", 64),
    create=op("CreateScheduleGroup"),
    physical="{Name}",
    keys={"Name": "{$id}"},
    read=only("GetScheduleGroup"),
    delete=only("DeleteScheduleGroup"),
    waits_gone=True,
    attributes={"Arn": "{.Arn}", "State": "{.State}"},
    tags="Tags",
    retag=Retag("TagResource", "UntagResource", {"ResourceArn": "{@Arn}"}),
)

_STREAMS = (
    *("ActiveMQBrokerParameters", "DynamoDBStreamParameters", "KinesisStreamParameters"),
    *("ManagedStreamingKafkaParameters", "RabbitMQBrokerParameters"),
    "SelfManagedKafkaParameters",
)
"""Parameters of sources that UpdatePipe takes in another form than CreatePipe."""

PIPE = Row(
    name="AWS::Pipes::Pipe",
    service="pipes",
    named=Name("Name", 64),
    create=op("CreatePipe"),
    physical="{Name}",
    keys={"Name": "{$id}"},
    read=only("DescribePipe"),
    update=(
        only(
            "UpdatePipe",
            SourceParameters={
                "FilterCriteria": "{SourceParameters.FilterCriteria}",
                "SqsQueueParameters": "{SourceParameters.SqsQueueParameters}",
            },
            **{
                name: f"{{{name}}}"
                for name in (
                    *("Description", "DesiredState", "Enrichment", "EnrichmentParameters"),
                    *("KmsKeyIdentifier", "LogConfiguration", "RoleArn", "Target"),
                    "TargetParameters",
                )
            },
        ),
    ),
    delete=only("DeletePipe"),
    waits_gone=True,
    wait=Wait(
        {"CurrentState": ("RUNNING", "STOPPED")},
        failed=("CREATE_FAILED", "START_FAILED", "UPDATE_FAILED"),
        reason="StateReason",
    ),
    attributes={
        "Arn": "{.Arn}",
        "CurrentState": "{.CurrentState}",
        "StateReason": "{.StateReason}",
    },
    tags="Tags",
    retag=Retag("TagResource", "UntagResource", {"resourceArn": "{@Arn}"}),
    replacing=frozenset(f"SourceParameters.{name}" for name in _STREAMS),
)

CONNECTION = Row(
    name="AWS::Events::Connection",
    service="events",
    named=Name("Name", 64),
    create=op("CreateConnection"),
    physical="{Name}",
    keys={"Name": "{$id}"},
    read=only("DescribeConnection"),
    update=(op("UpdateConnection"),),
    delete=only("DeleteConnection"),
    attributes={
        "Arn": "{.ConnectionArn}",
        "ArnForPolicy": "arn:aws:events:{$region}:{$account}:connection/{$id}",
    },
    defaults={"Description": ""},
)

API_DESTINATION = Row(
    name="AWS::Events::ApiDestination",
    service="events",
    named=Name("Name", 64),
    create=op("CreateApiDestination"),
    physical="{Name}",
    keys={"Name": "{$id}"},
    read=only("DescribeApiDestination"),
    update=(op("UpdateApiDestination"),),
    delete=only("DeleteApiDestination"),
    attributes={
        "Arn": "{.ApiDestinationArn}",
        "ArnForPolicy": "arn:aws:events:{$region}:{$account}:api-destination/{$id}",
    },
    defaults={"Description": "", "InvocationRateLimitPerSecond": 300},
)

ROWS = (
    *(RULE, EVENT_BUS, EVENT_BUS_POLICY, CONNECTION, API_DESTINATION),
    *(SCHEDULE, SCHEDULE_GROUP, PIPE),
)
