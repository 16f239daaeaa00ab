"""The policy of a function decides which resource of which service may call it: a table of the
callers that run in the platform or beside it, and of what policies say."""

import json
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from lambent.identity.authorizer import Authorizer
from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.errors import ApiError
from lambent.model.names import parse_function_name
from lambent.model.policy import ResourcePolicy, statements_of
from lambent.model.resources import LogGroupKey
from lambent.triggers.apis.calls import ApiCall, FunctionCalls
from lambent.triggers.deliveries import LocalServiceCalls
from lambent.triggers.log_subscriptions import LogSubscriptions
from tests.authorizers import relaxed, strict

pytestmark = pytest.mark.anyio
ACCOUNT, OTHER = "111111111111", "222222222222"
PLACE = f"us-east-1:{ACCOUNT}"
API = f"arn:aws:execute-api:{PLACE}:abcdef"
OWN = f"arn:aws:lambda:{PLACE}:function:f"
OF_OTHER = OWN.replace(ACCOUNT, OTHER)
Call = Callable[[Authorizer, str], Awaitable[bool]]
"""Has a caller call a function, by its ARN; returns whether it was allowed to."""
nothing: Any = None


async def _lines_of_a_log(authorizer: Authorizer, arn: str) -> bool:
    checks = LogSubscriptions(nothing, nothing, nothing, authorizer, ManualClock())
    try:
        await checks.check(LogGroupKey(Scope(AccountId(ACCOUNT), Region("us-east-1")), "/app"), arn)
    except ApiError:
        return False
    return True


def _emulated(service: str, source: str, kind: str) -> Call:
    """A call that comes from the emulator."""

    async def call(authorizer: Authorizer, arn: str) -> bool:
        kept: list[bytes] = []
        statuses: list[int] = []

        async def keep(_reference: object, body: bytes, _trace_id: str) -> None:
            kept.append(body)

        async def resolve(*_: object) -> None:
            return None

        async def invoke(_call: object) -> Any:
            kept.append(b"{}")
            raise ApiError("Called", "The call has arrived.")

        headers = {
            "authorization": "Bearer t",
            "x-function": arn,
            "x-invocation-type": kind,
            "x-source": service,
            "x-source-arn": source,
            "x-source-account": ACCOUNT,
        }
        exchange: Any = SimpleNamespace(
            headers=headers,
            path="/",
            body=json.dumps({}).encode(),
            respond=lambda status, *_: statuses.append(status),
        )
        invoker: Any = SimpleNamespace(resolve=resolve, call=invoke)
        queue: Any = SimpleNamespace(keep=keep)
        async with anyio.create_task_group() as tasks:
            calls = LocalServiceCalls(invoker, queue, nothing, authorizer, nothing, tasks, "t")
            calls.handle(exchange)
        assert len(statuses) == 1
        return bool(kept)

    return call


async def _request_to_an_api(authorizer: Authorizer, arn: str) -> bool:
    calls = FunctionCalls(nothing, authorizer, nothing, nothing)
    scope = Scope(AccountId(ACCOUNT), Region("us-east-1"))
    call = ApiCall(scope, parse_function_name(arn, scope), f"{API}/*/GET/pets", b"{}", "id", "")
    try:
        await calls.check(call)
    except ApiError:
        return False
    return True


CALLERS: list[tuple[str, str, Call]] = [
    ("logs.amazonaws.com", f"arn:aws:logs:{PLACE}:log-group:/app:*", _lines_of_a_log),
    ("apigateway.amazonaws.com", f"{API}/*/GET/pets", _request_to_an_api),
    *(
        (service, source, _emulated(service, source, kind))
        for service, source, kind in (
            ("s3.amazonaws.com", "arn:aws:s3:::pictures", "Event"),
            ("sns.amazonaws.com", f"arn:aws:sns:{PLACE}:news", "Event"),
            (
                "secretsmanager.amazonaws.com",
                f"arn:aws:secretsmanager:{PLACE}:secret:db-aaaaaa",
                "RequestResponse",
            ),
        )
    ),
]


def allowing(service: str, **condition: Mapping[str, str]) -> ResourcePolicy:
    """A policy with one statement for a service."""
    statement = {
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Principal": {"Service": service},
        "Resource": "*",
        "Condition": condition,
    }
    return ResourcePolicy(statements=statements_of([{"Statement": [statement]}]))


@pytest.mark.parametrize(("service", "source", "call"), CALLERS, ids=[row[0] for row in CALLERS])
async def test_the_policy_of_the_function_decides(service: str, source: str, call: Call) -> None:
    """On a strict platform, and on each for a function of another account."""
    for policy, is_allowed in (
        (ResourcePolicy(), False),
        (allowing(service), True),
        (allowing("events.amazonaws.com"), False),
        (allowing(service, ArnLike={"AWS:SourceArn": source}), True),
        (allowing(service, ArnLike={"AWS:SourceArn": f"{source}x"}), False),
        (allowing(service, StringEquals={"AWS:SourceAccount": ACCOUNT}), True),
        (allowing(service, StringEquals={"AWS:SourceAccount": OTHER}), False),
    ):

        async def load(_: str, policy: ResourcePolicy = policy) -> ResourcePolicy:
            return policy

        assert await call(strict(load=load), OWN) == is_allowed
        assert await call(relaxed(load), OF_OTHER) == is_allowed
        assert await call(relaxed(load), OWN)


@pytest.mark.parametrize("service", ["s3", "s3-object-lambda", "events"])
async def test_a_caller_without_a_name_calls_nothing(service: str) -> None:
    """On a strict platform: S3 Object Lambda of the emulator does not say for whom it calls."""

    async def load(_: str) -> ResourcePolicy:
        return allowing(f"{service}.amazonaws.com")

    call = _emulated("", "", "RequestResponse")
    assert not await call(strict(load=load), OWN)
    assert await call(relaxed(load), OWN)
