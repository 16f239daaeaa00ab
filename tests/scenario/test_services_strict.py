"""The emulator behind a strict platform: signatures are verified and policies decide before a
request gets there, and its calls of functions are authorized, too."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config

from .apis.test_service_integrations import JSON, OF_SERVICES, ask, path_of_api
from .conftest import ACCOUNT, ROLE, deploy, invoke, wait_for
from .functions_api import refusal
from .strict_services import allow
from .test_identity import Strict
from .test_services import receive, upload_in_chunks
from .test_strict_events import role

QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}"
SENDS = """
import boto3, os
from botocore.exceptions import ClientError
def handler(event, context):
    try:
        boto3.client("sqs").send_message(QueueUrl=event["queue"], MessageBody="from a function")
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "sent"
"""


def test_who_is_turned_away(strict: Strict) -> None:
    """Without a signature, a known key and a policy, no request reaches the emulator."""
    unsigned = strict.platform.client("sqs", config=Config(signature_version=UNSIGNED))
    assert refusal(unsigned.list_queues)[0] == "MissingAuthenticationTokenException"
    assert refusal(strict.platform.client("sqs").list_queues)[0] == "UnrecognizedClientException"
    nobody = strict.user("nobody-of-services")
    code, message = refusal(strict.client("sqs", **nobody).list_queues)
    assert code == "AccessDeniedException"
    assert "sqs:ListQueues" in message
    assert strict.client("sqs").list_queues()


def test_unsigned_operations_are_open(strict: Strict) -> None:
    """People sign up without keys, as in AWS; no other request gets through that way."""
    owner = strict.client("cognito-idp")
    pool = owner.create_user_pool(PoolName="people")["UserPool"]["Id"]
    made = owner.create_user_pool_client(UserPoolId=pool, ClientName="app")
    client = made["UserPoolClient"]["ClientId"]
    people = strict.platform.client("cognito-idp", config=Config(signature_version=UNSIGNED))
    people.sign_up(ClientId=client, Username="ann", Password="Passw0rd!x")
    assert refusal(lambda: people.list_user_pools(MaxResults=1))[0] == (
        "MissingAuthenticationTokenException"
    )
    strict.client("s3").create_bucket(Bucket="guarded")
    for method, path, content_type in (
        ("PUT", "/guarded/a.txt", "application/x-amz-json-1.1"),
        ("POST", "/guarded?delete", "application/x-amz-json-1.1"),
        ("POST", "/", "application/x-www-form-urlencoded"),
        ("GET", "/", "application/x-amz-json-1.1"),
    ):
        request = urllib.request.Request(
            strict.platform.endpoint + path,
            data=b"{}",
            method=method,
            headers={
                "Content-Type": content_type,
                "X-Amz-Target": "AWSCognitoIdentityProviderService.SignUp",
            },
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=20)
        assert b"MissingAuthenticationToken" in refused.value.read(), (method, path)
    assert "Contents" not in strict.client("s3").list_objects_v2(Bucket="guarded")


def test_policies_are_about_one_queue(strict: Strict) -> None:
    """The action is the operation, a batch's that of its parts; the resource is the queue's ARN."""
    root = strict.client("sqs")
    mine = root.create_queue(QueueName="mine")["QueueUrl"]
    other = root.create_queue(QueueName="other")["QueueUrl"]
    keys = strict.user("sender", allow("sqs:SendMessage", resource=f"{QUEUE}:mine"))
    sender = strict.client("sqs", **keys)
    sender.send_message(QueueUrl=mine, MessageBody="one")
    sender.send_message_batch(QueueUrl=mine, Entries=[{"Id": "1", "MessageBody": "two"}])
    assert {receive(root, mine)["Body"] for _ in range(2)} == {"one", "two"}
    for attempt in (
        lambda: sender.send_message(QueueUrl=other, MessageBody="three"),
        lambda: sender.receive_message(QueueUrl=mine),
        lambda: sender.send_message(QueueUrl=f"{mine}/../other", MessageBody="three"),
        lambda: strict.client("sns", **keys).list_topics(),
        lambda: strict.client("kafka", **keys).list_clusters(),
    ):
        assert refusal(attempt)[0] in ("AccessDenied", "AccessDeniedException")


def test_policies_are_about_objects(strict: Strict) -> None:
    """Objects by their ARN, in uploads of every form; what else S3 does is the root's."""
    root = strict.client("s3")
    root.create_bucket(Bucket="shelf")
    statements = [
        allow("s3:PutObject", "s3:GetObject", resource="arn:aws:s3:::shelf/in/*"),
        allow("s3:ListBucket", resource="arn:aws:s3:::shelf"),
    ]
    user = strict.client("s3", **strict.user("reader", *statements))
    user.put_object(Bucket="shelf", Key="in/a", Body=b"hello", ChecksumAlgorithm="CRC32")
    assert user.get_object(Bucket="shelf", Key="in/a")["Body"].read() == b"hello"
    assert [content["Key"] for content in user.list_objects_v2(Bucket="shelf")["Contents"]] == [
        "in/a"
    ]
    root.put_object(Bucket="shelf", Key="out", Body=b"no")
    for attempt in (
        lambda: user.get_object(Bucket="shelf", Key="out"),
        lambda: user.copy_object(
            Bucket="shelf", Key="in/b", CopySource={"Bucket": "shelf", "Key": "out"}
        ),
        lambda: user.put_bucket_policy(Bucket="shelf", Policy="{}"),
        lambda: user.delete_objects(Bucket="shelf", Delete={"Objects": [{"Key": "in/a"}]}),
    ):
        assert refusal(attempt)[0] in ("AccessDenied", "403")
    # A key is no path.
    assert refusal(lambda: user.get_object(Bucket="shelf", Key="in/../out"))[0] == "NoSuchKey"


