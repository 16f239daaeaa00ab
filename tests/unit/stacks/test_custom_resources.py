"""Custom resources and wait conditions: requests, responses, and what strangers send."""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import anyio
import pytest

from lambent.identity.authorizer import Caller
from lambent.kit.clock import ManualClock
from lambent.model.document import Root
from lambent.model.errors import ApiError
from lambent.model.principal import root_of
from lambent.stacks.custom_resources import CustomResourceType, Responses, Taken
from lambent.stacks.resources.resource_type import Made, Step, Unfinished
from lambent.stacks.update_policies import check_update_policy
from lambent.stacks.wait_conditions import (
    WaitConditionHandleType,
    WaitConditionType,
    check_creation_policy,
    read_signal,
)
from lambent.store.store import Store

from .engine.cloud import SCOPE
from .test_sources import CALLER

pytestmark = pytest.mark.anyio

FUNCTION = f"arn:aws:lambda:{SCOPE.region}:{SCOPE.account}:function:f"
STACK = f"arn:aws:cloudformation:{SCOPE.region}:{SCOPE.account}:stack/app/"
TOO_LONG = b"too long"
"""Stands for a body that the way in has refused."""
Answer = Callable[[Mapping[str, Any]], Any]


def link(_: str, key: str) -> str:
    return f"https://host/{quote(key, safe='')}?x=y"


class Rig:
    """A type whose function answers at once; None for no answer."""

    def __init__(self, store: Store, answer: Answer, stack: str) -> None:
        self.clock = ManualClock()
        self.responses = Responses(store, self.clock)
        self.sent: list[Mapping[str, Any]] = []
        self.taken: list[Taken] = []
        self._answer = answer
        self.type = CustomResourceType("Custom::X", self, self, self.responses, link)
        self.step = Step(
            caller=CALLER,
            stack_id=STACK + stack,
            stack_name="app",
            logical_id="Thing",
            name="app-Thing-ABCDEFGHIJKL",
            token="t",
            tags={},
            operation="o",
        )

    async def call(self, *_: Any) -> Mapping[str, Any]:
        raise AssertionError("no service is called")

    async def send(self, function_arn: str, event: bytes, caller: Caller) -> None:
        assert (function_arn, caller.principal) == (FUNCTION, root_of(SCOPE.account))
        request = json.loads(event)
        self.sent.append(request)
        answer = self._answer(request)
        if answer is not None:
            key = unquote(urlsplit(request["ResponseURL"]).path)[1:]
            document = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            if answer is TOO_LONG:
                document = None
            self.taken.append(await self.responses.respond(key, document))

    async def pass_time(self) -> None:
        while True:
            await anyio.sleep(0.001)
            self.clock.advance(1)


