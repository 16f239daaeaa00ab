"""ActiveMQ, as packaged by the distribution."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from tests.servers.certificates import Certificates
from tests.servers.processes import Server, answers, free_port, skip_without

_HOME = "/usr/share/activemq"
_PROGRAM = f"{_HOME}/bin/activemq.jar"
_CONFIGURATION = Path(__file__).parent / "activemq.xml"


class ActiveMq(Server):
    """A broker with STOMP, and STOMP over TLS, with two users: alice (password secret), and bob
    (password bobs), who may use no queue. Persistent messages survive a kill -9.

    A message that a client refuses (NACK) goes to the queue ActiveMQ.DLQ at once; one that is not
    acknowledged when its connection ends is delivered again.
    """

    ready_within_s = 60.0

    def __init__(self) -> None:
        super().__init__()
        self.port, self.tls_port = free_port(), free_port()
        self.certificates = Certificates(self.directory)
        self._write_key_store()

    def _write_key_store(self) -> None:
        """Java reads keys from an archive."""
        key = serialization.load_pem_private_key(self.certificates.server_key.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(self.certificates.server.read_bytes())
        archive = pkcs12.serialize_key_and_certificates(
            b"server", key, certificate, None, serialization.BestAvailableEncryption(b"secret")
        )
        (self.directory / "server.p12").write_bytes(archive)

    def command(self) -> list[str]:
        properties = {
            "activemq.home": _HOME,
            "activemq.base": self.directory,
            "activemq.conf": self.directory,
            "activemq.data": self.directory,
            "java.io.tmpdir": self.directory,
            "stomp.port": self.port,
            "stomp.tls.port": self.tls_port,
        }
        return [
            *("java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            *(f"-D{name}={value}" for name, value in properties.items()),
            *("-jar", _PROGRAM, "start", f"xbean:{_CONFIGURATION.as_uri()}"),
        ]

    def is_ready(self) -> bool:
        return answers(self.port) and answers(self.tls_port)


@pytest.fixture(scope="session")
def activemq() -> Iterator[ActiveMq]:
    """One for all tests that do not stop it; each uses its own queues."""
    skip_without(_PROGRAM, "activemq")
    with ActiveMq() as server:
        yield server
