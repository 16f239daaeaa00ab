"""Event buses, rules and schedules with boto3, and functions that they call."""

import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platforms import Platform, deploy, log_lines, wait_for

ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/scheduler"
PRINTS = "import json\ndef handler(event, context):\n    print('GOT ' + json.dumps(event))\n"


def received(platform: Platform, name: str) -> list[Any]:
    """The events that a function has printed."""
    lines = log_lines(platform, name)
    return [json.loads(line.removeprefix("GOT ")) for line in lines if line.startswith("GOT ")]


def test_a_rule_sends_what_matches_to_a_function(platform: Platform) -> None:
    """A bus with two rules: the event itself, and a template with its values. An entry that is
    wrong fails by itself."""
    client, events = platform.client("lambda"), platform.client("events")
    plain = deploy(client, "rule-plain", {"app.py": PRINTS})["FunctionArn"]
    shaped = deploy(client, "rule-shaped", {"app.py": PRINTS})["FunctionArn"]
    bus = events.create_event_bus(Name="shop")["EventBusArn"]
    pattern = {"source": ["shop"], "detail": {"total": [{"numeric": [">", 10]}]}}
    rule = events.put_rule(Name="large", EventBusName="shop", EventPattern=json.dumps(pattern))
    assert rule["RuleArn"] == bus.replace("event-bus/", "rule/") + "/large"
    transformer = {
        "InputPathsMap": {"id": "$.detail.id", "all": "$.detail"},
        "InputTemplate": '{"text": "order <id>", "rule": <aws.events.rule-name>, "detail": <all>}',
    }
    put = events.put_targets(
        Rule="large",
        EventBusName=bus,
        Targets=[
            {"Id": "plain", "Arn": plain},
            {"Id": "shaped", "Arn": shaped, "InputTransformer": transformer},
        ],
    )
    assert put["FailedEntryCount"] == 0

    def entry(detail: str, **more: str) -> dict[str, str]:
        return {"Source": "shop", "DetailType": "order", "Detail": detail, **more}

    answer = events.put_events(
        Entries=[
            entry('{"id": "a7", "total": 11}', EventBusName="shop"),
            entry('{"id": "b8", "total": 9}', EventBusName=bus),
            entry('{"id": "c9", "total": 99}'),
            entry("no JSON", EventBusName="shop"),
            entry("{}", Source="aws.ec2"),
            {"Source": "shop", "Detail": "{}"},
        ]
    )
    codes = [each.get("ErrorCode") for each in answer["Entries"]]
    assert codes == [
        *(None, None, None, "MalformedDetail", "NotAuthorizedForSourceException"),
        "InvalidArgument",
    ]
    assert answer["FailedEntryCount"] == 3
    got = wait_for(lambda: received(platform, "rule-plain"), "the event")
    (event,) = got
    assert event["id"] == answer["Entries"][0]["EventId"]
    assert (event["version"], event["detail-type"], event["source"]) == ("0", "order", "shop")
    assert event["detail"] == {"id": "a7", "total": 11}
    assert wait_for(lambda: received(platform, "rule-shaped"), "the template") == [
        {"text": "order a7", "rule": "large", "detail": {"id": "a7", "total": 11}}
    ]
    assert events.list_rule_names_by_target(TargetArn=plain, EventBusName="shop")["RuleNames"] == [
        "large"
    ]
    with pytest.raises(ClientError, match="since it has targets"):
        events.delete_rule(Name="large", EventBusName="shop")
    removed = events.remove_targets(
        Rule="large", EventBusName="shop", Ids=["plain", "shaped", "none"]
    )
    assert removed["FailedEntryCount"] == 1
    events.delete_rule(Name="large", EventBusName="shop")
    events.delete_event_bus(Name="shop")