def good(request: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    named = {name: request[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    return {**named, "Status": "SUCCESS", "PhysicalResourceId": "p", "Data": {"A": 1}, **more}


async def test_a_request_has_texts_and_the_response_is_the_resource(store: Store) -> None:
    rig = Rig(store, good, "one")
    properties = {"ServiceToken": FUNCTION, "Number": 1, "Flag": True, "List": [{"X": 1.5}]}
    assert await rig.type.create(rig.step, properties) == Made("p", {"A": 1})
    (request,) = rig.sent
    assert request["RequestType"] == "Create"
    assert request["ResourceProperties"] == {
        "ServiceToken": FUNCTION,
        "Number": "1",
        "Flag": "true",
        "List": [{"X": "1.5"}],
    }
    assert "PhysicalResourceId" not in request


async def test_a_repeated_step_sends_nothing_again(store: Store) -> None:
    """An update in the same operation is another request."""
    rig = Rig(store, good, "two")
    properties = {"ServiceToken": FUNCTION}
    made = await rig.type.create(rig.step, properties)
    assert await rig.type.create(rig.step, properties) == made
    assert await rig.type.find(rig.step, properties) == Made("p", {})
    await rig.type.update(rig.step, made, properties, {**properties, "B": 1})
    await rig.type.update(rig.step, made, {**properties, "B": 1}, properties)
    await rig.type.delete(rig.step, made, properties)
    sent = [request["RequestType"] for request in rig.sent]
    assert sent == ["Create", "Update", "Update", "Delete"]
    key = unquote(urlsplit(rig.sent[0]["ResponseURL"]).path)[1:]
    assert await rig.responses.respond(key, b"{}") is Taken.USED


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda _: b"no JSON", "it is no JSON object"),
        (lambda _: b"[" * 4000, "it is no JSON object"),
        (lambda _: b"\xff\xfe", "it is no JSON object"),
        (lambda _: b"{}" * 2, "it is no JSON object"),
        (lambda r: good(r, PhysicalResourceId="\ud800"), "it is no JSON object"),
        (lambda r: good(r, Data={"A": ["\udfff"]}), "it is no JSON object"),
        (lambda r: good(r, Data={"A": math.nan}), "it is no JSON object"),
        (lambda r: good(r, Data={"A": math.inf}), "it is no JSON object"),
        (lambda r: good(r, Data={"A": 1}).__repr__().encode(), "it is no JSON object"),
        (lambda _: TOO_LONG, "Response object is too long"),
        (lambda r: good(r, LogicalResourceId="Other"), "Invalid LogicalResourceId"),
        (lambda r: good(r, StackId=[r["StackId"]]), "Invalid StackId"),
        (lambda r: good(r, Status=["SUCCESS"]), "Message returned: See the logs"),
        (lambda r: good(r, PhysicalResourceId={"a": 1}), "Invalid PhysicalResourceId"),
        (lambda _: {}, "Vendor response doesn't contain Status key"),
        (lambda r: good(r, StackId="other"), "Invalid StackId"),
        (lambda r: good(r, RequestId="other"), "Invalid RequestId"),
        (lambda r: good(r, PhysicalResourceId=None), "Invalid PhysicalResourceId"),
        (lambda r: good(r, PhysicalResourceId="x" * 2000), "Invalid PhysicalResourceId"),
        (lambda r: good(r, Data=[1]), "Invalid Data"),
        (lambda r: good(r, Status="FAILED", Reason="No luck."), "Message returned: No luck."),
    ],
)
async def test_responses_that_fail_the_resource(
    store: Store, answer: Answer, message: str, request: pytest.FixtureRequest
) -> None:
    """A creation that was asked for may have made something: it is to be deleted."""
    rig = Rig(store, answer, request.node.callspec.id)
    with pytest.raises(Unfinished, match=message) as raised:
        await rig.type.create(rig.step, {"ServiceToken": FUNCTION})
    assert raised.value.made.physical_id in ("p", "app-Thing-ABCDEFGHIJKL")


async def test_a_response_that_does_not_come(store: Store) -> None:
    rig = Rig(store, lambda _: None, "late")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rig.pass_time)
        with pytest.raises(ApiError, match="did not receive a response"):
            await rig.type.create(rig.step, {"ServiceToken": FUNCTION, "ServiceTimeout": "30"})
        tasks.cancel_scope.cancel()


async def test_the_first_of_two_responses_counts(store: Store) -> None:
    """Also if the second one says something else."""
    rig = Rig(store, good, "second")
    made = await rig.type.create(rig.step, {"ServiceToken": FUNCTION})
    key = unquote(urlsplit(rig.sent[0]["ResponseURL"]).path)[1:]
    failed = json.dumps(good(rig.sent[0], Status="FAILED", PhysicalResourceId="q")).encode()
    assert await rig.responses.respond(key, failed) is Taken.USED
    assert await rig.type.create(rig.step, {"ServiceToken": FUNCTION}) == made


@pytest.mark.parametrize(
    "properties",
    [{}, {"ServiceToken": 1}, {"ServiceToken": FUNCTION, "ServiceTimeout": 0}],
)
async def test_properties_that_are_refused(store: Store, properties: dict[str, Any]) -> None:
    with pytest.raises(ApiError):
        Rig(store, good, "x").type.check(properties)


@pytest.mark.parametrize("key", ["", "x", "|", f"{STACK}none|A|id", f"{STACK}none|A|", "a:b:c|d|e"])
async def test_responses_that_nothing_waits_for(store: Store, key: str) -> None:
    rig = Rig(store, good, "x")
    assert await rig.responses.respond(key, b"{}") is Taken.UNKNOWN
    assert await rig.responses.respond(key, None) is Taken.UNKNOWN


