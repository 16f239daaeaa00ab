"""Mosquitto, a broker with MQTT, as packaged by the distribution."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.servers.certificates import Certificates
from tests.servers.processes import Server, answers, free_port, skip_without

_PROGRAM = "/usr/sbin/mosquitto"


class Mosquitto(Server):
    """A broker for user alice with password secret; over TLS, for clients with a certificate of the
    tests' authority; at `open_port`, for all. Sessions survive a stop, but no kill."""

    def __init__(self) -> None:
        super().__init__()
        self.port, self.tls_port, self.open_port = free_port(), free_port(), free_port()
        self.certificates = Certificates(self.directory)
        passwords = self.directory / "passwords"
        passwords.write_text("alice:secret\n")
        subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, timeout=20)
        (self.directory / "access").write_text("topic read #\nuser alice\ntopic #\n")
        (self.directory / "mosquitto.conf").write_text(self._configuration())

    def _configuration(self) -> str:
        # As root it would change to a user who cannot read its directory.
        user = "root" if os.getuid() == 0 else "mosquitto"
        return f"""\
user {user}
per_listener_settings true
persistence true
persistence_location {self.directory}/
autosave_interval 1
log_type error
log_type warning
log_type subscribe
listener {self.port} 127.0.0.1
allow_anonymous false
password_file {self.directory}/passwords
acl_file {self.directory}/access
listener {self.open_port} 127.0.0.1
allow_anonymous true
listener {self.tls_port} 127.0.0.1
cafile {self.certificates.authority}
certfile {self.certificates.server}
keyfile {self.certificates.server_key}
require_certificate true
use_identity_as_username true
"""

    def command(self) -> list[str]:
        return [_PROGRAM, "-c", f"{self.directory}/mosquitto.conf"]

    def is_ready(self) -> bool:
        return all(map(answers, (self.port, self.tls_port, self.open_port)))


@pytest.fixture(scope="session")
def mosquitto() -> Iterator[Mosquitto]:
    """One for all tests that do not stop it; each has topics of its own."""
    skip_without(_PROGRAM, "mosquitto")
    with Mosquitto() as server:
        yield server
