"""Queues and streams on a machine that no fault touches."""

import urllib.request
from collections.abc import Mapping
from typing import Any, Self

from tests.faults.network import Network
from tests.servers.ministack import Ministack, aws_client
from tests.servers.processes import Server

_PORT = 4566


class Services(Ministack):
    """An emulator of SQS, Kinesis and S3."""

    def __init__(self, network: Network, machine: str, port: int = _PORT) -> None:
        Server.__init__(self)
        self._variables: Mapping[str, str] = {}
        self._network, self._machine = network, machine
        self.port = port
        self._address = network.address(machine)
        self.endpoint = f"http://{self._address}:{port}"

    def __enter__(self) -> Self:
        return Server.__enter__(self)

    def __exit__(self, *error: object) -> None:
        Server.__exit__(self, *error)

    def command(self) -> list[str]:
        return [*self._network.command(self._machine), *super().command()]

    def environment(self) -> Mapping[str, str]:
        return {
            **super().environment(),
            "BIND_HOST": self._address,
            "MINISTACK_HOST": self._address,
            "PERSIST_STATE": "0",
        }

    def is_ready(self) -> bool:
        try:
            with self._network.inside(self._machine):
                urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=5).close()
        except OSError:
            return False
        return True

    def client(self, service: str, account: str = "000000000000", **more: Any) -> Any:
        """A boto3 client, to be used in the network."""
        return aws_client(service, self.endpoint, account, **more)
