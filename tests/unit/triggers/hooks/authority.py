"""An authority of the tests, with certificates that sign messages and requests."""

import base64
import datetime
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from tests.keys import rsa_key

from .rig import NOW

_KEY = rsa_key(2)
"""One for all leaves."""


class Authority:
    """A root and an intermediate."""

    def __init__(self, directory: Path) -> None:
        self._root_key = ec.generate_private_key(ec.SECP256R1())
        self._key = ec.generate_private_key(ec.SECP256R1())
        root = self._certificate("root", self._root_key.public_key(), "root", self._root_key)
        self.intermediate = self._certificate(
            "intermediate", self._key.public_key(), "root", self._root_key
        )
        self.roots = directory / "roots.pem"
        self.roots.write_bytes(root.public_bytes(Encoding.PEM))

    def leaf(
        self,
        names: Sequence[str],
        *,
        starts: float = NOW - 86_400,
        ends: float = NOW + 86_400,
        issuer_at: str | None = None,
        is_rsa: bool = True,
    ) -> x509.Certificate:
        """A certificate for these names."""
        public = _KEY.public_key() if is_rsa else self._key.public_key()
        builder = self._begin("leaf", public, "intermediate", starts, ends)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
        ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
            critical=False,
        )
        if issuer_at is not None:
            access = x509.AccessDescription(
                AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(issuer_at)
            )
            builder = builder.add_extension(
                x509.AuthorityInformationAccess([access]), critical=False
            )
        return builder.sign(self._key, hashes.SHA256())

    def chain(self, *leaves: x509.Certificate) -> bytes:
        """Certificates and the intermediate, in PEM."""
        return b"".join(each.public_bytes(Encoding.PEM) for each in (*leaves, self.intermediate))

    def _certificate(
        self,
        name: str,
        public: ec.EllipticCurvePublicKey,
        issuer: str,
        key: ec.EllipticCurvePrivateKey,
    ) -> x509.Certificate:
        usage = x509.KeyUsage(
            digital_signature=False,
            key_cert_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            self._begin(name, public, issuer, NOW - 1e6, NOW + 1e6)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()),
                critical=False,
            )
        )
        return builder.sign(key, hashes.SHA256())

    def _begin(
        self,
        name: str,
        public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
        issuer: str,
        starts: float,
        ends: float,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name(issuer))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.datetime.fromtimestamp(starts, datetime.UTC))
            .not_valid_after(datetime.datetime.fromtimestamp(ends, datetime.UTC))
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def signature(data: bytes, digest: hashes.HashAlgorithm) -> str:
    """In base64, with the key of the leaves."""
    return base64.b64encode(_KEY.sign(data, PKCS1v15(), digest)).decode()
