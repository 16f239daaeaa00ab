"""Handing an event over: who may, what each kind of target gets, what is retried."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambent.asynchronous.event_targets import EventTargets
from lambent.aws.client import AwsUnreachable
from lambent.identity.authorizer import Authorizer
from lambent.identity.service_roles import ServiceRoles
from lambent.model.arn import Scope
from lambent.model.errors import FunctionNotFound
from lambent.model.events.delivery import EventDelivery, NotHandedOver
from lambent.model.events.targets import EVENTS, TARGET_ARN_MAX, target_error
from lambent.model.policy import ResourcePolicy, statements_of
from tests.authorizers import relaxed, strict
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