def test_an_upload_in_chunks_is_its_content(strict: Strict) -> None:
    """Here the platform assembles it, to verify it; the forwarded request has no chunks."""
    s3 = strict.client("s3")
    s3.create_bucket(Bucket="chunks")
    upload_in_chunks(strict.platform, "/chunks/a", b"x" * 100_000, **strict.root)
    found = s3.get_object(Bucket="chunks", Key="a")
    assert (found["Body"].read(), found["ContentEncoding"]) == (b"x" * 100_000, "gzip")


def test_one_service_is_not_another(strict: Strict) -> None:
    """The service in the signature is the one that policies are evaluated for and that serves the
    request, whatever target, path or host says otherwise."""
    keys = strict.user("only-sqs", allow("sqs:*"))
    client = strict.client("sqs", **keys)

    def turn_to_tables(request: Any, **_: Any) -> None:
        del request.headers["X-Amz-Target"]
        request.headers["X-Amz-Target"] = "DynamoDB_20120810.ListTables"

    client.meta.events.register("before-sign.sqs.ListQueues", turn_to_tables)
    assert refusal(client.list_queues)[0] == "AccessDeniedException"


def test_a_role_decides_for_a_function(strict: Strict) -> None:
    """A function's call is its execution role's."""
    queue = strict.client("sqs").create_queue(QueueName="from-function")["QueueUrl"]
    client = strict.client("lambda")
    deploy(client, "sends", {"app.py": SENDS})
    assert invoke(client, "sends", {"queue": queue})[0] == "AccessDeniedException"
    document = {
        "Version": "2012-10-17",
        "Statement": [allow("sqs:SendMessage", resource=f"{QUEUE}:from-function")],
    }
    strict.client("iam").put_role_policy(
        RoleName="lambda-role", PolicyName="sends", PolicyDocument=json.dumps(document)
    )
    assert invoke(client, "sends", {"queue": queue})[0] == "sent"
    assert receive(strict.client("sqs"), queue)["Body"] == "from a function"


def test_a_topic_needs_the_functions_permission(strict: Strict) -> None:
    """As in AWS: the function's policy allows SNS, for this topic and no other."""
    client, sns = strict.client("lambda"), strict.client("sns")
    source = "def handler(event, context): print('told', event['Records'][0]['Sns']['Message'])"
    arn = deploy(client, "is-told", {"app.py": source}, Role=ROLE)["FunctionArn"]
    topics = [sns.create_topic(Name=name)["TopicArn"] for name in ("let-in", "left-out")]
    client.add_permission(
        FunctionName="is-told",
        StatementId="sns",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topics[0],
    )
    for topic in topics:
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    sns.publish(TopicArn=topics[1], Message="left out")
    sns.publish(TopicArn=topics[0], Message="let in")

    def received() -> list[str]:
        answer = strict.client("logs").filter_log_events(
            logGroupName="/aws/lambda/is-told", filterPattern="told"
        )
        return [event["message"].strip() for event in answer["events"]]

    wait_for(lambda: _quietly(received), "the notification", deadline_s=30)
    assert received() == ["told let in"]


