"""Hooks from their creation to their deletion, and what functions and buses get."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.platforms import Platform, deploy

from .hooks import PRINTS, Hook, create, events_of, lambent

RECORDED = Path(__file__).parents[2] / "unit/triggers/hooks/recorded"


@pytest.fixture(scope="module")
def prints(lambda_client: Any) -> str:
    """The name of a function that prints its events."""
    deploy(lambda_client, "hook-prints", {"app.py": PRINTS})
    return "hook-prints"


def test_from_creation_to_deletion(platform: Platform, prints: str) -> None:
    """The secret is shown when it is made, and when its owner asks for it."""
    hook = create(platform, "life", "token", "--function", prints, "--rate", "50")
    assert len(hook.secret) >= 40
    assert hook.shown["arn"] == "arn:aws:lambent:us-east-1:000000000000:hook/life"
    assert hook.post(b"1", {"Authorization": f"Bearer {hook.secret}"}).status == 202
    assert hook.post(b"2").status == 401
    listed = json.loads(lambent(platform, "hook", "list", "--json").stdout)
    (found,) = [each for each in listed if each["name"] == "life"]
    assert (found["rate"], found["address"]) == (50, hook.address)
    shown = json.loads(lambent(platform, "hook", "show", "life").stdout)
    assert (shown["accepted"], shown["refused"]) == (1, 1)
    assert shown["last_refusal"] == "The token is missing or not valid."
    assert "secret" not in found.keys() | shown.keys()
    with_secret = lambent(platform, "hook", "show", "life", "--secret")
    assert json.loads(with_secret.stdout)["secret"] == hook.secret

    def status(secret: str) -> int:
        return hook.post(b"x", {"Authorization": f"Bearer {secret}"}).status

    rotated = lambent(platform, "hook", "rotate", "life", "--grace", "600")
    second = json.loads(rotated.stdout)["secret"]
    assert [status(hook.secret), status(second)] == [202, 202]
    third = lambent(platform, "hook", "rotate", "life", "--secret", "-", given="my-own-secret\n")
    assert json.loads(third.stdout)["secret"] == "my-own-secret"
    assert [status(each) for each in (hook.secret, second, "my-own-secret")] == [401, 401, 202]
    assert lambent(platform, "hook", "delete", "life").returncode == 0
    assert hook.post(b"x").status == 404
    gone = lambent(platform, "hook", "show", "life")
    assert (gone.returncode, "There is no hook" in gone.stderr) == (1, True)
    assert hook.secret not in platform.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a/b", "--kind", "token", "--function", "{f}"], "The name of a hook"),
        (["x", "--kind", "tokens", "--function", "{f}"], "The kind of a hook is one of"),
        (["x", "--kind", "token", "--function", "nothing-here"], "Function not found"),
        (["x", "--kind", "token", "--bus", "nothing-here"], "does not exist"),
        (["x", "--kind", "alb", "--bus", "default"], "needs a function"),
        (["x", "--kind", "token", "--bus", "default", "--sync"], "does not wait"),
        (["x", "--kind", "s3", "--function", "{f}", "--sync"], "does not wait"),
        (["x", "--kind", "sns", "--function", "{f}"], "topics"),
        (["x", "--kind", "hmac", "--function", "{f}", "--scheme", "no"], "scheme"),
        (["x", "--kind", "token", "--function", "{f}", "--secret", "short"], "at least 8"),
        (["x", "--kind", "token", "--function", "{f}", "--rate", "0"], "The rate"),
        (
            ["x", "--kind", "token", "--bus", "arn:aws:events:us-east-1:999999999999:event-bus/b"],
            "in its account",
        ),
    ],
)
def test_what_is_refused(
    platform: Platform, prints: str, arguments: list[str], message: str
) -> None:
    given = [prints if argument == "{f}" else argument for argument in arguments]
    refused = lambent(platform, "hook", "create", *given)
    assert refused.returncode == 1
    assert message in refused.stderr, refused.stderr


def test_object_stores(platform: Platform, lambda_client: Any) -> None:
    """A notification of MinIO becomes S3's event."""
    deploy(lambda_client, "hook-minio", {"app.py": PRINTS})
    hook = create(platform, "minio", "s3", "--function", "hook-minio")
    body = (RECORDED / "minio.json").read_bytes()
    assert hook.post(body, {"Authorization": f"Bearer {hook.secret}"}).status == 202
    ((record,),) = [event["Records"] for event in events_of(platform, "hook-minio")]
    assert record["eventSource"] == "aws:s3"
    assert record["s3"]["object"]["key"] == "summer+photos/a%2Bb.jpg"


