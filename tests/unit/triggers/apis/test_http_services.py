"""Integrations with other AWS services: what is sent, as whom, and what comes back."""

import datetime
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from lambent.aws.client import AwsUnreachable
from lambent.aws.errors import ClientError
from lambent.model.identity import Identity, IdentityKey

from .http_apis import HttpApi, serving_http
from .serving import ACCOUNT, REGION, Response, Served

ROLE = f"arn:aws:iam::{ACCOUNT}:role/api"
QUEUE = f"http://127.0.0.1:1/{ACCOUNT}/q"


class FakeAws:
    """Notes the calls; a test says what comes back."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Mapping[str, Any], str, str]] = []
        self.result: Any = {"ResponseMetadata": {}, "MessageId": "m"}

    async def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        region: str,
        account: str,
        deadline_s: float,
    ) -> Any:
        """See `AwsClient`."""
        self.calls.append((service, operation, parameters, region, account))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.fixture
def aws() -> FakeAws:
    return FakeAws()


@pytest.fixture
def served(tmp_path: Any, aws: FakeAws) -> Iterator[Served]:
    with serving_http(tmp_path, aws=aws) as served:
        yield served


def service(served: Served, subtype: str, role: str = ROLE, **parameters: str) -> HttpApi:
    """An API whose route leads to a service."""
    api = HttpApi(served)
    id = api.add(
        "integration",
        IntegrationType="AWS_PROXY",
        IntegrationSubtype=subtype,
        RequestParameters=parameters,
        CredentialsArn=role,
        PayloadFormatVersion="1.0",
    )
    api.route("POST /{id}", f"integrations/{id}")
    return api.deploy()


def post(api: HttpApi, document: Any, path: str = "/7") -> Response:
    return api.request("POST", path, json.dumps(document).encode())


def test_what_is_sent(served: Served, aws: FakeAws) -> None:
    """Values of the request take their places, with the types of the operation."""
    cases: list[tuple[str, dict[str, str], tuple[str, str, Any]]] = [
        (
            "SQS-SendMessage",
            {
                "QueueUrl": QUEUE,
                "MessageBody": "$request.body.text",
                "DelaySeconds": "5",
                "MessageGroupId": "$request.header.missing",
                "MessageAttributes": '{"a":{"StringValue":"${request.path.id}"}}',
            },
            (
                "sqs",
                "SendMessage",
                {
                    "QueueUrl": QUEUE,
                    "MessageBody": "hi",
                    "DelaySeconds": 5,
                    "MessageAttributes": {"a": {"StringValue": "7"}},
                },
            ),
        ),
        (
            "EventBridge-PutEvents",
            {
                "Detail": "$request.body",
                "DetailType": "t",
                "Source": "s",
                "Resources": '["r"]',
                "Time": "2026-01-02T03:04:05+00:00",
            },
            (
                "events",
                "PutEvents",
                {
                    "Entries": [
                        {
                            "Detail": '{"text": "hi", "data": "aGk="}',
                            "DetailType": "t",
                            "Source": "s",
                            "Resources": ["r"],
                            "Time": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
                        }
                    ]
                },
            ),
        ),
        (
            "Kinesis-PutRecord",
            {"StreamName": "st", "Data": "$request.body.data", "PartitionKey": "$request.path.id"},
            ("kinesis", "PutRecord", {"StreamName": "st", "Data": b"hi", "PartitionKey": "7"}),
        ),
        (
            "StepFunctions-StartExecution",
            {"StateMachineArn": "arn:aws:states:us-east-1:0:stateMachine:m", "Input": "{}"},
            (
                "stepfunctions",
                "StartExecution",
                {"stateMachineArn": "arn:aws:states:us-east-1:0:stateMachine:m", "input": "{}"},
            ),
        ),
    ]
    for subtype, parameters, (name, operation, sent) in cases:
        response = post(service(served, subtype, **parameters), {"text": "hi", "data": "aGk="})
        assert (response.status, response.json()) == (200, {"MessageId": "m"}), response
        assert response.headers["content-type"] == "application/json"
        assert aws.calls[-1] == (name, operation, sent, REGION, ACCOUNT)


def test_region(served: Served, aws: FakeAws) -> None:
    """It may be another; what is none is refused."""
    api = service(served, "SQS-PurgeQueue", QueueUrl=QUEUE, Region="$request.body.region")
    assert post(api, {"region": "eu-west-1"}).status == 200
    assert aws.calls[-1][3] == "eu-west-1"
    assert post(api, {"region": "x@evil.test/"}).status == 400
    assert len(aws.calls) == 1


def test_values_that_are_missing_or_wrong(served: Served, aws: FakeAws) -> None:
    """400, and the service is not called."""
    base = {"QueueUrl": QUEUE, "MessageBody": "$request.body.text"}
    for more, document in (
        ({}, {}),
        ({"DelaySeconds": "$request.body.n"}, {"text": "x", "n": "soon"}),
        ({"MessageAttributes": "$request.body.n"}, {"text": "x", "n": "{"}),
        ({"QueueUrl": "q"}, {"text": "x"}),
    ):
        assert post(service(served, "SQS-SendMessage", **{**base, **more}), document).status == 400
    data = {"StreamName": "s", "PartitionKey": "p", "Data": "$request.body"}
    assert post(service(served, "Kinesis-PutRecord", **data), {}).status == 400
    assert aws.calls == []


def test_refusals_of_services(served: Served, aws: FakeAws) -> None:
    """With their status and message; a service that is away is 503."""
    api = service(served, "SQS-PurgeQueue", QueueUrl=QUEUE)
    error = {
        "Error": {"Code": "NonExistentQueue", "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": 400},
    }
    aws.result = ClientError(error, "PurgeQueue")  # type: ignore[arg-type]
    response = post(api, {})
    assert (response.status, response.json()) == (
        400,
        {"__type": "NonExistentQueue", "message": "no"},
    )
    aws.result = AwsUnreachable("away")
    assert post(api, {}).json() == {"message": "Service Unavailable"}


def test_documents_are_returned_as_they_are(served: Served, aws: FakeAws) -> None:
    """AppConfig returns a configuration, not JSON about it."""
    names = dict.fromkeys(("Application", "Environment", "Configuration", "ClientId"), "x")
    aws.result = {"Content": b"a: 1\n", "ContentType": "text/yaml"}
    response = post(service(served, "AppConfig-GetConfiguration", **names), {})
    assert (response.body, response.headers["content-type"]) == (b"a: 1\n", "text/yaml")


def test_a_strict_platform_asks_the_role(tmp_path: Any, aws: FakeAws) -> None:
    """The role trusts API Gateway, and its policies allow the action on the queue."""
    with serving_http(tmp_path, aws=aws, is_strict=True) as served:
        api = service(served, "SQS-PurgeQueue", QueueUrl=QUEUE)
        assert post(api, {}).json() == {"message": "Forbidden"}
        allow = {"Effect": "Allow", "Action": "sqs:PurgeQueue", "Resource": "*"}
        for trusted, statement, status in (
            ("lambda.amazonaws.com", allow, 403),
            ("apigateway.amazonaws.com", {**allow, "Action": "sqs:SendMessage"}, 403),
            ("apigateway.amazonaws.com", {**allow, "Resource": "arn:aws:sqs:*:*:other"}, 403),
            ("apigateway.amazonaws.com", allow, 200),
        ):
            _put_role(served, trusted, statement)
            assert post(api, {}).status == status
        other = service(served, "SQS-PurgeQueue", ROLE.replace(ACCOUNT, "1" * 12), QueueUrl=QUEUE)
        assert post(other, {}).status == 403


def _put_role(served: Served, trusted: str, statement: Mapping[str, Any]) -> None:
    trust = {
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": trusted}, "Action": "sts:AssumeRole"}
        ]
    }
    role = Identity(
        key=IdentityKey(ACCOUNT, "role", "api"),
        id="AROAEXAMPLE",
        path="/",
        trust=trust,
        policies={"p": {"Statement": [statement]}},
        created_ms=0,
    )

    async def write() -> None:
        await served.store.transact(lambda tx: tx.identities.put(role))

    served.portal.call(write)