def test_a_rule_sends_events_to_another_bus(platform: Platform) -> None:
    """The event stays as it is, and goes to no third bus: buses that send to each other end."""
    client, events = platform.client("lambda"), platform.client("events")
    function = deploy(client, "second-bus", {"app.py": PRINTS})["FunctionArn"]
    buses = [events.create_event_bus(Name=f"chain-{n}")["EventBusArn"] for n in range(2)]
    for here, there in (buses, reversed(buses)):
        events.put_rule(Name="all", EventBusName=here, EventPattern='{"source": ["chained"]}')
        targets = [{"Id": "f", "Arn": function}, {"Id": "bus", "Arn": there}]
        events.put_targets(Rule="all", EventBusName=here, Targets=targets)
    entry = {"Source": "chained", "DetailType": "d", "Detail": "{}", "EventBusName": buses[0]}
    answer = events.put_events(Entries=[entry])
    got = wait_for(
        lambda: len(found := received(platform, "second-bus")) >= 2 and found, "both buses"
    )
    events.put_events(Entries=[{**entry, "DetailType": "last"}])
    wait_for(lambda: len(received(platform, "second-bus")) >= 4, "both buses")
    got = received(platform, "second-bus")
    assert len(got) == 4
    first = [event for event in got if event["detail-type"] == "d"]
    assert first[0] == first[1]
    assert first[0]["id"] == answer["Entries"][0]["EventId"]
    with pytest.raises(ClientError, match="for an event bus cannot be changed"):
        events.put_targets(
            Rule="all", EventBusName=buses[0], Targets=[{"Id": "x", "Arn": buses[1], "Input": "{}"}]
        )


def test_a_schedule_puts_an_event_on_a_bus_and_a_rule_logs_it(platform: Platform) -> None:
    """The event is a line of the log group, or what a template makes of it."""
    events, logs = platform.client("events"), platform.client("logs")
    group = "/aws/events/lines"
    logs.create_log_group(logGroupName=group)
    log_arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}"
    bus = events.create_event_bus(Name="lines")["EventBusArn"]
    events.put_rule(Name="lines", EventBusName=bus, EventPattern='{"source": ["clock"]}')
    transformer = {
        "InputPathsMap": {"at": "$.detail.at"},
        "InputTemplate": '{"timestamp": 1700000000000, "message": "at <at>"}',
    }
    targets = [
        {"Id": "whole", "Arn": log_arn},
        {"Id": "part", "Arn": f"{log_arn}:*", "InputTransformer": transformer},
    ]
    events.put_targets(Rule="lines", EventBusName=bus, Targets=targets)
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1)
    platform.client("scheduler").create_schedule(
        Name="puts",
        ScheduleExpression=f"at({moment:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": bus,
            "RoleArn": ROLE,
            "EventBridgeParameters": {"Source": "clock", "DetailType": "tick"},
            "Input": '{"at": "<aws.scheduler.scheduled-time>"}',
        },
    )

    def lines() -> Any:
        found = logs.filter_log_events(logGroupName=group)["events"]
        return len(found) >= 2 and found

    part, whole = sorted(wait_for(lines, "the lines"), key=lambda line: line["timestamp"])
    at = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    assert (part["timestamp"], part["message"].strip()) == (1_700_000_000_000, f"at {at}")
    event = json.loads(whole["message"])
    assert (event["source"], event["detail-type"], event["detail"]) == ("clock", "tick", {"at": at})


def test_a_rule_sends_to_no_address_of_the_host(platform: Platform) -> None:
    """An API destination reaches what `[egress]` allows. Its connection shows no secret."""
    events = platform.client("events")
    made = events.create_connection(
        Name="inside",
        AuthorizationType="BASIC",
        AuthParameters={"BasicAuthParameters": {"Username": "u", "Password": "never-shown"}},
    )
    shown = events.describe_connection(Name="inside")
    assert shown["AuthParameters"] == {"BasicAuthParameters": {"Username": "u"}}
    assert "never-shown" not in str(shown) + str(events.list_connections())
    destination = events.create_api_destination(
        Name="inside",
        ConnectionArn=made["ConnectionArn"],
        InvocationEndpoint=platform.endpoint,
        HttpMethod="POST",
    )["ApiDestinationArn"]
    events.put_rule(Name="inside", EventPattern='{"source": ["inside"]}')
    target = {"Id": "1", "Arn": destination, "RetryPolicy": {"MaximumRetryAttempts": 0}}
    with pytest.raises(ClientError, match="RoleArn is required"):
        events.put_targets(Rule="inside", Targets=[target])
    events.put_targets(Rule="inside", Targets=[{**target, "RoleArn": ROLE}])
    entry = {"Source": "inside", "DetailType": "d", "Detail": "{}"}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    now = datetime.datetime.now(datetime.UTC)

    def failures() -> Any:
        found = platform.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Events",
            MetricName="FailedInvocations",
            Dimensions=[{"Name": "RuleName", "Value": "inside"}],
            Period=3600,
            Statistics=["Sum"],
            StartTime=now - datetime.timedelta(hours=2),
            EndTime=now + datetime.timedelta(hours=2),
        )["Datapoints"]
        return [point["Sum"] for point in found]

    assert wait_for(failures, "the refusal") == [1.0]
    events.remove_targets(Rule="inside", Ids=["1"])
    events.delete_rule(Name="inside")
    events.delete_api_destination(Name="inside")
    events.delete_connection(Name="inside")