def signed(hook: Hook, body: bytes) -> dict[str, str]:
    """As GitHub signs."""
    digest = hmac.new(hook.secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}", "X-GitHub-Event": "push"}


def test_a_bus(platform: Platform, lambda_client: Any) -> None:
    """An event of a hook matches rules, and their targets get it."""
    arn = deploy(lambda_client, "hook-target", {"app.py": PRINTS})["FunctionArn"]
    events = platform.client("events")
    events.create_event_bus(Name="hooks")
    pattern = {"source": ["github"], "detail-type": ["push"], "detail": {"ref": ["main"]}}
    events.put_rule(Name="pushes", EventBusName="hooks", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="pushes", EventBusName="hooks", Targets=[{"Id": "1", "Arn": arn}])
    hook = create(
        platform,
        "github-bus",
        "hmac",
        *("--scheme", "github", "--bus", "hooks", "--option", "source=github"),
    )
    for ref in ("other", "main"):
        body = json.dumps({"ref": ref}).encode()
        assert hook.post(body, signed(hook, body)).status == 202
    (event,) = events_of(platform, "hook-target")
    assert event["detail"] == {"ref": "main"}
    assert (event["source"], event["detail-type"]) == ("github", "push")
    assert hook.post(b"{}", {**signed(hook, b"{}"), "X-GitHub-Event": ""}).status == 202
    ours = create(platform, "aws-source", "cloudevents", "--bus", "hooks")
    sent = {"specversion": "1.0", "id": "1", "source": "aws.s3", "type": "t", "data": {}}
    headers = {
        "Authorization": f"Bearer {ours.secret}",
        "Content-Type": "application/cloudevents+json",
    }
    refused = ours.post(sent, headers)
    assert (refused.status, b"NotAuthorizedForSource" in refused.body) == (400, True)


def test_load_balancers(platform: Platform, lambda_client: Any) -> None:
    """The caller waits for the response, at any path and by any name."""
    source = """
def handler(event, context):
    host = event["headers"]["host"]
    return {
        "statusCode": 200,
        "headers": {"X-Path": event["path"]},
        "body": host + event["requestContext"]["elb"]["targetGroupArn"][-17:-16],
    }
"""
    deploy(lambda_client, "hook-alb", {"app.py": source})
    hook = create(platform, "alb", "alb", "--function", "hook-alb")
    answer = hook.post(path="/a/b%20c?q=1", method="DELETE", headers={"Host": "shop.example"})
    assert (answer.status, answer.body) == (200, b"shop.example/")
    assert answer.headers["x-path"] == "/a/b%20c"


def test_an_accepted_event_survives_a_kill(start_platform: Callable[..., Platform]) -> None:
    """And so does the hook."""
    first = start_platform()
    slow = "import time\n" + PRINTS.replace("    print(", "    time.sleep(2)\n    print(")
    deploy(first.client("lambda"), "late", {"app.py": slow})
    hook = create(first, "durable", "hmac", "--scheme", "github", "--function", "late")
    assert hook.post(b"kept", signed(hook, b"kept")).status == 202
    first.kill()
    second = start_platform(first.data_dir)
    address = hook.address.replace(first.endpoint, second.endpoint)
    again = Hook(second, {**hook.shown, "address": address})
    assert again.post(b"more", signed(hook, b"more")).status == 202
    bodies = {base64.b64decode(event["body"]) for event in events_of(second, "late", 2)}
    assert bodies == {b"kept", b"more"}
