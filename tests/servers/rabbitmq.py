"""RabbitMQ, as packaged by the distribution."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from urllib.parse import quote

import pytest

from tests.platforms import wait_for
from tests.servers.certificates import Certificates
from tests.servers.processes import Server, answers, free_port, skip_without

_PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"
_CONTROL = "/usr/lib/rabbitmq/bin/rabbitmqctl"
_CONTROL_TIMEOUT_S = 30


class RabbitMq(Server):
    """A broker with AMQP, AMQP over TLS and the management API, for user alice with password
    secret. Durable queues survive a kill -9."""

    ready_within_s = 120.0

    def __init__(self) -> None:
        super().__init__()
        self.port, self.tls_port, self.management_port = free_port(), free_port(), free_port()
        self._ports = (self.port, self.tls_port, self.management_port)
        self._distribution_port, self._names_port = free_port(), free_port()
        self.certificates = Certificates(self.directory)
        self._names: subprocess.Popen[bytes] | None = None
        (self.directory / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (self.directory / "rabbitmq.conf").write_text(self._configuration())

    def _configuration(self) -> str:
        return f"""\
listeners.tcp.local = 127.0.0.1:{self.port}
listeners.ssl.local = 127.0.0.1:{self.tls_port}
ssl_options.certfile = {self.certificates.server}
ssl_options.keyfile = {self.certificates.server_key}
management.tcp.ip = 127.0.0.1
management.tcp.port = {self.management_port}
default_user = alice
default_pass = secret
default_user_tags.administrator = true
vm_memory_high_watermark.absolute = 256MB
disk_free_limit.absolute = 10MB
"""

    def url(self, vhost: str = "/", *, tls: bool = False) -> str:
        """The URL for clients."""
        scheme, port = ("amqps", self.tls_port) if tls else ("amqp", self.port)
        return f"{scheme}://alice:secret@127.0.0.1:{port}/{quote(vhost, safe='')}"

    def add_vhost(self, name: str) -> None:
        """Create a vhost that alice may use."""
        self.control("add_vhost", name)
        self.control("set_permissions", "-p", name, "alice", ".*", ".*", ".*")

    def write_down(self) -> None:
        """Make it write its queues to disk. By default it does so seconds later: if it is killed
        before that, a declared queue is lost."""
        assert "ok" in self.control("eval", "mnesia:sync_log().")

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl; returns its output."""
        done = subprocess.run(
            [_CONTROL, "-q", *arguments],
            env={**os.environ, **self.environment()},
            capture_output=True,
            text=True,
            timeout=_CONTROL_TIMEOUT_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def command(self) -> list[str]:
        return [_PROGRAM]

    def environment(self) -> Mapping[str, str]:
        home = str(self.directory)
        return {
            "HOME": home,
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_LOG_BASE": f"{home}/logs",
            "RABBITMQ_MNESIA_BASE": f"{home}/mnesia",
            "RABBITMQ_PID_FILE": f"{home}/pid",
            "RABBITMQ_NODENAME": "tests@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none"
            ),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names_port),
        }

    def is_ready(self) -> bool:
        return all(map(answers, self._ports))

    def start(self) -> None:
        """Start Erlang's name server too: one that the broker started would outlive it."""
        self._names = subprocess.Popen(
            ["epmd"],
            env={**os.environ, **self.environment()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(lambda: answers(self._names_port), "Erlang's name server serves")
        super().start()

    def _end(self, how: signal.Signals) -> None:
        super()._end(how)
        # A script started Erlang, so this process cannot wait for its end; its ports show it.
        wait_for(lambda: not any(map(answers, self._ports)), "RabbitMQ has ended")
        names, self._names = self._names, None
        if names is not None:
            names.kill()
            names.wait()


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMq]:
    """One for all tests that do not stop it; each creates its own vhost."""
    skip_without(_PROGRAM, "rabbitmq-server")
    with RabbitMq() as server:
        yield server
