"""What a request for another service needs permission for."""

import pytest
from foreign import ACCOUNT, SCOPE, Foreign, form_request, json_request
from hypothesis import given
from hypothesis import strategies as st

from lambent.services.actions import access_of

QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:q"
URL = f"http://127.0.0.1:5262/{ACCOUNT}/q"


@pytest.mark.parametrize(
    ("service", "request_", "action", "resource"),
    [
        ("sqs", json_request("AmazonSQS.SendMessage", QueueUrl=URL), "sqs:SendMessage", QUEUE),
        ("sqs", json_request("AmazonSQS.SendMessageBatch", QueueUrl=URL), "sqs:SendMessage", QUEUE),
        ("sqs", json_request("AmazonSQS.CreateQueue", QueueName="q"), "sqs:CreateQueue", QUEUE),
        ("sqs", form_request(Action="PurgeQueue", QueueUrl=URL), "sqs:PurgeQueue", QUEUE),
        ("sqs", json_request("AmazonSQS.ListQueues"), "sqs:ListQueues", "*"),
        (
            "sns",
            form_request(Action="Publish", TopicArn=f"arn:aws:sns:eu-west-1:{ACCOUNT}:t"),
            "sns:Publish",
            f"arn:aws:sns:eu-west-1:{ACCOUNT}:t",
        ),
        (
            "dynamodb",
            json_request("DynamoDB_20120810.PutItem", TableName="t"),
            "dynamodb:PutItem",
            f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/t",
        ),
        ("dynamodb", json_request("DynamoDB_20120810.BatchGetItem"), "dynamodb:BatchGetItem", "*"),
        ("s3", Foreign("GET", "/"), "s3:ListAllMyBuckets", "*"),
        ("s3", Foreign("GET", "/bkt", "list-type=2&prefix=a"), "s3:ListBucket", "arn:aws:s3:::bkt"),
        ("s3", Foreign("PUT", "/bkt"), "s3:CreateBucket", "arn:aws:s3:::bkt"),
        ("s3", Foreign("GET", "/bkt/a%20b/c"), "s3:GetObject", "arn:aws:s3:::bkt/a b/c"),
        (
            "s3",
            Foreign("GET", "/bkt/k", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=60"),
            "s3:GetObject",
            "arn:aws:s3:::bkt/k",
        ),
        ("s3", Foreign("PUT", "/bkt/k", "x-id=PutObject"), "s3:PutObject", "arn:aws:s3:::bkt/k"),
        (
            "s3",
            Foreign("PUT", "/bkt/k", "partNumber=1&uploadId=u"),
            "s3:PutObject",
            "arn:aws:s3:::bkt/k",
        ),
    ],
)
def test_what_can_be_told(service: str, request_: Foreign, action: str, resource: str) -> None:
    """The action is the operation, the resource what a parameter names."""
    access = access_of(service, request_, SCOPE)
    assert access is not None
    assert (access.action, access.resource, access.owner) == (action, resource, ACCOUNT)


@pytest.mark.parametrize(
    ("service", "request_"),
    [
        # One service's target under another's signature.
        ("sqs", json_request("DynamoDB_20120810.PutItem", TableName="t")),
        ("s3", Foreign("GET", "/bkt/k", headers={"x-amz-target": "AmazonSQS.ListQueues"})),
        # Said twice.
        ("sns", Foreign(body=b"Action=Publish&Action=DeleteTopic")),
        ("sns", Foreign(query="Action=DeleteTopic", body=b"Action=ListTopics")),
        ("sqs", json_request("AmazonSQS.SendMessage", QueueUrl=URL, QueueName="other")),
        # Not what it seems.
        ("sqs", json_request("AmazonSQS.SendMessage", QueueUrl=f"{URL}/../other")),
        ("sqs", json_request("AmazonSQS.CreateQueue", QueueName="a:b")),
        ("sqs", json_request("AmazonSQS.Send:Message", QueueUrl=URL)),
        ("sqs", Foreign(path="/other", headers={"x-amz-target": "AmazonSQS.ListQueues"})),
        ("sqs", Foreign(headers={"x-amz-target": "AmazonSQS.ListQueues"}, body=b"[1]")),
        ("sqs", Foreign(headers={"x-amz-target": "AmazonSQS.ListQueues"}, body=b"{")),
        # Not told apart.
        ("s3", Foreign("GET", "/bkt", "policy")),
        ("s3", Foreign("PUT", "/bkt/k", "acl")),
        ("s3", Foreign("POST", "/bkt", "delete")),
        ("s3", Foreign("PUT", "/bkt/k", headers={"x-amz-copy-source": "/other/k"})),
        ("s3", Foreign("GET", "/_ministack/reset")),
        ("kafka", Foreign("GET", "/v1/clusters")),
    ],
)
def test_what_cannot_be_told(service: str, request_: Foreign) -> None:
    """What could be understood otherwise by its server is for the root alone."""
    assert access_of(service, request_, SCOPE) is None


@given(
    service=st.sampled_from(["sqs", "sns", "s3", "dynamodb", "kinesis", "kafka"]),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    path=st.text(st.characters(max_codepoint=255), max_size=30).map("/".__add__),
    query=st.text(st.characters(max_codepoint=255), max_size=30),
    target=st.none() | st.text(st.characters(max_codepoint=255), max_size=30),
    body=st.binary(max_size=60),
)
def test_nothing_surprises_it(
    service: str, method: str, path: str, query: str, target: str | None, body: bytes
) -> None:
    """Whatever comes, the answer is about the signed service or None."""
    headers = {} if target is None else {"x-amz-target": target}
    access = access_of(service, Foreign(method, path, query, headers, body), SCOPE)
    assert access is None or access.action.startswith(f"{service}:")


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 200_000, b"\xff", b"1" * 5000, b"[]"])
def test_bodies_that_cannot_be_read_are_for_root_alone(body: bytes) -> None:
    request = json_request("AmazonSQS.SendMessage")
    request.body = body
    assert access_of("sqs", request, SCOPE) is None
