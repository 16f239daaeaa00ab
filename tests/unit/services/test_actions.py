"""What a request for another service needs permission for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.policy import AccessRequest, Statement, Verdict, decide
from lambent.model.principal import Principal
from lambent.services.actions import accesses_of
from tests.unit.services.foreign import ACCOUNT, SCOPE, Foreign, form_request, json_request

SQS = {"x-amz-target": "AmazonSQS.SendMessage"}
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:t"
QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:q"
TABLE = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table"
STREAM = f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/s"
KEY = "0b1e3c1a-5c8d-4a34-a3a5-5d2a3c1e9f10"
KEYS = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key"
SECRETS = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret"
PARAMETERS = f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter"
EVENTS = f"arn:aws:events:eu-west-1:{ACCOUNT}"
MACHINE = f"arn:aws:states:eu-west-1:{ACCOUNT}:stateMachine:m"
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
        ("dynamodb", json_request("DynamoDB_20120810.ListTables"), "dynamodb:ListTables", "*"),
        (
            "dynamodb",
            json_request("DynamoDB_20120810.Query", TableName=f"{TABLE}/t", IndexName="i"),
            "dynamodb:Query",
            f"{TABLE}/t/index/i",
        ),
        (
            "dynamodb",
            json_request("DynamoDB_20120810.BatchGetItem", RequestItems={"t": {}}),
            "dynamodb:BatchGetItem",
            f"{TABLE}/t",
        ),
        (
            "dynamodb",
            json_request(
                "DynamoDB_20120810.TransactWriteItems",
                TransactItems=[{"Put": {"TableName": "t"}}, {"Put": {"TableName": "t"}}],
            ),
            "dynamodb:PutItem",
            f"{TABLE}/t",
        ),
        ("kms", json_request("TrentService.Encrypt", KeyId=KEY), "kms:Encrypt", f"{KEYS}/{KEY}"),
        (
            "kms",
            json_request("TrentService.Decrypt", KeyId=f"{KEYS}/{KEY}"),
            "kms:Decrypt",
            f"{KEYS}/{KEY}",
        ),
        (
            "secretsmanager",
            json_request("secretsmanager.GetSecretValue", SecretId=f"{SECRETS}:db/x-AbCd12"),
            "secretsmanager:GetSecretValue",
            f"{SECRETS}:db/x-AbCd12",
        ),
        (
            "secretsmanager",
            json_request("secretsmanager.CreateSecret", Name="db/x"),
            "secretsmanager:CreateSecret",
            f"{SECRETS}:db/x",
        ),
        *(
            (
                "ssm",
                json_request("AmazonSSM.GetParameter", Name=name),
                "ssm:GetParameter",
                f"{PARAMETERS}/a/b",
            )
            for name in ("/a/b", "a/b", "/a/b:3", f"{PARAMETERS}/a/b", f"{PARAMETERS}/a/b:label")
        ),
        (
            "ssm",
            json_request("AmazonSSM.GetParametersByPath", Path="/a"),
            "ssm:GetParametersByPath",
            f"{PARAMETERS}/a",
        ),
        (
            "events",
            json_request("AWSEvents.PutEvents", Entries=[{"Source": "a"}, {}]),
            "events:PutEvents",
            f"{EVENTS}:event-bus/default",
        ),
        (
            "events",
            json_request("AWSEvents.PutTargets", Rule="r", EventBusName=f"{EVENTS}:event-bus/b"),
            "events:PutTargets",
            f"{EVENTS}:rule/b/r",
        ),
        (
            "events",
            json_request("AWSEvents.PutRule", Name="r"),
            "events:PutRule",
            f"{EVENTS}:rule/r",
        ),
        (
            "kinesis",
            json_request("Kinesis_20131202.PutRecord", StreamARN=STREAM),
            "kinesis:PutRecord",
            STREAM,
        ),
        (
            "kinesis",
            json_request("Kinesis_20131202.SubscribeToShard", ConsumerARN=f"{STREAM}/consumer/c:1"),
            "kinesis:SubscribeToShard",
            f"{STREAM}/consumer/c:1",
        ),
        (
            "dynamodb",
            json_request(
                "DynamoDBStreams_20120810.DescribeStream",
                StreamArn=f"{TABLE}/t/stream/2026-01-01T00:00:00.000",
            ),
            "dynamodb:DescribeStream",
            f"{TABLE}/t/stream/2026-01-01T00:00:00.000",
        ),
        (
            "firehose",
            json_request("Firehose_20150804.PutRecord", DeliveryStreamName="d"),
            "firehose:PutRecord",
            f"arn:aws:firehose:eu-west-1:{ACCOUNT}:deliverystream/d",
        ),
        (
            "states",
            json_request("AWSStepFunctions.StartExecution", stateMachineArn=MACHINE),
            "states:StartExecution",
            MACHINE,
        ),
        ("sns", form_request(Action="Publish", PhoneNumber="+1"), "sns:Publish", "*"),
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
def test_actions_that_are_known(
    service: str, request_: Foreign, action: str, resource: str
) -> None:
    """The action is the operation, the resource what a parameter names."""
    found = accesses_of(service, request_, SCOPE)
    assert found is not None
    [access] = found
    assert (access.action, access.resource, access.owner) == (action, resource, ACCOUNT)
    assert not access.is_unsure


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
        ("sqs", Foreign(headers=SQS, body=b'{"QueueUrl": "a", "QueueUrl": "b"}')),
        ("kinesis", json_request("Kinesis_20131202.PutRecord", StreamName="a", StreamARN="b")),
        ("sns", form_request(Action="Publish", TopicArn=TOPIC.replace("aws", "aws-x"))),
        ("sns", form_request(Action="Publish", TopicArn=QUEUE)),
        ("sns", form_request(Action="Publish", TopicArn=TOPIC, PhoneNumber="+1")),
        ("dynamodb", json_request("DynamoDB_20120810.PutItem", TableName="a/b")),
        ("dynamodb", json_request("DynamoDB_20120810.PutItem", TableName=f"{TABLE}/t/")),
        ("dynamodb", json_request("DynamoDB_20120810.PutItem", TableName=f"{TABLE}/t/index/i")),
        ("dynamodb", json_request("DynamoDB_20120810.PutItem", TableName=f"{TABLE}:t")),
        ("kinesis", json_request("Kinesis_20131202.PutRecord", StreamARN="mine")),
        ("sns", form_request(Action="Publish", TopicArn=f"{TOPIC}:5f0c")),
        ("dynamodb", json_request("DynamoDB_20120810.Scan", TableName="t", IndexName="a/b")),
        ("ssm", json_request("AmazonSSM.GetParameter", Name=PARAMETERS.replace("eu", "us") + "/a")),
        # With an invalid name, or none.
        ("dynamodb", json_request("DynamoDB_20120810.PutItem")),
        ("dynamodb", json_request("DynamoDB_20120810.BatchGetItem")),
        ("dynamodb", json_request("DynamoDB_20120810.BatchGetItem", RequestItems={"a/b": {}})),
        ("dynamodb", json_request("DynamoDB_20120810.TransactWriteItems", TransactItems=[{}])),
        (
            "dynamodb",
            json_request(
                "DynamoDB_20120810.TransactWriteItems",
                TransactItems=[{"Put": {"TableName": "t"}, "Delete": {"TableName": "u"}}],
            ),
        ),
        ("dynamodb", json_request("DynamoDB_20120810.ExecuteStatement", Statement="SELECT")),
        ("kms", json_request("TrentService.Encrypt")),
        ("kms", json_request("TrentService.Encrypt", KeyId=KEY.upper())),
        ("kms", json_request("TrentService.ReEncrypt", KeyId=KEY)),
        ("secretsmanager", json_request("secretsmanager.GetSecretValue")),
        ("secretsmanager", json_request("secretsmanager.BatchGetSecretValue")),
        ("ssm", json_request("AmazonSSM.GetDocument", Name="d")),
        ("ssm", json_request("AmazonSSM.GetParameters", Names=["a", {}])),
        ("events", json_request("AWSEvents.PutEvents", Entries=[1])),
        ("kinesis", json_request("Kinesis_20131202.PutRecord")),
        # Not distinguishable.
        ("s3", Foreign("GET", "/bkt", "policy")),
        ("s3", Foreign("PUT", "/bkt/k", "acl")),
        ("s3", Foreign("POST", "/bkt", "delete")),
        ("s3", Foreign("PUT", "/bkt/k", headers={"x-amz-copy-source": "/other/k"})),
        ("s3", Foreign("GET", "/_ministack/reset")),
        ("kafka", Foreign("GET", "/v1/clusters")),
    ],
)
def test_actions_that_are_unknown(service: str, request_: Foreign) -> None:
    """What could be understood otherwise by its server is for the root alone."""
    assert accesses_of(service, request_, SCOPE) is None


def test_several_tables() -> None:
    """Each is authorized, in a transaction with the permission of its own operation."""
    names = {"t": {}, f"{TABLE}/u": {}}
    found = accesses_of(
        "dynamodb", json_request("DynamoDB_20120810.BatchWriteItem", RequestItems=names), SCOPE
    )
    assert [access.resource for access in found or ()] == [f"{TABLE}/t", f"{TABLE}/u"]
    items = [{"Delete": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "u"}}]
    found = accesses_of(
        "dynamodb",
        json_request("DynamoDB_20120810.TransactWriteItems", TransactItems=items),
        SCOPE,
    )
    assert [(access.action, access.resource) for access in found or ()] == [
        ("dynamodb:DeleteItem", f"{TABLE}/t"),
        ("dynamodb:ConditionCheckItem", f"{TABLE}/u"),
    ]
    names = ["a", "/b"]
    found = accesses_of("ssm", json_request("AmazonSSM.GetParameters", Names=names), SCOPE)
    assert [access.resource for access in found or ()] == [f"{PARAMETERS}/a", f"{PARAMETERS}/b"]


@pytest.mark.parametrize(
    ("service", "request_", "allowing", "not_allowing"),
    [
        (
            "secretsmanager",
            json_request("secretsmanager.GetSecretValue", SecretId="db"),
            ["*", f"{SECRETS}:*", f"{SECRETS}:db-??????", f"{SECRETS}:db*"],
            [f"{SECRETS}:db-AbCd12", f"{SECRETS}:x-??????"],
        ),
        (
            "secretsmanager",
            json_request("secretsmanager.GetSecretValue", SecretId=f"{SECRETS}:db"),
            [f"{SECRETS}:db-??????"],
            [f"{SECRETS}:db-AbCd12"],
        ),
        *(
            ("kms", request_, ["*", f"{KEYS}/*"], [f"{KEYS}/{KEY}", f"{KEYS}/{'?' * 36}"])
            for request_ in (
                json_request("TrentService.Encrypt", KeyId="alias/a"),
                json_request("TrentService.Encrypt", KeyId=KEYS.replace(":key", ":alias") + "/a"),
                json_request("TrentService.Decrypt", CiphertextBlob="x"),
            )
        ),
        (
            "kinesis",
            json_request("Kinesis_20131202.GetRecords", ShardIterator="x"),
            [f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/*"],
            [f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/mine"],
        ),
        (
            "dynamodb",
            json_request("DynamoDBStreams_20120810.GetRecords", ShardIterator="x"),
            [f"{TABLE}/*/stream/*"],
            [f"{TABLE}/mine/stream/*"],
        ),
        ("ses", form_request(Action="SendEmail", Source="a@b"), ["*"], ["arn:aws:ses:*:*:*/b"]),
    ],
)
def test_what_may_be_any(
    service: str, request_: Foreign, allowing: list[str], not_allowing: list[str]
) -> None:
    """A permission must cover all that may be meant, and a denial of any of it denies."""
    found = accesses_of(service, request_, SCOPE)
    assert found is not None
    [access] = found
    user = Principal(kind="user", account=ACCOUNT, arn="arn:aws:iam::1:user/u", user_id="AIDA")
    request = AccessRequest(
        principal=user,
        action=access.action,
        resource=access.resource,
        is_unsure=access.is_unsure,
    )

    def verdict(*statements: Statement) -> Verdict:
        return decide(request, identity=statements, resource=(), owner=ACCOUNT)

    def on(arn: str, effect: str = "Allow", element: str = "Resource") -> Statement:
        return {"Effect": effect, "Action": "*", element: arn}

    for arn in allowing:
        assert verdict(on(arn)) is Verdict.ALLOWED
    for arn in not_allowing:
        assert verdict(on(arn)) is Verdict.NOT_IN_IDENTITY
        assert verdict(on("*"), on(arn, "Deny")) is Verdict.DENIED_BY_IDENTITY
        assert verdict(on(arn, element="NotResource")) is Verdict.NOT_IN_IDENTITY


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
    """For any input, the result is about the signed service or None."""
    headers = {} if target is None else {"x-amz-target": target}
    found = accesses_of(service, Foreign(method, path, query, headers, body), SCOPE)
    assert all(access.action.startswith(f"{service}:") for access in found or ())


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 200_000, b"\xff", b"1" * 5000, b"[]"])
def test_bodies_that_cannot_be_read_are_for_root_alone(body: bytes) -> None:
    request = json_request("AmazonSQS.SendMessage")
    request.body = body
    assert accesses_of("sqs", request, SCOPE) is None
