"""A certificate authority for the tests, with a certificate for servers and one for a client."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LIFETIME = timedelta(days=1)


class Certificates:
    """Files in PEM; the server's names are 127.0.0.1 and localhost, the client's is CN=client."""

    def __init__(self, directory: Path) -> None:
        self.authority = directory / "authority.pem"
        self.server, self.server_key = directory / "server.pem", directory / "server.key"
        self.client, self.client_key = directory / "client.pem", directory / "client.key"
        self._authority_key = ec.generate_private_key(ec.SECP256R1())
        authority = (
            self._builder("authority", self._authority_key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_may_sign(), critical=True)
        )
        self._write(authority, self.authority)
        names = x509.SubjectAlternativeName(
            [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        )
        self._issue("server", self.server, self.server_key, names)
        self._issue("client", self.client, self.client_key)

    def server_context(self, *, require_client: bool = False) -> ssl.SSLContext:
        """The context of a TLS server; it may require client certificates from our authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server, self.server_key)
        if require_client:
            context.load_verify_locations(self.authority)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _issue(
        self, name: str, file: Path, key_file: Path, names: x509.ExtensionType | None = None
    ) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(name, key)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        self._write(builder, file)
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )

    def _builder(self, name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        authority_key = self._authority_key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named("authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _LIFETIME)
            .not_valid_after(now + _LIFETIME)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key), False)
        )

    def _write(self, builder: x509.CertificateBuilder, file: Path) -> None:
        certificate = builder.sign(self._authority_key, hashes.SHA256())
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _may_sign() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
