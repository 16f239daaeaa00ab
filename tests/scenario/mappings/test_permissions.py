"""On a strict platform a mapping can do what the function's execution role may, and no more."""

import json
from collections.abc import Callable
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from tests.platforms import deploy, wait_for
from tests.scenario.functions_api import refusal
from tests.scenario.test_identity import TRUST, Strict
from tests.servers.ministack import Ministack

from .conftest import Platform

QUEUE = "arn:aws:sqs:us-east-1:000000000000:strict"
NEEDED = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]


def put_policy(iam: Any, actions: list[str]) -> None:
    """Allow the role these actions on the queue, and no others."""
    statement = {"Effect": "Allow", "Action": actions or ["logs:*"], "Resource": QUEUE}
    iam.put_role_policy(
        RoleName="lambda-role",
        PolicyName="reads",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def test_the_role_must_allow_it(
    ministack: Ministack, start_platform: Callable[..., Platform]
) -> None:
    """When the mapping is created, and at each request from then on."""
    sqs = ministack.client("sqs")
    url = sqs.create_queue(QueueName="strict")["QueueUrl"]
    options = ["--auth", "strict", "--set", f"aws.sqs.endpoint_url={ministack.strict_endpoint}"]
    options += ["--set", "polling.long_poll_s=1", "--set", "polling.backoff_max_s=1"]
    strict = Strict(start_platform(None, *options))
    iam, client = strict.client("iam"), strict.client("lambda")
    iam.create_role(RoleName="lambda-role", AssumeRolePolicyDocument=json.dumps(TRUST))
    deploy(client, "reads", {"app.py": "def handler(e, c): pass"})
    for number, name in enumerate(("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")):
        put_policy(iam, NEEDED[:number])
        assert refusal(
            client.create_event_source_mapping, FunctionName="reads", EventSourceArn=QUEUE
        ) == (
            "InvalidParameterValueException",
            f"The provided execution role does not have permissions to call {name} on SQS",
        )
    put_policy(iam, NEEDED)
    uuid = client.create_event_source_mapping(FunctionName="reads", EventSourceArn=QUEUE)["UUID"]

    def left() -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(map(int, found.values()))

    sqs.send_message(QueueUrl=url, MessageBody="allowed")
    wait_for(lambda: left() == 0, "the message is processed")
    put_policy(iam, [])

    def said() -> tuple[str | None, str]:
        found = client.get_event_source_mapping(UUID=uuid)
        return found.get("LastProcessingResult"), found["StateTransitionReason"]

    wait_for(lambda: said()[1] == "EVENT_SOURCE_AUTHZ_ERROR", "it is told")
    assert (said()[0] or "").startswith("PROBLEM: The execution role is not allowed to call sqs:")
    sqs.send_message(QueueUrl=url, MessageBody="later")
    put_policy(iam, NEEDED)
    wait_for(lambda: left() == 0, "what waited is processed")


def test_destinations_are_asked_about(
    ministack: Ministack, start_platform: Callable[..., Platform]
) -> None:
    """The role also needs permission to send to the on-failure destination."""
    options = ["--auth", "strict", "--set", f"aws.kinesis.endpoint_url={ministack.endpoint}"]
    strict = Strict(start_platform(None, *options))
    iam, client = strict.client("iam"), strict.client("lambda")
    iam.create_role(RoleName="lambda-role", AssumeRolePolicyDocument=json.dumps(TRUST))
    deploy(client, "reads", {"app.py": "def handler(e, c): pass"})
    statement = {"Effect": "Allow", "Action": "kinesis:*", "Resource": "*"}
    iam.put_role_policy(
        RoleName="lambda-role",
        PolicyName="reads",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    ministack.client("kinesis").create_stream(StreamName="strict", ShardCount=1)
    code, message = refusal(
        client.create_event_source_mapping,
        FunctionName="reads",
        EventSourceArn="arn:aws:kinesis:us-east-1:000000000000:stream/strict",
        StartingPosition="TRIM_HORIZON",
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )
    assert code == "InvalidParameterValueException"
    assert message == (
        "The provided execution role does not have permissions to call SendMessage on SQS"
    )


def test_the_page_of_mappings(start_platform: Callable[..., Platform]) -> None:
    """It requires a known, authorized caller, and is read-only."""
    strict = Strict(start_platform(None, "--auth", "strict"))

    def status(method: str, page: str = "mappings", **keys: str) -> int:
        request = AWSRequest(method, f"{strict.platform.endpoint}/_lambent/{page}")
        if keys:
            credentials = Credentials(*keys.values())
            SigV4Auth(credentials, "lambda", "us-east-1").add_auth(request)
        return URLLib3Session().send(request.prepare()).status_code

    nobody = strict.user("nobody")
    reader = strict.user(
        "reader", {"Effect": "Allow", "Action": "lambent:ListMappings", "Resource": "*"}
    )
    assert status("GET") == 403
    assert status("GET", id="AKIAFORGED", secret="forged") == 403
    assert status("GET", **nobody) == 403
    assert status("GET", **reader) == 200
    assert status("POST", **strict.root) == 405
    assert status("DELETE", **strict.root) == 405
    # The page of environments has a permission of its own.
    assert status("GET", "environments", **reader) == 403
    assert status("GET", "environments", **strict.root) == 200
    # So have the pages of nodes; this platform has none.
    changes = ("drain", "resume", "remove")
    for method, page in (("GET", "nodes"), *(("POST", f"nodes/1/{change}") for change in changes)):
        assert status(method, page, **reader) == 403
    assert status("GET", "nodes", **strict.root) == 200
    missing = ("1/drain", "1/remove", "0/remove", "1/other", f"{'1' * 40}/drain")
    for page in (f"nodes/{each}" for each in missing):
        assert status("POST", page, **strict.root) == 404
    assert status("DELETE", "nodes", **strict.root) == 405
