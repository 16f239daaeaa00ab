"""Targets of rules and schedules: which there are, and what one gets of an event."""

import dataclasses
import datetime
import json
import uuid
from collections.abc import Collection, Mapping
from typing import Any

from lambent.model.arn import Arn, Scope
from lambent.model.events.delivery import AGE_S_MAX, ATTEMPTS_MAX, EventDelivery
from lambent.model.events.inputs import Rule, input_for, values_in

EVENTS = "events.amazonaws.com"
SCHEDULER = "scheduler.amazonaws.com"
TARGET_ARN_MAX = 256
"""Characters. The ARNs of what can be a target here are shorter."""
BUS, API_DESTINATION, LOG_GROUP = "event-bus", "api-destination", "log-group"
UNIVERSAL = "aws-sdk"
"""An operation of any service, as target of a schedule."""
ACTIONS: Mapping[str, str] = {
    "lambda": "lambda:InvokeFunction",
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "states": "states:StartExecution",
    "kinesis": "kinesis:PutRecord",
    "firehose": "firehose:PutRecord",
    BUS: "events:PutEvents",
    API_DESTINATION: "events:InvokeApiDestination",
    LOG_GROUP: "logs:PutLogEvents",
}
"""By kind of target: the permission that sending an event there takes."""
_PARAMETERS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "sqs": ("SqsParameters", {"MessageGroupId": "MessageGroupId"}),
    "kinesis": (
        "KinesisParameters",
        {"PartitionKey": "PartitionKey", "PartitionKeyPath": "PartitionKeyPath"},
    ),
    BUS: ("EventBridgeParameters", {"DetailType": "DetailType", "Source": "Source"}),
    API_DESTINATION: (
        "HttpParameters",
        {
            "PathParameterValues": "PathParameterValues",
            "HeaderParameters": "HeaderParameters",
            "QueryStringParameters": "QueryStringParameters",
        },
    ),
}
"""By kind: the member of a target with its parameters, and what each is in the delivery."""
_KINDS_OF_RESOURCES: Mapping[str, Mapping[str, str]] = {
    "lambda": {"function:": "lambda"},
    "events": {"event-bus/": BUS, "api-destination/": API_DESTINATION},
    "logs": {"log-group:": LOG_GROUP},
    "kinesis": {"stream/": "kinesis"},
    "firehose": {"deliverystream/": "firehose"},
    "states": {"stateMachine:": "states"},
    "scheduler": {"aws-sdk:": UNIVERSAL},
}
_MALFORMED = "Provided Arn is not in correct format."


def kind_of(arn: Arn) -> str | None:
    """The kind of a target; None if there are no such targets here."""
    of_service = _KINDS_OF_RESOURCES.get(arn.service)
    if of_service is None:
        return arn.service if arn.service in ACTIONS else None
    for prefix, kind in of_service.items():
        if arn.resource.startswith(prefix) and len(arn.resource) > len(prefix):
            return kind
    return None


def parameters_of(kind: str) -> Collection[str]:
    """The member of a target with the parameters of its kind; none if it has none."""
    return [_PARAMETERS[kind][0]] if kind in _PARAMETERS else []


def target_error(arn_text: str) -> str | None:
    """Why something cannot be a target; None if it can."""
    arn = Arn.try_parse(arn_text)
    if arn is None:
        return _MALFORMED
    if len(arn_text) <= TARGET_ARN_MAX and kind_of(arn) is not None:
        return None
    if arn.service in _KINDS_OF_RESOURCES and len(arn_text) <= TARGET_ARN_MAX:
        return _MALFORMED
    return (
        "Lambent sends events to functions, event buses, API destinations, log groups, SQS queues,"
        " SNS topics, Kinesis and Firehose streams and state machines, not to"
        f" {arn_text[:TARGET_ARN_MAX]}."
    )


def resource_of(target: str, source: str) -> str:
    """What permission to send to a target is about. `source` is the ARN or the name of the rule: a
    log group has a stream for each."""
    if kind_of(Arn.parse(target)) != LOG_GROUP:
        return target
    return f"{target.removesuffix(':*')}:log-stream:{source.rpartition('/')[2]}"


def event_text(
    scope: Scope,
    *,
    source: str,
    detail_type: str,
    detail: str,
    resources: list[str],
    at: float,
    event_id: str,
) -> str:
    """An event of EventBridge as JSON. `detail` is a JSON text."""
    envelope = {
        "version": "0",
        "id": event_id,
        "detail-type": detail_type,
        "source": source,
        "account": scope.account,
        "time": iso_time(at),
        "region": scope.region,
        "resources": resources,
    }
    head = json.dumps(envelope, ensure_ascii=False, separators=(",", ":"))
    return f'{head[:-1]},"detail":{detail}}}'


def iso_time(epoch_s: float) -> str:
    """`2026-01-31T09:30:00Z`."""
    return f"{datetime.datetime.fromtimestamp(epoch_s, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


def delivery_to(
    target: Mapping[str, Any], event: str, rule: Rule, scope: Scope, now: float, trace_id: str = ""
) -> EventDelivery:
    """An event that a rule sends to one of its targets."""
    delivery = _delivery(
        *(target, input_for(target, event, rule), rule.arn, scope, EVENTS, now, trace_id)
    )
    if not target.get("HttpParameters"):
        return delivery
    return dataclasses.replace(delivery, parameters=values_in(delivery.parameters, event))


def scheduled_delivery(
    target: Mapping[str, Any], arn: str, scope: Scope, scheduled_at: float, now: float
) -> EventDelivery:
    """What EventBridge Scheduler sends to the target of a schedule."""
    given = target.get("Input")
    execution = str(uuid.uuid4())
    if given is None:
        text = event_text(
            scope,
            source="aws.scheduler",
            detail_type="Scheduled Event",
            detail='"{}"',
            resources=[arn],
            at=scheduled_at,
            event_id=execution,
        )
    else:
        text = given
        for name, value in (
            ("schedule-arn", arn),
            ("scheduled-time", iso_time(scheduled_at)),
            ("execution-id", execution),
            ("attempt-number", "1"),
        ):
            text = text.replace(f"<aws.scheduler.{name}>", value)
    return _delivery(target, text, arn, scope, SCHEDULER, now, "")


def _delivery(
    target: Mapping[str, Any],
    body: str,
    source_arn: str,
    scope: Scope,
    service: str,
    now: float,
    trace_id: str,
) -> EventDelivery:
    policy = target.get("RetryPolicy") or {}
    return EventDelivery(
        target=target["Arn"],
        service=service,
        source_arn=source_arn,
        scope=scope,
        role=target.get("RoleArn", ""),
        body=body.encode(errors="replace"),
        parameters=_parameters(target),
        dead_letter=(target.get("DeadLetterConfig") or {}).get("Arn", ""),
        trace_id=trace_id,
        created_at=now,
        due_at=now,
        attempts_max=policy.get("MaximumRetryAttempts", ATTEMPTS_MAX),
        age_s_max=policy.get("MaximumEventAgeInSeconds", AGE_S_MAX),
    )


def _parameters(target: Mapping[str, Any]) -> Mapping[str, Any]:
    member, names = _PARAMETERS.get(kind_of(Arn.parse(target["Arn"])) or "", ("", {}))
    given = target.get(member) or {}
    return {names[name]: value for name, value in given.items() if name in names}
