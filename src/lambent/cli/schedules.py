"""`lambent schedule` and `lambent schedules`: schedules of EventBridge Scheduler, one for each
function, named as the function; and a list with the rules of EventBridge that have a schedule."""

from collections.abc import Iterator
from typing import Any

import botocore.exceptions

from lambent.cli.client import open_client


def put(
    endpoint: str,
    function: str,
    expression: str,
    *,
    timezone: str,
    event: str | None,
    role: str | None,
) -> dict[str, Any]:
    """Create the schedule of a function, or replace it. Returns its name and expression."""
    with open_client("lambda", endpoint) as functions:
        configuration = functions.get_function_configuration(FunctionName=function)
    target = {"Arn": configuration["FunctionArn"], "RoleArn": role or configuration["Role"]}
    if event is not None:
        target["Input"] = event
    members = {
        "Name": configuration["FunctionName"],
        "ScheduleExpression": expression,
        "ScheduleExpressionTimezone": timezone,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
    }
    with open_client("scheduler", endpoint) as scheduler:
        try:
            scheduler.create_schedule(**members)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "ConflictException":
                raise
            scheduler.update_schedule(**members)
    return {"name": members["Name"], "schedule": expression, "timezone": timezone}


def end(endpoint: str, function: str) -> dict[str, Any]:
    """Delete the schedule of a function; returns its name."""
    name = function.partition(":function:")[2] or function
    with open_client("scheduler", endpoint) as scheduler:
        scheduler.delete_schedule(Name=name)
    return {"name": name, "deleted": True}


def find_all(endpoint: str) -> list[dict[str, Any]]:
    """All schedules, and all rules that have one."""
    with open_client("scheduler", endpoint) as scheduler:
        found = list(_schedules(scheduler))
    with open_client("events", endpoint) as events:
        return [*found, *_rules(events)]


def _schedules(scheduler: Any) -> Iterator[dict[str, Any]]:
    for page in scheduler.get_paginator("list_schedules").paginate():
        for each in page["Schedules"]:
            whole = scheduler.get_schedule(Name=each["Name"], GroupName=each["GroupName"])
            group = "" if each["GroupName"] == "default" else f"{each['GroupName']}/"
            yield {
                "name": f"{group}{each['Name']}",
                "kind": "schedule",
                "schedule": whole["ScheduleExpression"],
                "timezone": whole.get("ScheduleExpressionTimezone", "UTC"),
                "state": whole["State"],
                "target": _short(each["Target"]["Arn"]),
            }


def _rules(events: Any) -> Iterator[dict[str, Any]]:
    for page in events.get_paginator("list_rules").paginate():
        for rule in page["Rules"]:
            if "ScheduleExpression" not in rule:
                continue
            targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            yield {
                "name": rule["Name"],
                "kind": "rule",
                "schedule": rule["ScheduleExpression"],
                "timezone": "UTC",
                "state": rule["State"],
                "target": ", ".join(_short(target["Arn"]) for target in targets),
            }


def _short(arn: str) -> str:
    """A function's name; the ARN of something else."""
    return arn.partition(":function:")[2] or arn
