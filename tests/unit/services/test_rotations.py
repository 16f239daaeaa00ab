"""When secrets of the emulator are rotated."""

import contextvars
import queue
from types import SimpleNamespace
from typing import Any

import pytest

from lambent.services.local_services_rotations import Rotations, due_at, is_pending, period_s

HOUR, DAY = 3600, 86_400
ARN = "arn:aws:secretsmanager:eu-west-1:222222222222:secret:db-aaaaaa"
account: contextvars.ContextVar[str] = contextvars.ContextVar("account")
region: contextvars.ContextVar[str] = contextvars.ContextVar("region")


@pytest.mark.parametrize(
    ("rules", "seconds"),
    [
        ({"AutomaticallyAfterDays": 1}, DAY),
        ({"AutomaticallyAfterDays": 1000}, 1000 * DAY),
        ({"ScheduleExpression": "rate(4 hours)"}, 4 * HOUR),
        ({"ScheduleExpression": "rate(1 day)"}, DAY),
        ({}, None),
        ({"AutomaticallyAfterDays": 0}, None),
        ({"AutomaticallyAfterDays": 10**9}, None),
        ({"AutomaticallyAfterDays": "9"}, None),
        ({"ScheduleExpression": "rate(0 days)"}, None),
        ({"ScheduleExpression": "rate(1 minute)"}, None),
        ({"ScheduleExpression": "cron(0 8 1 * ? *)"}, None),
        ({"ScheduleExpression": ["rate(1 day)"]}, None),
    ],
)
def test_periods(rules: dict[str, Any], seconds: int | None) -> None:
    assert period_s(rules) == seconds


def secret(**members: Any) -> dict[str, Any]:
    """A secret that has a rotation each day, since time 0."""
    return {
        "ARN": ARN,
        "RotationEnabled": True,
        "RotationLambdaARN": "function",
        "RotationRules": {"AutomaticallyAfterDays": 1},
        "_RotationBegan": 0.0,
        "Versions": {"one": {"Stages": ["AWSCURRENT", "AWSPENDING"]}},
        **members,
    }


@pytest.mark.parametrize(
    ("members", "due"),
    [
        ({}, DAY),
        ({"LastRotatedDate": HOUR}, DAY + HOUR),
        ({"RotationEnabled": False}, None),
        ({"RotationRules": {}}, None),
        ({"DeletedDate": 1}, None),
        ({"_PrimaryRegion": "us-east-1"}, None),
    ],
)
def test_when_a_secret_is_due(members: dict[str, Any], due: float | None) -> None:
    assert due_at(secret(**members)) == due


class Deliveries:
    """Records the steps; the step `fails` fails."""

    def __init__(self, fails: str = "") -> None:
        self.steps: queue.Queue[tuple[str, str, str, str]] = queue.Queue()
        self._fails = fails

    def call(self, arn: str, event: dict[str, str], source: dict[str, str]) -> dict[str, Any]:
        assert (arn, source["arn"], source["account"]) == ("function", ARN, "222222222222")
        step = event["Step"]
        self.steps.put((step, event["ClientRequestToken"], account.get(), region.get()))
        return {"error": True} if step == self._fails else {"body": None}


def rotations(kept: dict[str, Any], deliveries: Deliveries) -> Rotations:
    def remove(secret: dict[str, Any], stage: str) -> None:
        for version in secret["Versions"].values():
            version["Stages"] = [each for each in version["Stages"] if each != stage]

    items = [(("222222222222", "eu-west-1", "db"), kept)]
    secrets = SimpleNamespace(
        _secrets=SimpleNamespace(all_items=lambda: items), _remove_stage_everywhere=remove
    )
    responses = SimpleNamespace(_request_account_id=account, _request_region=region)
    return Rotations(secrets, responses, deliveries)


def test_what_is_due_is_rotated_in_its_account() -> None:
    """Once, with the four steps and a new version; the label leaves the old one."""
    kept, deliveries = secret(), Deliveries()
    rotating = rotations(kept, deliveries)
    rotating.rotate_due(DAY - 1)
    assert list(kept["Versions"]) == ["one"]
    rotating.rotate_due(DAY)
    seen = [deliveries.steps.get(timeout=10) for _ in range(4)]
    steps, tokens, accounts, regions = zip(*seen, strict=True)
    assert steps == ("createSecret", "setSecret", "testSecret", "finishSecret")
    assert (set(accounts), set(regions)) == ({"222222222222"}, {"eu-west-1"})
    (token,) = set(tokens)
    assert is_pending(kept["Versions"][token])
    assert kept["Versions"]["one"]["Stages"] == ["AWSCURRENT"]
    assert deliveries.steps.empty()


def test_a_rotation_that_failed_is_retried_with_its_version() -> None:
    kept = secret(Versions={"two": {"Stages": ["AWSPENDING"]}})
    deliveries = Deliveries("createSecret")
    for _ in range(2):
        # Each has an object of its own: the attempt before may still be ending.
        rotations(kept, deliveries).rotate_due(DAY)
        assert deliveries.steps.get(timeout=10)[:2] == ("createSecret", "two")
    assert "LastRotatedDate" not in kept
    assert list(kept["Versions"]) == ["two"]
