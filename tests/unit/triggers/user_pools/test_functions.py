"""Calls of the functions of user pools: attempts, deadlines, and what is made of outcomes."""

import json
from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from lambent.control.cognito.pool import Pool
from lambent.control.cognito.ports import FunctionRaised, FunctionUnusable
from lambent.invocation.call import Call, CallResult
from lambent.model.arn import AccountId, Region
from lambent.model.document import Root
from lambent.model.errors import ApiError
from lambent.model.invocation import (
    FunctionFailed,
    InvocationKind,
    Outcome,
    Refusal,
    Refused,
    Succeeded,
    TimedOut,
)
from lambent.model.policy import ResourcePolicy, statements_of
from lambent.triggers.user_pools.functions import PoolFunctions
from tests.authorizers import relaxed, strict

pytestmark = pytest.mark.anyio
POOL = Pool(Root("cognito-idp", AccountId("111111111111"), Region("us-east-1"), "us-east-1_p"), {})
ARN = "arn:aws:lambda:us-east-1:111111111111:function:f"
THROTTLED = Refused(ApiError("TooManyRequestsException", "no", status=429), Refusal.THROTTLED)
BROKEN = Refused(ApiError("ServiceException", "no", status=500), Refusal.FAILED)


class Invoker:
    """Ends calls as the test says; None stands for a function that does not end."""

    def __init__(self, *outcomes: Outcome | None) -> None:
        self._outcomes = list(outcomes)
        self.calls: list[Call] = []

    async def call(self, call: Call) -> CallResult:
        self.calls.append(call)
        outcome = self._outcomes.pop(0)
        if outcome is None:
            await anyio.sleep_forever()
            raise AssertionError
        return CallResult(call.request_id, outcome, None)


async def run(invoker: Any, arn: str = ARN, authorizer: Any = None) -> bytes:
    functions = PoolFunctions(invoker, None, authorizer or relaxed(), deadline_s=0.01)  # type: ignore[arg-type]
    return await functions(POOL, arn, b"{}")


async def test_an_attempt_that_can_be_repeated_is() -> None:
    """A throttle and a function that does not end; its result counts then."""
    invoker = Invoker(THROTTLED, None, Succeeded(b"7"))
    assert await run(invoker, f"{ARN}:live") == b"7"
    assert [call.qualifier for call in invoker.calls] == ["live"] * 3
    assert invoker.calls[0].kind is InvocationKind.SERVICE


@pytest.mark.parametrize(
    ("outcomes", "message", "count"),
    [
        ([None] * 4, "Socket timeout while invoking Lambda function", 3),
        ([THROTTLED] * 4, "TooManyRequestsException", 3),
        ([BROKEN] * 4, "ServiceException", 1),
    ],
)
async def test_three_attempts_are_enough(outcomes: list[Any], message: str, count: int) -> None:
    invoker = Invoker(*outcomes)
    with pytest.raises(FunctionUnusable, match=message):
        await run(invoker)
    assert len(invoker.calls) == count


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b'{"errorMessage": "no users", "errorType": "E"}', "no users"),
        (b'{"errorMessage": 7}', "Sandbox.Timedout"),
        (b"[" * 50_000, "Sandbox.Timedout"),
        (b"\xff", "Sandbox.Timedout"),
        (b'{"errorMessage": "' + b"x" * 70_000 + b'"}', "Sandbox.Timedout"),
        (b'{"errorMessage": "' + b"x" * 60_000 + b'"}', "x" * 4096),
    ],
)
async def test_what_a_function_raises(payload: bytes, message: str) -> None:
    """Its message, of a length that fits; never more than one attempt."""
    for outcome in (TimedOut(payload), FunctionFailed(payload, "Sandbox.Timedout")):
        invoker = Invoker(outcome, outcome)
        with pytest.raises(FunctionRaised) as raised:
            await run(invoker)
        assert str(raised.value) == message
        assert len(invoker.calls) == 1


@pytest.mark.parametrize(
    "arn", ["", "f" * 200, "arn:aws:lambda:eu-west-1:111111111111:function:f", "arn:aws:sqs:::q"]
)
async def test_a_function_that_cannot_be(arn: str) -> None:
    invoker = Invoker()
    with pytest.raises(FunctionUnusable):
        await run(invoker, arn)
    assert invoker.calls == []


def policy(**condition: Mapping[str, str]) -> ResourcePolicy:
    statement = {
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Principal": {"Service": "cognito-idp.amazonaws.com"},
        "Resource": "*",
        "Condition": condition,
    }
    return ResourcePolicy(statements=statements_of([{"Statement": [statement]}]))


@pytest.mark.parametrize(
    ("loaded", "is_allowed"),
    [
        (policy(), True),
        (policy(ArnLike={"AWS:SourceArn": POOL.arn}), True),
        (policy(StringEquals={"AWS:SourceAccount": "111111111111"}), True),
        (policy(ArnLike={"AWS:SourceArn": POOL.arn + "x"}), False),
        (policy(StringEquals={"AWS:SourceAccount": "222222222222"}), False),
        (ResourcePolicy(), False),
    ],
)
async def test_the_policy_of_the_function_decides(loaded: ResourcePolicy, is_allowed: bool) -> None:
    """On a strict platform, and on each for a function of another account."""

    async def load(_: str) -> ResourcePolicy:
        return loaded

    other = ARN.replace("111111111111", "333333333333")
    for arn, authorizer in ((ARN, strict(load=load)), (other, relaxed(load))):
        invoker = Invoker(Succeeded(json.dumps(1).encode()))
        if is_allowed:
            assert await run(invoker, arn, authorizer) == b"1"
            continue
        with pytest.raises(FunctionUnusable, match="AccessDeniedException"):
            await run(invoker, arn, authorizer)
        assert invoker.calls == []
