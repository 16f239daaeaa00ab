"""Alarms as boto3 sees them: they evaluate metrics, call functions, and send events."""

import datetime
import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platforms import ACCOUNT, Platform, deploy, wait_for

FUNCTION = """
import json
def handler(event, context):
    print("EVENT", json.dumps(event))
"""


@pytest.fixture(scope="module")
def cloudwatch(platform: Platform) -> Any:
    return platform.client("cloudwatch")


def put_values(client: Any, namespace: str, value: float) -> None:
    """A value in each of the last complete minutes."""
    now = datetime.datetime.now(datetime.UTC)
    client.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": "Errors",
                "Value": value,
                "Timestamp": now - datetime.timedelta(minutes=minute),
            }
            for minute in (1, 2, 3)
        ],
    )


def alarm_on(namespace: str, **more: Any) -> dict[str, Any]:
    return {
        "AlarmName": namespace,
        "Namespace": namespace,
        "MetricName": "Errors",
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 2,
        "Threshold": 3.0,
        "ComparisonOperator": "GreaterThanThreshold",
        **more,
    }


def state_of(client: Any, name: str) -> str:
    (alarm,) = client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(alarm["StateValue"])


def events_of(platform: Platform, name: str) -> list[dict[str, Any]]:
    try:
        found = platform.logs.filter_log_events(
            logGroupName=f"/aws/lambda/{name}", filterPattern="EVENT"
        )["events"]
    except ClientError:  # It has not been called yet.
        return []
    return [json.loads(event["message"].split(" ", 1)[1]) for event in found]


def test_an_alarm_calls_a_function_and_a_rule_sees_it(platform: Platform, cloudwatch: Any) -> None:
    """Within seconds of its creation, since the values are there; both get AWS's forms."""
    lambdas, events = platform.client("lambda"), platform.client("events")
    namespace = f"Alarm{uuid.uuid4().hex[:8]}"
    called = deploy(lambdas, f"{namespace}-called", {"app.py": FUNCTION})["FunctionArn"]
    seen = deploy(lambdas, f"{namespace}-seen", {"app.py": FUNCTION})["FunctionArn"]
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [namespace]}}
    events.put_rule(Name=namespace, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=namespace, Targets=[{"Id": "1", "Arn": seen}])
    put_values(cloudwatch, namespace, 7.0)
    cloudwatch.put_metric_alarm(
        **alarm_on(namespace, AlarmActions=[called], AlarmDescription="errors")
    )
    wait_for(lambda: state_of(cloudwatch, namespace) == "ALARM", "the alarm", 30)
    wait_for(lambda: events_of(platform, f"{namespace}-called"), "the call of the function", 30)
    (event,) = events_of(platform, f"{namespace}-called")
    arn = f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:{namespace}"
    assert (event["source"], event["alarmArn"]) == ("aws.cloudwatch", arn)
    assert event["alarmData"]["state"]["value"] == "ALARM"
    assert event["alarmData"]["previousState"]["value"] == "INSUFFICIENT_DATA"
    assert event["alarmData"]["configuration"]["description"] == "errors"
    wait_for(lambda: events_of(platform, f"{namespace}-seen"), "the event of the bus", 30)
    (of_bus,) = events_of(platform, f"{namespace}-seen")
    assert of_bus["detail-type"] == "CloudWatch Alarm State Change"
    assert of_bus["resources"] == [arn]
    assert of_bus["detail"]["state"] == event["alarmData"]["state"]
    cloudwatch.delete_alarms(AlarmNames=[namespace])
    events.remove_targets(Rule=namespace, Ids=["1"])
    events.delete_rule(Name=namespace)


def test_the_operations_on_alarms(cloudwatch: Any) -> None:
    """Describe by name, prefix, state and metric; history, tags, states and actions; delete."""
    namespace = f"Alarm{uuid.uuid4().hex[:8]}"
    names = [f"{namespace}-{number}" for number in range(3)]
    for name in names:
        tags = [{"Key": "a", "Value": "b"}]
        cloudwatch.put_metric_alarm(**alarm_on(namespace, AlarmName=name, Tags=tags))
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=namespace, PaginationConfig={"PageSize": 2}
    )
    shown = [alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"]]
    assert shown == names
    of_metric = cloudwatch.describe_alarms_for_metric(Namespace=namespace, MetricName="Errors")
    assert [alarm["AlarmName"] for alarm in of_metric["MetricAlarms"]] == names
    cloudwatch.set_alarm_state(AlarmName=names[0], StateValue="ALARM", StateReason="a test")
    found = cloudwatch.describe_alarms(AlarmNamePrefix=namespace, StateValue="ALARM")
    assert [alarm["StateReason"] for alarm in found["MetricAlarms"]] == ["a test"]
    cloudwatch.disable_alarm_actions(AlarmNames=names[:1])
    assert not cloudwatch.describe_alarms(AlarmNames=names[:1])["MetricAlarms"][0]["ActionsEnabled"]
    cloudwatch.enable_alarm_actions(AlarmNames=names[:1])
    history = cloudwatch.describe_alarm_history(AlarmName=names[0])["AlarmHistoryItems"]
    assert [item["HistoryItemType"] for item in history] == ["StateUpdate", "ConfigurationUpdate"]
    arn = found["MetricAlarms"][0]["AlarmArn"]
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "c", "Value": "d"}])
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [
        {"Key": "c", "Value": "d"}
    ]
    rule = f"ALARM({names[0]}) OR OK({names[1]})"
    cloudwatch.put_composite_alarm(AlarmName=f"{namespace}-any", AlarmRule=rule)

    def composite() -> str:
        types = ["CompositeAlarm"]
        found = cloudwatch.describe_alarms(AlarmNamePrefix=namespace, AlarmTypes=types)
        return str(found["CompositeAlarms"][0]["StateValue"])

    wait_for(lambda: composite() != "INSUFFICIENT_DATA", "the composite alarm", 30)
    children = cloudwatch.describe_alarms(ChildrenOfAlarmName=f"{namespace}-any")
    assert [alarm["AlarmName"] for alarm in children["MetricAlarms"]] == names[:2]
    cloudwatch.delete_alarms(AlarmNames=[*names, f"{namespace}-any"])
    assert cloudwatch.describe_alarms(AlarmNamePrefix=namespace)["MetricAlarms"] == []


def test_alarms_of_others_are_not_there(platform: Platform, cloudwatch: Any) -> None:
    """Each account has its own; what does not exist cannot be changed."""
    name = f"Alarm{uuid.uuid4().hex[:8]}"
    cloudwatch.put_metric_alarm(**alarm_on(name))
    other = platform.client("cloudwatch", aws_access_key_id="222222222222")
    assert other.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []
    for call, parameters in (
        (other.delete_alarms, {"AlarmNames": [name]}),
        (
            other.set_alarm_state,
            {"AlarmName": name, "StateValue": "OK", "StateReason": "x"},
        ),
    ):
        with pytest.raises(ClientError) as refused:
            call(**parameters)
        assert refused.value.response["Error"]["Code"] == "ResourceNotFound"
    with pytest.raises(ClientError):
        cloudwatch.put_metric_alarm(**alarm_on(name, Period=10))
    with pytest.raises(ClientError):
        cloudwatch.put_composite_alarm(AlarmName=name + "c", AlarmRule="(" * 5000)
    cloudwatch.delete_alarms(AlarmNames=[name])
