"""Many AWS services in one process: SQS, SNS, S3, DynamoDB and its streams, Secrets Manager,
Kinesis with enhanced fan-out, and the control planes of MSK and Amazon MQ."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any, Self

import boto3
import pytest
from botocore.config import Config

from tests.servers.processes import INSTALLED, Server, answers, free_port
from tests.servers.strict import Strict

ACCOUNT = "000000000000"


def aws_client(service: str, endpoint: str, account: str = ACCOUNT, **more: Any) -> Any:
    """A boto3 client of a server on which the access key is the account."""
    options: dict[str, Any] = {
        "endpoint_url": endpoint,
        "region_name": "us-east-1",
        "aws_access_key_id": account,
        "aws_secret_access_key": "secret",
        "config": Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30),
    }
    return boto3.client(service, **{**options, **more})


class Ministack(Server):
    """Ministack; `stop` saves its state, `kill` loses all changes since it started.

    Set the brokers that it reports for every MSK cluster with `MINISTACK_MSK_BOOTSTRAP`,
    `MINISTACK_MSK_BOOTSTRAP_TLS` or `MINISTACK_MSK_BOOTSTRAP_SASL_SCRAM`.
    """

    def __init__(self, **variables: str) -> None:
        super().__init__()
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._strict = Strict(self.port)
        self.strict_endpoint = self._strict.endpoint
        """Its endpoint for the platform: refuses requests that SQS and SNS refuse in AWS."""
        self._variables = variables

    def __enter__(self) -> Self:
        self._strict.__enter__()
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._strict.__exit__(*error)

    def command(self) -> list[str]:
        return [str(INSTALLED / "python" / "bin" / "ministack")]

    def environment(self) -> Mapping[str, str]:
        return {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_HOST": "127.0.0.1",
            "LAMBDA_EXECUTOR": "local",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.directory / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.directory / "s3"),
            "TMPDIR": str(self.directory),
            **self._variables,
        }

    def is_ready(self) -> bool:
        if not answers(self.port):
            return False
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except urllib.error.URLError:
            return False

    def client(self, service: str, account: str = ACCOUNT, **more: Any) -> Any:
        """A boto3 client. Each account has its own resources."""
        return aws_client(service, self.endpoint, account, **more)

    def move_broker(self, broker_id: str, endpoints: list[str]) -> None:
        """Make DescribeBroker return the endpoint of an Amazon MQ broker; restarts the server."""
        self.stop()
        saved = self.directory / "state" / "mq.json"
        state = json.loads(saved.read_text())
        for broker in state["payload"]["brokers"]["data"].values():
            if broker["brokerId"] == broker_id:
                broker["brokerInstances"][0]["endpoints"] = endpoints
        saved.write_text(json.dumps(state))
        self.start()


@pytest.fixture(scope="session")
def ministack() -> Iterator[Ministack]:
    """One for all tests that do not stop it."""
    with Ministack() as server:
        yield server