def test_a_schedule_calls_a_function_once(platform: Platform) -> None:
    """`at(…)` runs at its second, with the placeholders of its input, and is gone afterwards."""
    client, scheduler = platform.client("lambda"), platform.client("scheduler")
    function = deploy(client, "scheduled", {"app.py": PRINTS})["FunctionArn"]
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=2)
    arn = scheduler.create_schedule(
        Name="once",
        ScheduleExpression=f"at({moment:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={
            "Arn": function,
            "RoleArn": ROLE,
            "Input": json.dumps(
                {"at": "<aws.scheduler.scheduled-time>", "of": "<aws.scheduler.schedule-arn>"}
            ),
        },
    )["ScheduleArn"]
    assert arn.endswith(":schedule/default/once")
    expected = {"at": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "of": arn}
    assert wait_for(lambda: received(platform, "scheduled"), "the tick") == [expected]
    assert scheduler.list_schedules(NamePrefix="once")["Schedules"] == []


def test_a_schedule_performs_an_operation(platform: Platform) -> None:
    """Universal targets: an operation of the platform, and Invoke, which is asynchronous."""
    deploy(platform.client("lambda"), "universal", {"app.py": PRINTS})
    scheduler, logs = platform.client("scheduler"), platform.client("logs")
    invocation = {"FunctionName": "universal", "Payload": '{"by": "universal"}'}
    for action, given in (
        ("cloudwatchlogs:createLogGroup", {"logGroupName": "/made/by/schedule"}),
        ("lambda:invoke", invocation),
    ):
        scheduler.create_schedule(
            Name=action.replace(":", "-"),
            ScheduleExpression="rate(1 hour)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": f"arn:aws:scheduler:::aws-sdk:{action}",
                "RoleArn": ROLE,
                "Input": json.dumps(given),
            },
        )
    assert wait_for(lambda: received(platform, "universal"), "the call") == [{"by": "universal"}]
    prefix = {"logGroupNamePrefix": "/made/by"}
    wait_for(lambda: logs.describe_log_groups(**prefix)["logGroups"], "the log group")


def test_a_rate_without_a_start_begins_at_once(platform: Platform) -> None:
    """A schedule of EventBridge Scheduler does; a rule begins after its first period."""
    client, scheduler = platform.client("lambda"), platform.client("scheduler")
    function = deploy(client, "rated", {"app.py": PRINTS})["FunctionArn"]
    scheduler.create_schedule_group(Name="often")
    scheduler.create_schedule(
        Name="rated",
        GroupName="often",
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": function, "RoleArn": ROLE},
    )
    (event,) = wait_for(lambda: received(platform, "rated"), "the first tick")
    assert event["detail-type"] == "Scheduled Event"
    assert event["source"] == "aws.scheduler"
    scheduler.delete_schedule_group(Name="often")
    with pytest.raises(scheduler.exceptions.ResourceNotFoundException):
        scheduler.get_schedule(Name="rated", GroupName="often")


