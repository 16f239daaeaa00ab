"""Events and schedules of a strict platform: policies of functions, roles and their trust."""

import datetime
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platforms import ACCOUNT, deploy, wait_for

from .test_identity import Strict, strict

__all__ = ["strict"]

PRINTS = "def handler(event, context):\n    print('GOT ' + event['detail-type'])\n"
PLACE = f"us-east-1:{ACCOUNT}"
ENTRY = {"Source": "shop", "Detail": "{}"}


def role(strict: Strict, name: str, service: str, *statements: Any, **condition: Any) -> str:
    """A role that a service can assume on a condition."""
    iam = strict.client("iam")
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        "Condition": condition,
    }
    made = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    return str(made["Role"]["Arn"])


def failures(strict: Strict, namespace: str, metric: str, **dimension: str) -> list[float]:
    now = datetime.datetime.now(datetime.UTC)
    found = strict.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimension.items()],
        Period=3600,
        Statistics=["Sum"],
        StartTime=now - datetime.timedelta(hours=2),
        EndTime=now + datetime.timedelta(hours=2),
    )["Datapoints"]
    return [point["Sum"] for point in found]


def got(strict: Strict, name: str) -> list[str]:
    try:
        found = strict.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")
    except ClientError:  # The function has not been called yet.
        return []
    lines = [event["message"] for event in found["events"]]
    return [line.removeprefix("GOT ").strip() for line in lines if line.startswith("GOT ")]


def test_a_function_is_called_for_the_rule_that_its_policy_names(strict: Strict) -> None:
    """And for a rule whose role may call it; another rule's events are refused."""
    client, events = strict.client("lambda"), strict.client("events")
    arn = deploy(client, "named-rule", {"app.py": PRINTS})["FunctionArn"]
    client.add_permission(
        FunctionName="named-rule",
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=f"arn:aws:events:{PLACE}:rule/allowed",
    )
    calls = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn}
    about = {"StringEquals": {"aws:SourceArn": f"arn:aws:events:{PLACE}:rule/with-role"}}
    acting = role(strict, "calls", "events.amazonaws.com", calls, **about)
    for name, target in (
        ("refused", {}),
        ("other-role", {"RoleArn": acting}),
        ("allowed", {}),
        ("with-role", {"RoleArn": acting}),
    ):
        pattern = {"detail-type": [name]}
        events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn, **target}])
        events.put_events(Entries=[{**ENTRY, "DetailType": name}])
    wait_for(lambda: len(got(strict, "named-rule")) >= 2, "the events")
    for name in ("refused", "other-role"):

        def failed(name: str = name) -> list[float]:
            return failures(strict, "AWS/Events", "FailedInvocations", RuleName=name)

        assert wait_for(failed, "the refusal") == [1.0]
    assert sorted(got(strict, "named-rule")) == ["allowed", "with-role"]


def test_a_role_trusts_one_group_of_schedules(strict: Strict) -> None:
    """The confused deputy: a schedule of another group cannot act with the role, even if a
    caller passed it."""
    client, scheduler = strict.client("lambda"), strict.client("scheduler")
    arn = deploy(client, "one-group", {"app.py": PRINTS})["FunctionArn"]
    calls = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn}
    trusted = f"arn:aws:scheduler:{PLACE}:schedule-group/trusted"
    about = {"StringEquals": {"aws:SourceArn": trusted, "aws:SourceAccount": ACCOUNT}}
    acting = role(strict, "of-one-group", "scheduler.amazonaws.com", calls, **about)
    for group in ("other", "trusted"):
        scheduler.create_schedule_group(Name=group)
        scheduler.create_schedule(
            Name="s",
            GroupName=group,
            ScheduleExpression="rate(1 hour)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": arn, "RoleArn": acting, "Input": json.dumps({"detail-type": group})},
        )
    wait_for(lambda: got(strict, "one-group"), "the first tick")

    def dropped() -> list[float]:
        return failures(strict, "AWS/Scheduler", "InvocationDroppedCount", ScheduleGroup="other")

    assert wait_for(dropped, "the refusal") == [1.0]
    assert got(strict, "one-group") == ["trusted"]


def test_what_a_user_may_configure(strict: Strict) -> None:
    """A role is passed to the service that acts with it; events are put by source and type; no user
    sends through a rule what they may not send themselves."""
    arn = deploy(strict.client("lambda"), "of-a-user", {"app.py": PRINTS})["FunctionArn"]
    calls = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn}
    acting = role(strict, "passed", "scheduler.amazonaws.com", calls)

    def allow(action: str, **condition: Any) -> dict[str, Any]:
        more = {"Condition": condition} if condition else {}
        return {"Effect": "Allow", "Action": action, "Resource": "*", **more}

    keys = strict.user(
        "of-events",
        allow("scheduler:*"),
        allow("events:PutRule"),
        allow("events:PutTargets"),
        allow("iam:PassRole", StringEquals={"iam:PassedToService": "events.amazonaws.com"}),
        allow(
            "events:PutEvents",
            StringEquals={"events:source": "shop"},
            StringLike={"events:detail-type": "order*"},
        ),
    )
    events, scheduler = strict.client("events", **keys), strict.client("scheduler", **keys)

    def refused(call: Any, **params: Any) -> str:
        with pytest.raises(ClientError) as error:
            call(**params)
        assert error.value.response["Error"]["Code"] == "AccessDeniedException"
        return str(error.value.response["Error"]["Message"])

    assert "iam:PassRole" in refused(
        scheduler.create_schedule,
        Name="s",
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn, "RoleArn": acting},
    )
    assert events.put_events(Entries=[{**ENTRY, "DetailType": "order-1"}])["FailedEntryCount"] == 0
    for entry in ({"DetailType": "invoice"}, {"DetailType": "order", "Source": "bank"}):
        assert "events:PutEvents" in refused(events.put_events, Entries=[{**ENTRY, **entry}])
    assert "events:PutEvents" in refused(
        events.put_events,
        Entries=[{**ENTRY, "DetailType": "order"}, {**ENTRY, "DetailType": "invoice"}],
    )
    strict.client("events").create_event_bus(Name="guarded")
    events.put_rule(Name="mine", EventPattern='{"source": ["shop"]}')
    for target, action in (
        (f"arn:aws:events:{PLACE}:event-bus/guarded", "events:PutEvents"),
        (f"arn:aws:sqs:{PLACE}:q", "sqs:SendMessage"),
        (f"arn:aws:logs:{PLACE}:log-group:/g", "logs:PutLogEvents"),
    ):
        targets = [{"Id": "1", "Arn": target}]
        assert action in refused(events.put_targets, Rule="mine", Targets=targets)
    assert "events:TagResource" in refused(
        events.put_rule,
        Name="tagged",
        EventPattern='{"source": ["shop"]}',
        Tags=[{"Key": "a", "Value": "b"}],
    )
    assert "events:PutPermission" in refused(
        events.put_permission, Action="events:PutEvents", Principal="*", StatementId="all"
    )
