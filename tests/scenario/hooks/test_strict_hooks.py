"""Hooks of a strict platform: who may make them, and what they may do."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.platforms import ACCOUNT, Platform, deploy
from tests.scenario.test_identity import TRUST, Strict

from .hooks import PRINTS, Hook, events_of, lambent

ARN = f"arn:aws:lambent:us-east-1:{ACCOUNT}:hook"
SKILL = "amzn1.ask.skill.1"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strict]:
    """A strict platform with a function."""
    running = Strict(Platform(tmp_path_factory.mktemp("hooks") / "data", "--auth", "strict"))
    running.client("iam").create_role(
        RoleName="lambda-role", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    deploy(running.client("lambda"), "called", {"app.py": PRINTS})
    running.platform.logs = running.client("logs")
    yield running
    assert running.platform.stop() == 0, running.platform.output


def typed(strict: Strict, keys: dict[str, str], *arguments: str) -> tuple[int, str]:
    """`lambent hook …` with keys: the exit code, and what it prints."""
    done = lambent(
        strict.platform,
        "hook",
        *arguments,
        AWS_ACCESS_KEY_ID=keys["aws_access_key_id"],
        AWS_SECRET_ACCESS_KEY=keys["aws_secret_access_key"],
    )
    return done.returncode, done.stdout + done.stderr


def allow(resource: str, *actions: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


def test_who_may_do_what(strict: Strict) -> None:
    """Each page has an action of its own on the hook; the secret has one more."""
    strict.client("lambda").add_permission(
        FunctionName="called",
        StatementId="hook-mine",
        Action="lambda:InvokeFunction",
        Principal="hooks.lambent",
        SourceArn=f"{ARN}/mine*",
    )
    nobody = strict.user("no-hooks")
    maker = strict.user("makes-hooks", allow(f"{ARN}/mine*", "lambent:CreateHook"))
    reader = strict.user(
        "reads-hooks", allow("*", "lambent:GetHook", "lambent:ListHooks", "lambent:DeleteHook")
    )
    made = ("create", "mine", "--kind", "token", "--function", "called")
    for command, action in (
        (made, "CreateHook"),
        (("list",), "ListHooks"),
        (("show", "mine"), "GetHook"),
        (("rotate", "mine"), "RotateHook"),
        (("delete", "mine"), "DeleteHook"),
    ):
        code, text = typed(strict, nobody, *command)
        assert (code, f"lambent:{action}" in text) == (1, True), text
    code, text = typed(strict, maker, *made)
    assert code == 0, text
    secret = json.loads(text)["secret"]
    assert typed(strict, maker, "create", "other", *made[2:])[0] == 1
    assert typed(strict, reader, "list")[0] == 0
    code, text = typed(strict, reader, "show", "mine")
    assert (code, secret in text) == (0, False)
    code, text = typed(strict, reader, "show", "mine", "--secret")
    assert (code, "lambent:GetHookSecret" in text) == (1, True)
    assert typed(strict, reader, "delete", "mine")[0] == 0


def test_the_policy_of_the_function(strict: Strict) -> None:
    """It has to allow the platform's own service when a hook is made, and when an event comes."""
    client = strict.client("lambda")
    create = ("create", "paid", "--kind", "token", "--function", "called")
    code, text = typed(strict, strict.root, *create)
    assert (code, "hooks.lambent" in text, f"{ARN}/paid" in text) == (1, True, True)
    permission = {
        "FunctionName": "called",
        "StatementId": "paid",
        "Action": "lambda:InvokeFunction",
        "Principal": "hooks.lambent",
        "SourceArn": f"{ARN}/paid",
    }
    client.add_permission(**permission)
    code, text = typed(strict, strict.root, *create)
    assert code == 0, text
    hook = Hook(strict.platform, json.loads(text))
    bearer = {"Authorization": f"Bearer {hook.secret}"}
    assert hook.post(b"1", bearer).status == 202
    assert len(events_of(strict.platform, "called")) == 1
    client.remove_permission(FunctionName="called", StatementId="paid")
    refused = hook.post(b"2", bearer)
    assert (refused.status, refused.body) == (502, b'{"message":"The event cannot be delivered."}')


def test_a_bus(strict: Strict) -> None:
    """Who makes a hook for a bus may send events there."""
    maker = strict.user("makes-bus-hooks", allow("*", "lambent:CreateHook"))
    create = ("create", "to-bus", "--kind", "cloudevents", "--bus", "default")
    code, text = typed(strict, maker, *create)
    assert (code, "events:PutEvents" in text) == (1, True)
    both = strict.user("both", allow("*", "lambent:CreateHook", "events:PutEvents"))
    assert typed(strict, both, *create)[0] == 0


def test_alexa(strict: Strict) -> None:
    """It is Alexa that calls, for a skill, as in AWS."""
    client = strict.client("lambda")
    skill = ("--kind", "alexa", "--function", "called", "--local", "--skill")
    permission = {
        "FunctionName": "called",
        "StatementId": "alexa",
        "Action": "lambda:InvokeFunction",
        "Principal": "alexa-appkit.amazon.com",
        "EventSourceToken": SKILL,
    }
    client.add_permission(**permission)
    code, text = typed(strict, strict.root, "create", "other-skill", *skill, SKILL + "x")
    assert (code, "alexa-appkit.amazon.com" in text) == (1, True)
    assert typed(strict, strict.root, "create", "skill", *skill, SKILL)[0] == 0
    # The function is no skill, but it is called.
    before = len(events_of(strict.platform, "called"))
    assert "did not respond" in typed(strict, strict.root, "send", "skill")[1]
    assert len(events_of(strict.platform, "called", before + 1)) == before + 1
