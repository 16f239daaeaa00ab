"""Handing an event over: who may, what each kind of target gets, what is retried."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambent.asynchronous.event_targets import EventTargets
from lambent.aws.client import AwsUnreachable
from lambent.identity.authorizer import Authorizer
from lambent.identity.service_roles import ServiceRoles
from lambent.kit.clock import SystemClock
from lambent.model.arn import Scope
from lambent.model.errors import FunctionNotFound
from lambent.model.events.delivery import EventDelivery, Next, NotHandedOver
from lambent.model.events.targets import BUS, EVENTS, SCHEDULER, TARGET_ARN_MAX, target_error
from lambent.model.identity import Identity, IdentityKey
from lambent.model.policy import ResourcePolicy, statements_of
from tests.authorizers import HOME, Policies, relaxed, strict
from tests.factories import function_version

ACCOUNT, OTHER = "1" * 12, "2" * 12
SCOPE = Scope(ACCOUNT, "us-east-1")
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
RULE = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/r"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"


def delivery(target: str = FUNCTION, body: bytes = b"{}", **more: Any) -> EventDelivery:
    return EventDelivery(
        id=7,
        target=target,
        service=EVENTS,
        source_arn=RULE,
        scope=SCOPE,
        body=body,
        created_at=0.0,
        due_at=0.0,
        **more,
    )


class Invoker:
    """Knows every function but `gone`."""

    async def resolve(self, key: Any, _qualifier: str | None) -> Any:
        if key.name == "gone":
            raise FunctionNotFound("Function not found")
        return function_version(key)


class Aws:
    """Records requests, or refuses them."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self._refusal = refusal

    async def call(self, service: str, operation: str, params: Any, **_: Any) -> Any:
        if self._refusal is not None:
            raise self._refusal
        self.calls.append((f"{service}.{operation}", params))
        return {"QueueUrl": "http://queues/q"}


def targets(authorizer: Authorizer | None = None, aws: Aws | None = None) -> EventTargets:
    found = authorizer or relaxed()
    parts: Any = (aws or Aws(), Invoker(), found)
    keyring: Any = found._keyring
    return EventTargets(*parts, ServiceRoles(keyring, are_checked=found.is_strict))


