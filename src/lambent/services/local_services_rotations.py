"""Rotations of secrets, which ministack stores and does not run.

Part of the emulator's program, which loads this file; it imports nothing of the platform.
"""

import contextvars
import importlib
import json
import re
import sys
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

_DUE_EVERY_S = 60.0
_DAY_S = 86_400
_RATE = re.compile(r"rate\(([1-9]\d{0,3}) (hour|day)s?\)")


def lead_rotations(
    deliveries: Any, replace: Callable[[Any, str, Callable[..., Any]], None]
) -> None:
    """Have functions of the platform rotate secrets. `replace` replaces a function of a module of
    ministack."""
    secrets = importlib.import_module("ministack.services.secretsmanager")
    responses = importlib.import_module("ministack.core.responses")
    rotations = Rotations(secrets, responses, deliveries)
    replace(secrets, "_rotate_secret", rotations.rotate)
    replace(secrets, "_get_secret_value", rotations.value_reader(secrets._get_secret_value))
    replace(secrets, "_describe_secret", rotations.describer(secrets._describe_secret))
    threading.Thread(target=rotations.run_schedules, daemon=True).start()


class Rotations:
    """Rotation of secrets by functions, at once and on schedules. See `Rotation by Lambda function`
    in Secrets Manager's user guide."""

    def __init__(self, secrets: Any, responses: Any, deliveries: Any) -> None:
        """`secrets` and `responses` are modules of ministack."""
        self._secrets = secrets
        self._responses = responses
        self._deliveries = deliveries
        self._running: set[str] = set()

    def rotate(self, data: Json) -> Any:
        """RotateSecret: begins a rotation and returns."""
        error = self._responses.error_response_json
        _, secret = self._secrets._resolve(data.get("SecretId"))
        if not secret:
            text = "Secrets Manager can't find the specified secret."
            return error("ResourceNotFoundException", text, 400)
        if self._secrets._is_replica(secret):
            return self._secrets._replica_mutation_error()
        arn = data.get("RotationLambdaARN") or secret.get("RotationLambdaARN")
        if secret.get("DeletedDate") or not arn:
            text = "it was marked for deletion" if arn else "no rotation function is associated"
            return error("InvalidRequestException", f"You can't rotate this secret: {text}.", 400)
        rules = data.get("RotationRules") or secret.get("RotationRules") or {}
        if period_s(rules) is None and rules:
            text = "RotationRules need AutomaticallyAfterDays, or a rate of hours or days."
            return error("InvalidParameterException", text, 400)
        if any(is_pending(version) for version in secret["Versions"].values()):
            self._start(secret)
            text = "A previous rotation isn't complete. That rotation will be reattempted."
            return error("InvalidRequestException", text, 400)
        secret.update(RotationLambdaARN=arn, RotationRules=rules, RotationEnabled=True)
        secret.setdefault("_RotationBegan", time.time())
        token = data.get("ClientRequestToken") or str(uuid.uuid4())
        is_test = data.get("RotateImmediately") is False
        self._add_pending(secret, token, is_test=is_test)
        self._start(secret, is_test=is_test)
        found = {"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": token}
        return self._responses.json_response(found)

    def value_reader(self, read: Callable[[Json], Any]) -> Callable[[Json], Any]:
        """GetSecretValue: a version that has no value yet is not found."""

        def get(data: Json) -> Any:
            response = read(data)
            if response[0] == 200 and not {"SecretString", "SecretBinary"} & set(
                json.loads(response[2])
            ):
                text = "Secrets Manager can't find the specified secret value."
                return self._responses.error_response_json("ResourceNotFoundException", text, 400)
            return response

        return get

    def describer(self, describe: Callable[[Json], Any]) -> Callable[[Json], Any]:
        """DescribeSecret, with the times of rotations."""

        def describe_all(data: Json) -> Any:
            response = describe(data)
            _, secret = self._secrets._resolve(data.get("SecretId"))
            if response[0] != 200 or not secret.get("RotationEnabled"):
                return response
            found = json.loads(response[2])
            if "LastRotatedDate" in secret:
                found["LastRotatedDate"] = secret["LastRotatedDate"]
            if (due := due_at(secret)) is not None:
                found["NextRotationDate"] = due
            return self._responses.json_response(found)

        return describe_all

    def run_schedules(self) -> None:
        """Rotate what is due, forever."""
        while True:
            threading.Event().wait(_DUE_EVERY_S)
            try:
                self.rotate_due(time.time())
            except Exception as error:  # One broken secret must not end the schedules of others.
                _log(f"rotations of secrets fail: {error!r}")

    def rotate_due(self, now: float) -> None:
        """Begin each rotation whose time has come; one that failed is retried."""
        for (account, region, _), secret in self._secrets._secrets.all_items():
            due = due_at(secret)
            if due is None or now < due:
                continue
            context = contextvars.copy_context()
            context.run(self._responses._request_account_id.set, account)
            context.run(self._responses._request_region.set, region)
            if not any(is_pending(version) for version in secret["Versions"].values()):
                self._add_pending(secret, str(uuid.uuid4()))
            context.run(self._start, secret)

    def _add_pending(self, secret: Json, token: str, *, is_test: bool = False) -> None:
        """Add the version that the function fills; a test gets the current value."""
        current = self._secrets._find_stage_version(secret, "AWSCURRENT")[1] if is_test else None
        # A label is at one version; the last rotation may have left it at the current one.
        self._secrets._remove_stage_everywhere(secret, "AWSPENDING")
        secret["Versions"][token] = {
            "SecretString": current["SecretString"] if current else None,
            "SecretBinary": current["SecretBinary"] if current else None,
            "CreatedDate": int(time.time()),
            "Stages": ["AWSPENDING"],
        }

    def _start(self, secret: Json, *, is_test: bool = False) -> None:
        if secret["ARN"] in self._running:
            return
        self._running.add(secret["ARN"])
        run = (contextvars.copy_context().run, self._run, secret, is_test)
        threading.Thread(target=run[0], args=run[1:], daemon=True).start()

    def _run(self, secret: Json, is_test: bool) -> None:
        arn, versions = secret["ARN"], secret["Versions"]
        token = next(name for name, version in versions.items() if is_pending(version))
        source = {
            "service": "secretsmanager.amazonaws.com",
            "arn": arn,
            "account": arn.split(":")[4],
        }
        steps = (
            ["testSecret"]
            if is_test
            else ["createSecret", "setSecret", "testSecret", "finishSecret"]
        )
        try:
            for step in steps:
                event = {"Step": step, "SecretId": arn, "ClientRequestToken": token}
                if self._deliveries.call(secret["RotationLambdaARN"], event, source).get("error"):
                    _log(f"the rotation of {arn} failed in the step {step}")
                    return
            if "AWSCURRENT" in versions.get(token, {}).get("Stages", ()):
                secret["LastRotatedDate"] = int(time.time())
            elif not is_test:
                _log(f"the rotation of {arn} ended without a current version of its own")
        finally:
            if is_test:
                versions.pop(token, None)
            self._running.discard(arn)


def is_pending(version: Json) -> bool:
    """Whether a version of a secret belongs to a rotation that is not complete."""
    return "AWSPENDING" in version["Stages"] and "AWSCURRENT" not in version["Stages"]


def period_s(rules: Json) -> int | None:
    """The seconds between rotations; None if the rules have none that is offered."""
    if isinstance(days := rules.get("AutomaticallyAfterDays"), int) and 1 <= days <= 1000:
        return days * _DAY_S
    if match := _RATE.fullmatch(str(rules.get("ScheduleExpression", ""))):
        return int(match[1]) * (3600 if match[2] == "hour" else _DAY_S)
    return None


def due_at(secret: Json) -> float | None:
    """When the secret is rotated next; None if it is not. A replica changes with its primary."""
    if not secret.get("RotationEnabled") or secret.get("DeletedDate") or "_PrimaryRegion" in secret:
        return None
    period = period_s(secret.get("RotationRules") or {})
    began = secret.get("LastRotatedDate", secret.get("_RotationBegan"))
    return began + period if period is not None and began is not None else None


def _log(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
