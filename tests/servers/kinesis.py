"""Kinesis whose shards split and merge as in AWS. Enhanced fan-out is tested with ministack."""

import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.platforms import wait_for
from tests.servers.ministack import ACCOUNT, aws_client
from tests.servers.processes import INSTALLED, Server, free_port

_PROGRAM = INSTALLED / "node" / "node_modules" / "kinesis-local"
_CHANGES = (
    "CREATE_STREAM",
    "DELETE_STREAM",
    "MERGE_SHARDS",
    "SPLIT_SHARD",
    "UPDATE_SHARD_COUNT",
    "REGISTER_STREAM_CONSUMER",
)


class Kinesis(Server):
    """kinesis-local, which saves its streams now and then: it loses later records when it is
    killed. `save` waits until nothing would be lost."""

    def __init__(self) -> None:
        super().__init__()
        self.port, self._tls_port = free_port(), free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        preload = Path(__file__).parent / "js" / "loopback.js"
        return ["node", "-r", str(preload), str(_PROGRAM / "main.js")]

    def environment(self) -> Mapping[str, str]:
        return {
            **{f"{change}_DURATION": "50ms" for change in _CHANGES},
            "KINESIS_MOCK_PLAIN_PORT": str(self.port),
            "KINESIS_MOCK_TLS_PORT": str(self._tls_port),
            "KINESIS_MOCK_CERT_PATH": str(_PROGRAM / "server.json"),
            "SHOULD_PERSIST_DATA": "true",
            "PERSIST_PATH": str(self.directory / "data"),
            "PERSIST_INTERVAL": "250ms",
        }

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint}/healthcheck", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False

    def save(self) -> None:
        """Wait until everything it holds now is saved."""
        # Each time the file is emptied and rewritten, and the first time may have begun before.
        for _ in range(4):
            before = self._saved_at()
            wait_for(lambda seen=before: self._saved_at() > seen, "the streams are saved")

    def kill(self) -> None:
        """Kill it while its file is complete; otherwise it would not start again."""
        while self._process is not None and self.is_running:
            self._process.send_signal(signal.SIGSTOP)
            if not self._file.exists() or self._saved() is not None:
                break
            self._process.send_signal(signal.SIGCONT)
        super().kill()

    def _saved_at(self) -> int:
        """The time of the last save, in nanoseconds; 0 if there was none."""
        return self._file.stat().st_mtime_ns if self._file.exists() else 0

    def _saved(self) -> bytes | None:
        """The saved state; None while the file is being written."""
        content = self._file.read_bytes()
        try:
            json.loads(content)
        except ValueError:
            return None
        return content

    @property
    def _file(self) -> Path:
        return self.directory / "data" / "kinesis-data.json"

    def stop(self) -> None:
        """Save and end. A termination signal would make it wait for its clients and not save."""
        whole = None
        if self.is_running:
            self.save()
            whole = wait_for(self._saved, "it is saved whole")
        self.kill()
        if whole is not None:
            self._file.write_bytes(whole)  # It may have begun to write again.

    def client(self, account: str = ACCOUNT, **more: Any) -> Any:
        """A boto3 client. Each account has its own resources."""
        return aws_client("kinesis", self.endpoint, account, **more)


@pytest.fixture(scope="session")
def kinesis() -> Iterator[Kinesis]:
    """One for all tests that do not stop it."""
    with Kinesis() as server:
        yield server