async def test_a_wait_condition_counts_signals(store: Store) -> None:
    """Each UniqueId once; what is no signal does not count."""
    rig = Rig(store, good, "waits")
    handle = await WaitConditionHandleType(rig.responses, link).create(rig.step, {})
    key = unquote(urlsplit(handle.physical_id).path)[1:]
    for body in (b"junk", b'{"Status": "SUCCESS", "UniqueId": "1", "Data": "a"}'):
        assert await rig.responses.respond(key, body) is Taken.TAKEN
    condition = WaitConditionType(rig.responses)
    properties = {"Handle": handle.physical_id, "Timeout": "20", "Count": 2}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rig.pass_time)
        with pytest.raises(ApiError, match="WaitCondition timed out"):
            await condition.create(rig.step, properties)
        tasks.cancel_scope.cancel()
    await rig.responses.respond(key, b'{"Status": "SUCCESS", "UniqueId": "2", "Data": "b"}')
    made = await condition.create(rig.step, properties)
    assert json.loads(made.attributes["Data"]) == {"1": "a", "2": "b"}
    await rig.responses.respond(key, b'{"Status": "FAILURE", "UniqueId": "3", "Reason": "no"}')
    with pytest.raises(ApiError, match="failed message: 'no'"):
        await condition.create(rig.step, properties)


def policy(**signal: Any) -> dict[str, Any]:
    return {"ResourceSignal": signal}


async def test_a_wait_condition_with_a_creation_policy(store: Store) -> None:
    """It receives signals itself, each UniqueId once. A failure ends it, and so does time."""
    rig = Rig(store, good, "signals")
    condition = WaitConditionType(rig.responses)
    step = dataclasses.replace(rig.step, creation_policy=policy(Count=2, Timeout="PT1M"))
    root = Root("cloudformation", *SCOPE, "signals")

    async def send(id: str, status: str) -> None:
        signal = json.dumps({"UniqueId": id, "Status": status})
        await rig.responses.open(root, step.token, signals_max=100)
        assert await rig.responses.take(root, step.token, signal) is Taken.TAKEN

    await send("1", "SUCCESS")
    await send("1", "SUCCESS")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(rig.pass_time)
        with pytest.raises(ApiError, match=r"Failed to receive 2 resource signal\(s\) within"):
            await condition.create(step, {})
        tasks.cancel_scope.cancel()
    await send("2", "SUCCESS")
    assert (await condition.create(step, {})).physical_id == step.name
    await send("3", "FAILURE")
    with pytest.raises(ApiError, match="Received FAILURE signal with UniqueId 3"):
        await condition.create(step, {})
    with pytest.raises(ApiError, match="needs a Handle and a Timeout, or a CreationPolicy"):
        await condition.create(rig.step, {})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({}, (1, 300)),
        (policy(Count="3", Timeout="PT1H2M3S"), (3, 3723)),
        (policy(Timeout="PT12H"), (1, 43_200)),
    ],
)
def test_creation_policies(written: dict[str, Any], meant: tuple[int, int]) -> None:
    assert read_signal(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        *(policy(Timeout=text) for text in ("PT", "PT0S", "PT13H", "P1D", "15", "PT1M\n", [], "")),
        *(policy(Count=count) for count in (0, 101, -1, "x", True, 10**20, {})),
        *("x", [], {"Other": {}}, {"ResourceSignal": 1}, policy(Other=1)),
    ],
)
def test_creation_policies_that_are_refused(written: Any) -> None:
    with pytest.raises(ApiError):
        check_creation_policy("A", WaitConditionType.name, written)


def test_only_wait_conditions_have_creation_policies() -> None:
    with pytest.raises(ApiError, match="CreationPolicy is not supported for AWS::SQS::Queue"):
        check_creation_policy("A", "AWS::SQS::Queue", {})


ALIAS = "AWS::Lambda::Alias"
GROUP = {"ApplicationName": "a", "DeploymentGroupName": "g"}


def test_an_alias_may_have_an_update_policy() -> None:
    check_update_policy("A", ALIAS, {"CodeDeployLambdaAliasUpdate": GROUP})


@pytest.mark.parametrize(
    ("type", "written", "message"),
    [
        ("AWS::SQS::Queue", {"CodeDeployLambdaAliasUpdate": GROUP}, "does not support the Update"),
        (ALIAS, {"AutoScalingRollingUpdate": {}}, "does not support the UpdatePolicy of A"),
        (ALIAS, {"CodeDeployLambdaAliasUpdate": []}, "does not support the UpdatePolicy of A"),
        (ALIAS, [], "does not support the UpdatePolicy of A"),
        (
            ALIAS,
            {"CodeDeployLambdaAliasUpdate": {**GROUP, "BeforeAllowTrafficHook": "f"}},
            "does not support BeforeAllowTrafficHook",
        ),
        (ALIAS, {"CodeDeployLambdaAliasUpdate": {**GROUP, "X": 1}}, "members that it cannot have"),
    ],
)
def test_update_policies_that_are_refused(type: str, written: Any, message: str) -> None:
    with pytest.raises(ApiError, match=message):
        check_update_policy("A", type, written)
