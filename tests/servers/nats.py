"""NATS with JetStream, as packaged by the distribution."""

from collections.abc import Iterator

import pytest

from tests.servers.processes import Server, answers, free_port, skip_without

_PROGRAM = "/usr/sbin/nats-server"


class Nats(Server):
    """A server for user alice with password secret, or for all. Streams survive a stop."""

    def __init__(self, *, is_open: bool = False) -> None:
        super().__init__()
        users = "" if is_open else "authorization { user: alice, password: secret }"
        self.port = free_port()
        (self.directory / "nats.conf").write_text(f"""\
listen: 127.0.0.1:{self.port}
jetstream {{ store_dir: "{self.directory}/streams" }}
{users}
""")

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"nats://alice:secret@127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [_PROGRAM, "-c", f"{self.directory}/nats.conf"]

    def is_ready(self) -> bool:
        return answers(self.port)


@pytest.fixture(scope="session")
def nats_server() -> Iterator[Nats]:
    """One for all tests that do not stop it; each has a stream of its own."""
    skip_without(_PROGRAM, "nats-server")
    with Nats() as server:
        yield server
