"""Platforms with the addresses of brokers, and secrets to log in."""

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.ministack import Ministack

from .conftest import Function, Platform, impatient

PASSWORD = "secret"
"""Alice's password, at all brokers of the tests."""


def broker_arn(name: str) -> str:
    """A broker that only the settings know."""
    return f"arn:aws:mq:us-east-1:000000000000:broker:{name}:b-{name}"


@contextmanager
def broker_platform(
    ministack: Ministack,
    directory: Path,
    places: Mapping[str, str],
    authority: Path | None = None,
) -> Iterator[Platform]:
    """An impatient platform with brokers at these URLs, by name. It trusts the system's
    authorities, or one authority of the tests."""
    brokers = ",".join(f"{broker_arn(name)}={url}" for name, url in places.items())
    options = [*impatient(ministack), "--set", f"polling.brokers={brokers}"]
    environment = {}
    if authority is not None:
        # The platform sees little of the machine, except its own files.
        trusted = directory / "data" / "state" / "authority.pem"
        trusted.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(authority, trusted)
        environment["SSL_CERT_FILE"] = str(trusted)
    running = Platform(directory / "data", *options, environment=environment)
    try:
        yield running
    finally:
        was_killed = running.process.returncode is not None
        code = 0 if was_killed else running.stop()
    assert code == 0, running.output
    assert "Traceback" not in running.output, running.output
    for secret in (PASSWORD, "a guess"):
        assert f":{secret}@" not in running.output
        assert f"'{secret}'" not in running.output


class Secret:
    """User and password, as the secret of mappings."""

    def __init__(self, ministack: Ministack, password: str = PASSWORD, user: str = "alice") -> None:
        self._client = ministack.client("secretsmanager")
        self.arn: str = self._client.create_secret(
            Name=f"broker-{uuid.uuid4().hex}", SecretString=_text(user, password)
        )["ARN"]

    def change(self, password: str, user: str = "alice") -> None:
        """Change the password."""
        self._client.put_secret_value(SecretId=self.arn, SecretString=_text(user, password))


def _text(user: str, password: str) -> str:
    return json.dumps({"username": user, "password": password})


def map_queue(
    function: Function, broker: str, queue: str, secret: Secret, vhost: str = "", **more: Any
) -> str:
    """Map a queue to a function; returns the mapping's UUID."""
    access = [{"Type": "BASIC_AUTH", "URI": secret.arn}]
    if vhost:
        access.append({"Type": "VIRTUAL_HOST", "URI": vhost})
    return function.map(
        broker_arn(broker), Queues=[queue], SourceAccessConfigurations=access, **more
    )
