"""A platform with brokers that only its settings know, and its own Secrets Manager and S3."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tests.platforms import log_lines

from .conftest import Platform, wait_for

FAILS_TWICE = """
calls = 0
def act(event):
    global calls
    calls += 1
    if calls < 3:
        raise ValueError("not yet")
"""
_IMPATIENT = ("retry_s=0.05", "retry_max_s=0.2", "backoff_s=0.2", "backoff_max_s=1")


class OwnBrokers:
    """The platform, and what mappings need besides."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.secret = self.new_secret("alice", username="alice", password="secret")
        self.wrong_secret = self.new_secret("guess", username="alice", password="guess")

    def new_secret(self, name: str, **members: str) -> str:
        """A secret with these members; returns its ARN."""
        client = self.platform.client("secretsmanager")
        arn: str = client.create_secret(Name=name, SecretString=json.dumps(members))["ARN"]
        return arn

    def log(self, function: str) -> str:
        """What a function has logged; empty if it was never called."""
        try:
            return "\n".join(log_lines(self.platform, function))
        except ClientError:
            return ""

    def wait_result(self, uuid: str, result: str) -> None:
        """Wait until a mapping's LastProcessingResult has this prefix."""
        client = self.platform.client("lambda")

        def is_shown() -> bool:
            shown = client.get_event_source_mapping(UUID=uuid).get("LastProcessingResult", "")
            return bool(shown.startswith(result))

        wait_for(is_shown, f"{uuid} says {result}")

    def bucket(self, name: str) -> str:
        """A new bucket; returns its name."""
        self.platform.client("s3").create_bucket(Bucket=name)
        return name

    def wait_object(self, bucket: str) -> Any:
        """The first object of a bucket, which is JSON."""
        client = self.platform.client("s3")

        def keys() -> list[str]:
            found = client.list_objects_v2(Bucket=bucket).get("Contents", [])
            return [entry["Key"] for entry in found]

        key = wait_for(keys, f"{bucket} has an object")[0]
        return json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())


@contextmanager
def own_brokers(
    directory: Path, places: Mapping[str, str], authority: Path | None = None
) -> Iterator[OwnBrokers]:
    """Run a platform with brokers at these URLs, by the end of their ARN. It trusts the system's
    authorities, or one authority of the tests."""
    brokers = ",".join(f"arn:aws:{name}={url}" for name, url in places.items())
    options = ["--set", f"polling.brokers={brokers}"]
    for setting in _IMPATIENT:
        options += ["--set", f"polling.{setting}"]
    environment = {}
    if authority is not None:
        trusted = directory / "data" / "state" / "authority.pem"
        trusted.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(authority, trusted)
        environment["SSL_CERT_FILE"] = str(trusted)
    running = Platform(directory / "data", *options, environment=environment)
    try:
        yield OwnBrokers(running)
    finally:
        code = running.stop()
    assert code == 0, running.output
    assert "Traceback" not in running.output, running.output
