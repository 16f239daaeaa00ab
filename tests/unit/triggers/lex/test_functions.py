"""Calls of code hooks: deadlines, policies, and the words of failures."""

from typing import Any

import anyio
import pytest

from lambent.control.lex.ports import HookFailed, HookTimedOut
from lambent.invocation.call import Call, CallResult
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.errors import ApiError, FunctionNotFound
from lambent.model.invocation import (
    FunctionFailed,
    InvocationKind,
    Outcome,
    Refusal,
    Refused,
    Succeeded,
)
from lambent.model.policy import ResourcePolicy, statements_of
from lambent.triggers.lex.functions import HookFunctions
from tests.authorizers import relaxed, strict

pytestmark = pytest.mark.anyio
HERE = Scope(AccountId("111111111111"), Region("us-east-1"))
ARN = "arn:aws:lambda:us-east-1:111111111111:function:f"
ALIAS = "arn:aws:lex:us-east-1:111111111111:bot-alias/BOT0000001/ALIAS00001"


class Invoker:
    """Ends calls as the test says; None stands for a function that does not end."""

    def __init__(self, outcome: Outcome | None) -> None:
        self._outcome = outcome
        self.calls: list[Call] = []

    async def call(self, call: Call) -> CallResult:
        self.calls.append(call)
        if self._outcome is None:
            await anyio.sleep_forever()
            raise AssertionError
        return CallResult(call.request_id, self._outcome, None)


async def run(
    invoker: Any, authorizer: Any = None, function: str = ARN, alias: str = ALIAS
) -> bytes:
    functions = HookFunctions(invoker, authorizer or relaxed(), deadline_s=0.01)
    return await functions(HERE, alias, function, b"{}")


async def test_the_version_that_is_named() -> None:
    invoker = Invoker(Succeeded(b"7"))
    assert await run(invoker, function=f"{ARN}:live") == b"7"
    (call,) = invoker.calls
    assert (call.qualifier, call.kind) == ("live", InvocationKind.SERVICE)


@pytest.mark.parametrize(
    ("outcome", "kind", "words"),
    [
        (None, HookTimedOut, "did not respond within 0.01 seconds"),
        (FunctionFailed(b"{}", "Unhandled"), HookFailed, "error response from Lambda: Unhandled"),
        (Refused.of(FunctionNotFound("none")), HookFailed, "cannot be called: ResourceNotFound"),
        (
            Refused(ApiError("TooManyRequestsException", "no", status=429), Refusal.THROTTLED),
            HookFailed,
            "cannot be called: TooManyRequestsException",
        ),
    ],
)
async def test_failures(outcome: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        await run(Invoker(outcome))


async def test_events_have_a_limit() -> None:
    invoker = Invoker(Succeeded(b"7"))
    functions = HookFunctions(invoker, relaxed())  # type: ignore[arg-type]
    with pytest.raises(HookFailed, match="too large"):
        await functions(HERE, ALIAS, ARN, b" " * (7 << 20))
    assert not invoker.calls


async def test_the_policy_of_the_function_decides() -> None:
    """It names the alias, or who owns the bot; other aliases are refused."""
    statement = {
        **{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": ARN},
        "Principal": {"Service": "lexv2.amazonaws.com"},
        "Condition": {
            "ArnLike": {"aws:SourceArn": ALIAS},
            "StringEquals": {"aws:SourceAccount": "111111111111"},
        },
    }

    async def load(_: str) -> ResourcePolicy:
        return ResourcePolicy(statements=statements_of([{"Statement": [statement]}]))

    invoker = Invoker(Succeeded(b"7"))
    assert await run(invoker, strict(load=load)) == b"7"
    with pytest.raises(HookFailed, match="Access denied while invoking lambda function"):
        await run(invoker, strict(load=load), alias=f"{ALIAS[:-1]}2")
    assert len(invoker.calls) == 1