def granting(**condition: Any) -> Authorizer:
    """A strict platform whose functions let EventBridge call them."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": EVENTS},
        "Action": "lambda:InvokeFunction",
        "Resource": "*",
        "Condition": condition,
    }

    async def load(_: str) -> ResourcePolicy:
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        return ResourcePolicy(statements_of([policy]))

    return strict(load=load)


@pytest.mark.anyio
async def test_a_function_gets_the_event() -> None:
    following = await targets().hand_over(
        delivery(f"{FUNCTION}:live", b'{"a": 1}', trace_id="t"), 5.0
    )
    (event,) = following.events
    assert (event.key.name, event.qualifier, event.payload) == ("f", "live", b'{"a": 1}')
    assert (event.trace_id, event.accepted_at) == ("t", 5.0)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("target", "body", "code"),
    [
        (f"{FUNCTION[:-1]}gone", b"{}", "NO_RESOURCE"),
        (FUNCTION, b"no JSON", "SDK_CLIENT_ERROR"),
        (FUNCTION, b'"' + b"x" * 2_000_000 + b'"', "SDK_CLIENT_ERROR"),
        (f"arn:aws:lambda:us-east-1:{OTHER}:function:f", b"{}", "NO_PERMISSIONS"),
        (f"arn:aws:sqs:us-east-1:{OTHER}:q", b"{}", "NO_PERMISSIONS"),
    ],
)
async def test_what_never_succeeds_is_permanent(target: str, body: bytes, code: str) -> None:
    with pytest.raises(NotHandedOver) as refused:
        await targets().hand_over(delivery(target, body), 5.0)
    assert (refused.value.code, refused.value.is_permanent) == (code, True)


@pytest.mark.anyio
async def test_a_strict_platform_asks_the_functions_policy() -> None:
    """With the rule as source."""
    right = granting(ArnLike={"aws:SourceArn": RULE}, StringEquals={"aws:SourceAccount": ACCOUNT})
    assert (await targets(right).hand_over(delivery(), 5.0)).events
    for wrong in (granting(ArnLike={"aws:SourceArn": f"{RULE}x"}), strict()):
        with pytest.raises(NotHandedOver) as refused:
            await targets(wrong).hand_over(delivery(), 5.0)
        assert refused.value.code == "NO_PERMISSIONS"


@pytest.mark.anyio
async def test_other_targets_get_one_request() -> None:
    aws = Aws()
    handing = targets(aws=aws)
    await handing.hand_over(delivery(QUEUE, parameters={"MessageGroupId": "g"}), 5.0)
    await handing.hand_over(delivery(QUEUE, attributes={"ERROR_CODE": "X"}), 5.0)
    await handing.hand_over(delivery(f"arn:aws:sns:us-east-1:{ACCOUNT}:t", b'"plain"'), 5.0)
    stream = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s"
    keys = [{}, {"PartitionKeyPath": "$.a"}, {"PartitionKeyPath": "$.b"}, {"PartitionKey": "k"}]
    for parameters in keys:
        await handing.hand_over(delivery(stream, b'{"a": 5}', parameters=parameters), 5.0)
    delivery_stream = f"arn:aws:firehose:us-east-1:{ACCOUNT}:deliverystream/d"
    await handing.hand_over(delivery(delivery_stream), 5.0)
    machine = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:m"
    await handing.hand_over(delivery(machine), 5.0)
    await handing.hand_over(delivery(machine), 5.0)
    sent = [call for call in aws.calls if call[0] != "sqs.GetQueueUrl"]
    assert [name for name, _ in sent] == [
        *("sqs.SendMessage", "sqs.SendMessage", "sns.Publish"),
        *["kinesis.PutRecord"] * 4,
        "firehose.PutRecord",
        *("stepfunctions.StartExecution", "stepfunctions.StartExecution"),
    ]
    assert sent[0][1]["MessageGroupId"] == "g"
    assert sent[1][1]["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "X"
    assert sent[2][1]["Message"] == "plain"
    assert [params["PartitionKey"] for _, params in sent[3:7]] == ["7", "5", "7", "k"]
    assert sent[7][1] == {"DeliveryStreamName": "d", "Record": {"Data": b"{}"}}
    assert sent[-2] == sent[-1]  # The same name: two attempts start one execution.


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "service_code", "code", "is_permanent"),
    [
        (403, "AccessDenied", "NO_PERMISSIONS", True),
        (400, "AWS.SimpleQueueService.NonExistentQueue", "SDK_CLIENT_ERROR", True),
        (400, "ThrottlingException", "SDK_CLIENT_ERROR", False),
        (503, "ServiceUnavailable", "SDK_CLIENT_ERROR", False),
    ],
)
async def test_refusals_of_services(
    status: int, service_code: str, code: str, is_permanent: bool
) -> None:
    response: Any = {
        "Error": {"Code": service_code, "Message": "m"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    aws = Aws(ClientError(response, "SendMessage"))
    with pytest.raises(NotHandedOver) as refused:
        await targets(aws=aws).hand_over(delivery(QUEUE), 5.0)
    assert (refused.value.code, refused.value.is_permanent) == (code, is_permanent)


@pytest.mark.anyio
async def test_a_service_that_is_away_is_asked_again() -> None:
    aws = Aws(AwsUnreachable("sqs: no connection"))
    with pytest.raises(NotHandedOver) as refused:
        await targets(aws=aws).hand_over(delivery(QUEUE), 5.0)
    assert not refused.value.is_permanent


def test_what_can_be_no_target() -> None:
    for arn in (
        *("", "f", "arn:aws:lambda:us-east-1:111111111111:layer:l:1", QUEUE + "x" * TARGET_ARN_MAX),
        "arn:aws:ecs:us-east-1:111111111111:cluster/c",
        "arn:aws:events:us-east-1:111111111111:event-bus/",
        "arn:aws:events:us-east-1:111111111111:rule/r",
        "arn:aws:logs:us-east-1:111111111111:destination:d",
    ):
        assert target_error(arn) is not None, json.dumps(arn)
    assert target_error(FUNCTION) is None


class Roles(Policies):
    """A keyring that has one role, which a service may assume on a condition."""

    def __init__(self, statements: Any, condition: Any) -> None:
        super().__init__(statements, {})
        trust = {"Effect": "Allow", "Principal": {"Service": [EVENTS, SCHEDULER]}}
        trust |= {"Action": "sts:AssumeRole", "Condition": condition}
        self._role = Identity(
            key=IdentityKey(ACCOUNT, "role", "r"),  # type: ignore[arg-type]
            id="AROA1",
            created_ms=0,
            trust={"Version": "2012-10-17", "Statement": [trust]},
        )

    def role(self, arn: str) -> Identity | None:
        return self._role if arn == self._role.arn else None


ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
THEIR_BUS = f"arn:aws:events:us-east-1:{OTHER}:event-bus/theirs"
ANY = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def acting(policy: Any = None, condition: Any = None, statement: Any = ANY) -> EventTargets:
    """A strict platform with a role; `policy` is that of every resource."""

    async def load(_: str) -> ResourcePolicy:
        document = {"Version": "2012-10-17", "Statement": [policy] if policy else []}
        return ResourcePolicy(statements_of([document]))

    keyring: Any = Roles([statement], condition or {})
    authorizer = Authorizer(keyring, load, SystemClock(), home=HOME, is_strict=True)
    found = targets(authorizer)

    async def take(_delivery: EventDelivery, _now: float) -> Next:
        return Next()

    found.register(BUS, take)
    return found


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("condition", "reaches"),
    [
        ({}, True),
        ({"StringEquals": {"events:source": "shop", "events:detail-type": "order"}}, True),
        ({"StringEquals": {"events:source": "bank"}}, False),
        ({"StringEquals": {"events:detail-type": "invoice"}}, False),
        ({"Bool": {"events:eventBusInvocation": "true"}}, True),
        ({"Bool": {"events:eventBusInvocation": "false"}}, False),
        ({"ArnEquals": {"aws:SourceArn": RULE}}, True),
        ({"ArnEquals": {"aws:SourceArn": f"{RULE}2"}}, False),
        ({"StringEquals": {"aws:SourceAccount": OTHER}}, False),
    ],
)
async def test_a_bus_of_another_account_needs_its_policy(condition: Any, reaches: bool) -> None:
    """And a role: the policy of the bus decides by the event."""
    event = json.dumps({"source": "shop", "detail-type": "order", "detail": {}}).encode()
    policy = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "events:PutEvents",
        "Resource": THEIR_BUS,
        "Condition": condition,
    }
    sent = delivery(THEIR_BUS, event, role=ROLE)
    if reaches:
        await acting(policy).hand_over(sent, 5.0)
    else:
        with pytest.raises(NotHandedOver, match="NO_PERMISSIONS"):
            await acting(policy).hand_over(sent, 5.0)
    nothing = {**ANY, "Action": "sqs:*"}
    for refusing, without in (
        (acting(policy), delivery(THEIR_BUS, event)),  # No role.
        (acting(None), sent),  # No policy of the bus.
        (acting(policy, statement=nothing), sent),  # The role may not.
    ):
        with pytest.raises(NotHandedOver, match="NO_PERMISSIONS"):
            await refusing.hand_over(without, 5.0)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("source", "wanted", "is_trusted"),
    [
        (RULE, RULE, True),
        (RULE, f"{RULE}2", False),
        (
            f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule/g/s",
            f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule-group/g",
            True,
        ),
        (
            f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule/h/s",
            f"arn:aws:scheduler:us-east-1:{ACCOUNT}:schedule-group/g",
            False,
        ),
    ],
)
async def test_a_role_trusts_a_source(source: str, wanted: str, is_trusted: bool) -> None:
    """A rule, or a group of schedules, as in AWS."""
    condition = {"ArnEquals": {"aws:SourceArn": wanted}}
    service = SCHEDULER if "scheduler" in source else EVENTS
    handing = acting(condition=condition)
    sent = dataclasses.replace(delivery(role=ROLE), source_arn=source, service=service)
    if is_trusted:
        assert (await handing.hand_over(sent, 5.0)).events
    else:
        with pytest.raises(NotHandedOver, match="cannot assume the role"):
            await handing.hand_over(sent, 5.0)


def test_an_exception_and_a_delivery_show_no_body() -> None:
    shown = repr(delivery(body=b"private", parameters={"HeaderParameters": {"A": "private"}}))
    assert "private" not in shown
