"""A strict platform whose mail goes to a server of the tests."""

import dataclasses
import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config

from tests.platforms import Platform, deploy, invoke, log_lines
from tests.scenario.test_identity import TRUST, Strict
from tests.servers.smtp import Smtp

PASSWORD = "Passw0rd!x"
TRIGGER = (Path(__file__).parent / "trigger.py").read_text()
ALL = (
    *("PreSignUp", "CustomMessage", "PostConfirmation", "PreAuthentication", "PostAuthentication"),
    *("DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse"),
    *("PreTokenGeneration", "UserMigration"),
)
FLOWS = [
    *("ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"),
    *("ALLOW_CUSTOM_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"),
]


@dataclasses.dataclass(frozen=True)
class World:
    """The platform, and the server of mail."""

    strict: Strict
    smtp: Smtp

    @property
    def platform(self) -> Platform:
        return self.strict.platform

    @cached_property
    def owner(self) -> Any:
        """A client of the account's owner."""
        return self.strict.client("cognito-idp")

    @cached_property
    def people(self) -> Any:
        """A client without credentials, as apps have."""
        return self.platform.client("cognito-idp", config=Config(signature_version=UNSIGNED))

    def trigger(self, name: str, pool: str = "*") -> str:
        """A function that a pool may call, and that has started: its ARN. On a busy machine a start
        can take longer than the 5 seconds of a trigger."""
        client = self.strict.client("lambda")
        arn: str = deploy(client, name, {"app.py": TRIGGER})["FunctionArn"]
        assert invoke(client, name, {})[0] is None
        self.allow(name, pool)
        return arn

    def allow(self, name: str, pool: str) -> None:
        """Let pools call a function."""
        self.strict.client("lambda").add_permission(
            FunctionName=name,
            StatementId="pool",
            Action="lambda:InvokeFunction",
            Principal="cognito-idp.amazonaws.com",
            SourceArn=f"arn:aws:cognito-idp:us-east-1:000000000000:userpool/{pool}",
        )

    def pool(self, **more: Any) -> tuple[str, str]:
        """A pool and a client of it: their ids."""
        options = {"PoolName": "people", "AutoVerifiedAttributes": ["email"], **more}
        pool: str = self.owner.create_user_pool(**options)["UserPool"]["Id"]
        return pool, self.client(pool)

    def client(self, pool: str, **more: Any) -> str:
        """A client of a pool."""
        options = {"ClientName": "app", "ExplicitAuthFlows": FLOWS, **more}
        made = self.owner.create_user_pool_client(UserPoolId=pool, **options)
        id: str = made["UserPoolClient"]["ClientId"]
        return id

    def events(self, name: str) -> list[Any]:
        """The events that a function has printed."""
        logs = self.strict.client("logs")
        lines = log_lines(_Logs(logs), name)  # type: ignore[arg-type]
        return [json.loads(line.removeprefix("GOT ")) for line in lines if line.startswith("GOT ")]


@dataclasses.dataclass(frozen=True)
class _Logs:
    logs: Any


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Smtp() as smtp:
        platform = Platform(
            tmp_path_factory.mktemp("pools") / "data",
            *("--auth", "strict"),
            environment={
                "LAMBENT_COGNITO__SMTP_URL": smtp.url,
                "LAMBENT_COGNITO__EMAIL_FROM": "pools@example.com",
            },
        )
        strict = Strict(platform)
        strict.client("iam").create_role(
            RoleName="lambda-role", AssumeRolePolicyDocument=json.dumps(TRUST)
        )
        yield World(strict, smtp)
        assert platform.stop() == 0, platform.output
        assert "Traceback" not in platform.output
