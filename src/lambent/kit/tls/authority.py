"""A certificate authority for a few names: its key, its certificate, and the leaves that it issues.

The certificate is constrained to the permitted names, and may sign no other authority. A client
that trusts it trusts it for nothing else, even if the key is stolen.
"""

import dataclasses
import datetime
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lambent.kit.clock import Clock

_LIFETIME = datetime.timedelta(days=3650)
_RENEWED_BEFORE = datetime.timedelta(days=365)
"""Who has installed the certificate by hand has a year to install its successor."""
LEAF_LIFETIME = datetime.timedelta(days=90)
_CLOCKS_DIFFER_BY = datetime.timedelta(hours=1)
_PEM = serialization.Encoding.PEM

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
_EVERY_ADDRESS: tuple[IpNetwork, ...] = (
    ipaddress.IPv4Network("0.0.0.0/0"),
    ipaddress.IPv6Network("::/0"),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Permitted:
    """What an authority may issue certificates for."""

    names: frozenset[str]
    """Host names, each with all names below it. Not empty: then any name would be permitted."""
    networks: frozenset[IpNetwork] = frozenset()
    """Addresses."""


@dataclasses.dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate for a server."""

    pem: bytes = dataclasses.field(repr=False)
    """Its key, then its certificate."""
    expires: datetime.datetime


class Authority:
    """See the module. All methods block for about a millisecond or less, `certify` for the disk."""

    def __init__(self, name: str, directory: Path, clock: Clock) -> None:
        """Its key is in `directory`, where only the user of this process can read it, and is made
        if there is none. `name` is its subject's. Raises OSError and ValueError."""
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._clock = clock
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        self._file = directory / f"{name.lower().replace(' ', '-')}.pem"
        self._key = _key_in(directory / f"{self._file.stem}.key")
        self._certificate: x509.Certificate | None = None

    @property
    def pem(self) -> bytes:
        """Its certificate. Call `certify` before."""
        assert self._certificate is not None
        return self._certificate.public_bytes(_PEM)

    def certify(self, permitted: Permitted) -> bool:
        """Have a certificate that permits this; returns whether it is a new one. The stored one
        stays for as long as it permits the same and is good for another year. A new one has the
        same key and subject, so clients that trust the old one go on to trust leaves with names
        that both permit."""
        constraints = _constraints(permitted)
        known = self._certificate or _certificate_in(self._file)
        if known is not None and self._is_good(known, constraints):
            is_new = self._certificate is None
            self._certificate = known
            return is_new
        self._certificate = self._sign_own(constraints)
        write_whole(self._file, self.pem, mode=0o600)
        return True

    def issue(self, names: Sequence[str], addresses: Sequence[str] = ()) -> Leaf:
        """A certificate for a server with these names, the first of which it is called by, and
        addresses. Clients refuse it if one of them is not permitted."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = self._now()
        expires = now + LEAF_LIFETIME
        alternatives = [
            *map(x509.DNSName, names),
            *(x509.IPAddress(ipaddress.ip_address(address)) for address in addresses),
        ]
        builder = _leaf(
            self._name, self._key.public_key(), key.public_key(), now, expires, alternatives
        )
        certificate = builder.sign(self._key, hashes.SHA256())
        return Leaf(_private_pem(key) + certificate.public_bytes(_PEM), expires)

    def _sign_own(self, constraints: x509.NameConstraints) -> x509.Certificate:
        now, public = self._now(), self._key.public_key()
        builder = (
            _begin(self._name, self._name, public, now, now + _LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(key_cert_sign=True), critical=True)
            .add_extension(constraints, critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False
            )
        )
        return builder.sign(self._key, hashes.SHA256())

    def _is_good(self, known: x509.Certificate, constraints: x509.NameConstraints) -> bool:
        found = known.extensions.get_extension_for_class(x509.NameConstraints).value
        return (
            known.subject == self._name
            and known.public_key() == self._key.public_key()
            and found == constraints
            and known.not_valid_before_utc <= self._now()
            and known.not_valid_after_utc - self._now() > _RENEWED_BEFORE
        )

    def _now(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self._clock.now(), datetime.UTC)


def new_signer(name: str, now: datetime.datetime) -> bytes:
    """What signs as `name` until its certificate ends: an RSA key, its certificate, and the
    certificate of an authority that has issued this one and can issue no other, as its key is
    thrown away. In PEM. Blocks for a tenth of a second."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Lambent, for {name}")])
    expires = now + _LIFETIME
    public = authority_key.public_key()
    authority = (
        _begin(authority_name, authority_name, public, now, expires)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = _leaf(
        authority_name, public, key.public_key(), now, expires, [x509.DNSName(name)]
    ).sign(authority_key, hashes.SHA256())
    return _private_pem(key) + certificate.public_bytes(_PEM) + authority.public_bytes(_PEM)


def write_whole(file: Path, content: bytes, *, mode: int) -> None:
    """Replace a file by rename: readers see the old content or the new. Raises OSError."""
    partial = file.with_name(f".{file.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.fchmod(descriptor, mode)  # Whatever the umask is.
        with os.fdopen(descriptor, "wb", closefd=False) as stream:
            stream.write(content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    partial.rename(file)


def _begin(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    now: datetime.datetime,
    expires: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER_BY)
        .not_valid_after(expires)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _leaf(
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePublicKey,
    public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    now: datetime.datetime,
    expires: datetime.datetime,
    alternatives: Sequence[x509.GeneralName],
) -> x509.CertificateBuilder:
    # A common name has at most 64 characters; clients read the alternative names only.
    return (
        _begin(x509.Name([]), issuer, public, now, expires)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False
        )
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _constraints(permitted: Permitted) -> x509.NameConstraints:
    """With at least one entry for each kind of name: a kind without one is not constrained."""
    assert permitted.names
    networks = sorted(permitted.networks, key=str)
    lacking = [
        every
        for every in _EVERY_ADDRESS
        if not any(network.version == every.version for network in networks)
    ]
    return x509.NameConstraints(
        permitted_subtrees=[
            *map(x509.DNSName, sorted(permitted.names)),
            *map(x509.IPAddress, networks),
        ],
        excluded_subtrees=list(map(x509.IPAddress, lacking)) or None,
    )


def _key_in(file: Path) -> ec.EllipticCurvePrivateKey:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        key = ec.generate_private_key(ec.SECP256R1())
        write_whole(file, _private_pem(key), mode=0o600)
        return key
    found = serialization.load_pem_private_key(content, password=None)
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{file} is not a key of the kind that was written there")
    return found


def _certificate_in(file: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
