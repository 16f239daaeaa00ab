"""Calls of own and of other services in the name of a caller."""

from collections.abc import Mapping
from typing import Any

import pytest

from lambent.aws.any_service import AwsRefused
from lambent.aws.client import AwsUnreachable
from lambent.aws.settings import AwsSettings, ServiceSettings
from lambent.identity.authorizer import Authorizer, Caller
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.errors import ApiError
from lambent.model.principal import Principal
from lambent.services.any_service import AnyService
from tests.authorizers import relaxed, strict

pytestmark = pytest.mark.anyio

SCOPE = Scope(AccountId("111111111111"), Region("us-east-1"))
ANN = Principal(
    kind="user", account=SCOPE.account, arn="arn:aws:iam::111111111111:user/ann", user_id="A"
)
CALLER = Caller(principal=ANN, scope=SCOPE, service=None, access_key_id=None)
URL = "http://127.0.0.1:5262"
SETTINGS = AwsSettings(
    sqs=ServiceSettings(endpoint_url="http://127.0.0.1:1"),
    s3=ServiceSettings(endpoint_url="http://127.0.0.1:1"),
)


class Calls:
    """A server that has one answer."""

    def __init__(self, answer: Any = None) -> None:
        self.made: list[tuple[str, str]] = []
        self._answer = answer if answer is not None else {"done": True}

    async def call(
        self, service: str, operation: str, params: Mapping[str, Any], **where: Any
    ) -> Mapping[str, Any]:
        assert where == {"region": SCOPE.region, "account": SCOPE.account}
        self.made.append((service, operation))
        if isinstance(self._answer, Exception):
            raise self._answer
        found: Mapping[str, Any] = self._answer
        return found


def service(calls: Any, authorizer: Authorizer) -> AnyService:
    async def dispatch(
        service: str, operation: str, params: Mapping[str, Any], caller: Caller
    ) -> Mapping[str, Any]:
        return {"own": (service, operation, caller)}

    return AnyService(dispatch, {"lambda"}, calls, authorizer, SETTINGS, None, URL)


def allow(action: str, resource: str = "*") -> Mapping[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


async def test_own_services_are_dispatched_and_others_called() -> None:
    calls = Calls()
    api = service(calls, relaxed())
    assert await api.call("lambda", "ListFunctions", {}, CALLER) == {
        "own": ("lambda", "ListFunctions", CALLER)
    }
    assert await api.call("sqs", "CreateQueue", {"QueueName": "q"}, CALLER) == {"done": True}
    assert calls.made == [("sqs", "CreateQueue")]


class LocalServices:
    """Are ready, at their own address."""

    url = "http://127.0.0.1:9"

    async def wait_ready(self, deadline_s: float) -> bool:
        return True


async def test_urls_of_local_services_are_those_of_the_platform() -> None:
    """At any depth; what only looks like their address stays."""
    calls = Calls(
        {
            "QueueUrl": "http://127.0.0.1:9/111111111111/q",
            "Urls": [{"Url": "http://127.0.0.1:9/a"}, "http://127.0.0.1:99/a", 7],
        }
    )
    local: Any = LocalServices()
    api = AnyService(None, set(), calls, relaxed(), AwsSettings(), local, URL)  # type: ignore[arg-type]
    assert await api.call("sqs", "CreateQueue", {"QueueName": "q"}, CALLER) == {
        "QueueUrl": f"{URL}/111111111111/q",
        "Urls": [{"Url": f"{URL}/a"}, "http://127.0.0.1:99/a", 7],
    }


async def test_a_service_without_an_endpoint_is_refused() -> None:
    """AWS itself is never reached by accident."""
    calls = Calls()
    with pytest.raises(ApiError, match="UnknownServiceException"):
        await service(calls, relaxed()).call("ssm", "GetParameter", {"Name": "x"}, CALLER)
    assert calls.made == []


@pytest.mark.parametrize(
    ("name", "operation", "params", "action", "resource"),
    [
        (
            *("sqs", "CreateQueue", {"QueueName": "q"}),
            *("sqs:CreateQueue", "arn:aws:sqs:us-east-1:111111111111:q"),
        ),
        ("s3", "PutBucketPolicy", {"Bucket": "b"}, "s3:PutBucketPolicy", "arn:aws:s3:::b"),
        ("s3", "HeadBucket", {"Bucket": "b"}, "s3:ListBucket", "arn:aws:s3:::b"),
        ("s3", "GetObject", {"Bucket": "b", "Key": "k"}, "s3:GetObject", "arn:aws:s3:::b/k"),
    ],
)
async def test_the_callers_rights_decide(
    name: str, operation: str, params: Mapping[str, Any], action: str, resource: str
) -> None:
    calls = Calls()
    await service(calls, strict(allow(action, resource))).call(name, operation, params, CALLER)
    assert calls.made == [(name, operation)]
    for statement in (allow("lambda:*"), allow(action, f"{resource}x")):
        with pytest.raises(ApiError, match="is not authorized to perform"):
            await service(calls, strict(statement)).call(name, operation, params, CALLER)
    assert len(calls.made) == 1


async def test_what_is_not_certain_is_for_the_root_only() -> None:
    api = service(Calls(), strict(allow("*")))
    with pytest.raises(ApiError, match="only the account's root user"):
        await api.call("s3", "ListBuckets", {}, CALLER)


@pytest.mark.parametrize(
    ("failure", "code", "status"),
    [
        (AwsRefused("QueueDoesNotExist", "none", 404), "QueueDoesNotExist", 404),
        (AwsUnreachable("away"), "ServiceUnavailable", 503),
    ],
)
async def test_failures_are_errors_of_the_api(failure: Exception, code: str, status: int) -> None:
    with pytest.raises(ApiError) as raised:
        await service(Calls(failure), relaxed()).call("sqs", "ListQueues", {}, CALLER)
    assert (raised.value.code, raised.value.status) == (code, status)