@pytest.mark.parametrize("service", ["s3", "secretsmanager"])
def test_a_resource_needs_the_functions_permission(strict: Strict, service: str) -> None:
    """A bucket or a secret that the function's policy names calls it, and another one does not."""
    client, name = strict.client("lambda"), f"called-by-{service}"
    source = (
        "def handler(event, context):\n"
        "    records = event.get('Records')\n"
        "    caller = records[0]['s3']['bucket']['name'] if records else event['SecretId']\n"
        "    print('called by', caller)\n"
    )
    arn = deploy(client, name, {"app.py": source}, Role=ROLE)["FunctionArn"]
    s3, secrets = strict.client("s3", **strict.root), strict.client("secretsmanager", **strict.root)
    if service == "s3":
        left_out, let_in = (f"arn:aws:s3:::{bucket}" for bucket in ("left-out", "let-in"))
    else:
        left_out, let_in = (
            secrets.create_secret(Name=name, SecretString="s")["ARN"] for name in ("out", "in")
        )
    client.add_permission(
        FunctionName=name,
        StatementId="source",
        Action="lambda:InvokeFunction",
        Principal=f"{service}.amazonaws.com",
        SourceArn=let_in,
        SourceAccount=ACCOUNT,
    )
    for resource in (left_out, let_in):
        if service == "s3":
            bucket = resource.rpartition(":")[2]
            s3.create_bucket(Bucket=bucket)
            rule = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
            s3.put_bucket_notification_configuration(
                Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
            )
            s3.put_object(Bucket=bucket, Key="k", Body=b"b")
        else:
            secrets.rotate_secret(SecretId=resource, RotationLambdaARN=arn)
    expected = f"called by {let_in.rpartition(':::')[2] if service == 's3' else let_in}"

    def calls() -> set[str]:
        answer = strict.client("logs").filter_log_events(
            logGroupName=f"/aws/lambda/{name}", filterPattern="called"
        )
        return {event["message"].strip() for event in answer["events"]}

    wait_for(lambda: _quietly(calls), "the call", deadline_s=30)
    assert calls() == {expected}


def _quietly(call: Any) -> Any:
    try:
        return call()
    except Exception:
        return None


def test_links_are_verified(strict: Strict) -> None:
    """A presigned link is good as it was signed, and not otherwise."""
    s3 = strict.client("s3", config=Config(signature_version="s3v4"), **strict.root)
    s3.create_bucket(Bucket="links")
    s3.put_object(Bucket="links", Key="a", Body=b"hello")
    s3.put_object(Bucket="links", Key="b", Body=b"secret")
    link = s3.generate_presigned_url("get_object", Params={"Bucket": "links", "Key": "a"})
    with urllib.request.urlopen(link, timeout=10) as answer:
        assert answer.read() == b"hello"
    target = {"Bucket": "links", "Key": "up"}
    upload = s3.generate_presigned_url("put_object", Params=target)
    request = urllib.request.Request(upload, data=b"uploaded", method="PUT")
    urllib.request.urlopen(request, timeout=10).close()
    assert s3.get_object(**target)["Body"].read() == b"uploaded"
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(link.replace("/links/a", "/links/b"), timeout=10)
    with raised.value as refused:
        assert refused.code in (400, 403)


def test_integrations_of_apis_have_the_rights_of_their_role(strict: Strict) -> None:
    """With the platform's own services and with the emulator's. What the role may not do is a
    response of the service, as in AWS; a role that does not trust API Gateway is a failure."""
    queue = strict.client("sqs").create_queue(QueueName="of-an-api")["QueueUrl"]
    allowed = (
        allow("sqs:SendMessage", resource=f"{QUEUE}:of-an-api"),
        allow("events:PutEvents", resource=f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"),
    )
    may = role(strict, "api-may", "apigateway.amazonaws.com", *allowed)
    other = allow("sqs:SendMessage", resource=f"{QUEUE}:other")
    may_not = role(strict, "api-may-not", "apigateway.amazonaws.com", other)
    foreign = role(strict, "api-foreign", "lambda.amazonaws.com", *allowed)
    entry = {"Source": "s", "DetailType": "d", "Detail": "{}"}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    targets = {
        f"{OF_SERVICES}:events:action/PutEvents": (json.dumps({"Entries": [entry]}), JSON),
        f"{OF_SERVICES}:sqs:path/{ACCOUNT}/of-an-api": ("Action=SendMessage&MessageBody=m", form),
    }
    v1 = strict.client("apigateway")
    for uri, (body, headers) in targets.items():
        for arn, status in ((may, 200), (may_not, 400), (foreign, 500)):
            path = path_of_api(v1, uri, arn, integrationHttpMethod="POST")
            found = ask(f"{strict.platform.endpoint}{path}/x", body.encode(), headers)
            assert found[0] == status, (uri, arn, found)
            assert (b"AccessDenied" in found[1]) == (arn is may_not)
    assert receive(strict.client("sqs"), queue)["Body"] == "m"