def test_a_stack_has_rules_and_schedules(platform: Platform) -> None:
    """A rule, a bus with a policy, a group and a schedule: made and deleted."""
    arn = deploy(platform.client("lambda"), "stacked", {"app.py": PRINTS})["FunctionArn"]
    client = platform.client("cloudformation")
    policy = {"StatementId": "s", "Action": "events:PutEvents", "Principal": "222222222222"}
    resources = {
        "Rule": (
            "AWS::Events::Rule",
            {"ScheduleExpression": "rate(1 hour)", "Targets": [{"Id": "a", "Arn": arn}]},
        ),
        "Bus": ("AWS::Events::EventBus", {"Name": "stacked"}),
        "Connection": (
            "AWS::Events::Connection",
            {
                "AuthorizationType": "API_KEY",
                "AuthParameters": {
                    "ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "hidden"}
                },
            },
        ),
        "Destination": (
            "AWS::Events::ApiDestination",
            {
                "ConnectionArn": {"Fn::GetAtt": ["Connection", "Arn"]},
                "InvocationEndpoint": "https://example.com/in",
                "HttpMethod": "POST",
            },
        ),
        "Policy": ("AWS::Events::EventBusPolicy", {"EventBusName": {"Ref": "Bus"}, **policy}),
        "Group": ("AWS::Scheduler::ScheduleGroup", {"Name": "stacked"}),
        "Schedule": (
            "AWS::Scheduler::Schedule",
            {
                "GroupName": {"Ref": "Group"},
                "ScheduleExpression": "rate(1 hour)",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {"Arn": arn, "RoleArn": ROLE},
            },
        ),
    }
    template = {
        "Resources": {
            name: {"Type": kind, "Properties": properties}
            for name, (kind, properties) in resources.items()
        }
    }
    stack = client.create_stack(StackName="events", TemplateBody=json.dumps(template))["StackId"]

    def ended() -> str:
        (found,) = client.describe_stacks(StackName=stack)["Stacks"]
        status = str(found["StackStatus"])
        return "" if status.endswith("IN_PROGRESS") else status

    assert wait_for(ended, "the stack is made") == "CREATE_COMPLETE"
    assert wait_for(lambda: received(platform, "stacked"), "the first tick")
    client.delete_stack(StackName=stack)
    deleted = wait_for(lambda: ended().startswith("DELETE") and ended(), "the stack is deleted")
    assert deleted == "DELETE_COMPLETE"
    assert platform.client("events").list_event_buses(NamePrefix="stacked")["EventBuses"] == []


@pytest.mark.parametrize(
    ("call", "code", "message"),
    [
        (
            lambda events, _: events.put_rule(Name="r", EventPattern='{"a": []}'),
            "InvalidEventPatternException",
            "Event pattern is not valid. Reason: Empty arrays are not allowed\n"
            ' at [Source: (String)"{"a": []}"; line: 1, column: 9]',
        ),
        (
            lambda events, _: events.put_rule(Name="r", ScheduleExpression="rate(1 minutes)"),
            "ValidationException",
            "Parameter ScheduleExpression is not valid.",
        ),
        (
            lambda events, _: events.put_rule(Name="r"),
            "ValidationException",
            "Parameter(s) EventPattern or ScheduleExpression must be specified.",
        ),
        (
            lambda events, _: events.describe_rule(Name="none"),
            "ResourceNotFoundException",
            "Rule none does not exist on EventBus default.",
        ),
        (
            lambda events, _: events.list_rules(EventBusName="none"),
            "ResourceNotFoundException",
            "Event bus none does not exist.",
        ),
        (
            lambda _, scheduler: scheduler.create_schedule(
                Name="s",
                ScheduleExpression="cron(* * * * * *)",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target={"Arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "RoleArn": ROLE},
            ),
            "ValidationException",
            "Invalid Schedule Expression cron(* * * * * *).",
        ),
        (
            lambda _, scheduler: scheduler.create_schedule(
                Name="s",
                ScheduleExpression="rate(5 minutes)",
                ScheduleExpressionTimezone="../../etc",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target={"Arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "RoleArn": ROLE},
            ),
            "ValidationException",
            "Invalid ScheduleExpressionTimezone ../../etc.",
        ),
        (
            lambda _, scheduler: scheduler.create_schedule(
                Name="s",
                ScheduleExpression="rate(5 minutes)",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target={"Arn": "arn:aws:scheduler:::aws-sdk:s3:listBuckets", "RoleArn": ROLE},
            ),
            "ValidationException",
            "arn:aws:scheduler:::aws-sdk:s3:listBuckets is a read-only operation, which cannot be a"
            " target.",
        ),
        (
            lambda _, scheduler: scheduler.create_schedule(
                Name="s",
                ScheduleExpression="rate(5 minutes)",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target={"Arn": "arn:aws:scheduler:::aws-sdk:rds:stopDBCluster", "RoleArn": ROLE},
            ),
            "ValidationException",
            "rds is not a supported service for a target.",
        ),
        (
            lambda events, _: events.put_targets(
                Rule="r",
                Targets=[{"Id": "1", "Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage"}],
            ),
            "ValidationException",
            "Parameter arn:aws:scheduler:::aws-sdk:sqs:sendMessage is not valid. Reason: It can be"
            " the target of a schedule only.",
        ),
    ],
)
def test_what_is_wrong_is_refused(
    platform: Platform, call: Callable[[Any, Any], Any], code: str, message: str
) -> None:
    with pytest.raises(ClientError) as refused:
        call(platform.client("events"), platform.client("scheduler"))
    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == (code, message)
