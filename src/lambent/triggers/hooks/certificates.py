"""Certificates of those who sign requests with a key that a certificate vouches for: Amazon SNS and
Alexa.

A request names the address of the certificate. Only addresses that a caller has checked are read.
The chain must lead to an authority that clients trust, and the certificate must be for one of the
expected names. Keys are kept for a day, so a flood of requests that name other addresses is not a
flood of fetches.
"""

import contextlib
import datetime
import re
import ssl
import warnings
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import anyio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from lambent.kit.clock import Clock
from lambent.kit.computing import computed
from lambent.triggers.apis.throttling import TokenBucket

Fetch = Callable[[str], Awaitable[bytes]]
"""Reads a small document. Raises OSError."""

_KEPT_S = 86_400.0
_KEPT_MAX = 64
_CHAIN_MAX = 8
_DOCUMENT_BYTES_MAX = 64 * 1024
_FETCHES_PER_S, _FETCHES_AT_ONCE = 1.0, 20.0
_ADDRESS_MAX = 512
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class CertificateRefused(Exception):
    """There is no key that can be trusted. The text is for the sender of the request."""


class CertificateUnreadable(CertificateRefused):
    """The certificate could not be read, now at least."""


class CertificatesBusy(Exception):
    """Too many certificates were fetched lately."""


class _Key(NamedTuple):
    key: RSAPublicKey
    name: str
    """The name that the certificate was verified for."""
    ends: float
    """Epoch seconds."""


class SigningCertificates:
    """See the module."""

    def __init__(self, fetch: Fetch, roots: Path, clock: Clock) -> None:
        """`roots` is a file of trusted authorities, in PEM."""
        self._fetch = fetch
        self._roots = roots
        self._clock = clock
        self._keys: dict[str, _Key] = {}
        self._fetches = TokenBucket(clock, rate=_FETCHES_PER_S, burst=_FETCHES_AT_ONCE)
        self._lock = anyio.Lock(fast_acquire=True)

    async def key_at(self, address: str, names: Sequence[str]) -> RSAPublicKey:
        """The key of the certificate at an address, which is for one of the names. Raises
        `CertificateRefused`, `CertificateUnreadable` and `CertificatesBusy`."""
        known = self._known(address, names)
        if known is not None:
            return known
        async with self._lock:
            known = self._known(address, names)
            if known is not None:
                return known
            found = await self._read(address, names)
            if len(self._keys) >= _KEPT_MAX:
                del self._keys[next(iter(self._keys))]
            self._keys[address] = found
            return found.key

    def _known(self, address: str, names: Sequence[str]) -> RSAPublicKey | None:
        known = self._keys.get(address)
        if known is None or known.ends <= self._clock.now() or known.name not in names:
            return None
        return known.key

    async def _read(self, address: str, names: Sequence[str]) -> _Key:
        chain = read_chain(await self._document(address))
        if len(chain) == 1:
            # As in TLS without intermediates: the certificate says where its issuer's is.
            issuer = _issuer_address(chain[0])
            if issuer is not None:
                chain.append(_read_der(await self._document(issuer)))
        roots = await computed(load_roots, self._roots)
        now = self._clock.now()
        key, name, ends = verify_chain(chain, roots, names, now)
        return _Key(key, name, min(ends, now + _KEPT_S))

    async def _document(self, address: str) -> bytes:
        if not self._fetches.take():
            raise CertificatesBusy
        try:
            document = await self._fetch(address)
        except OSError as error:
            raise CertificateUnreadable("The certificate cannot be read.") from error
        if len(document) > _DOCUMENT_BYTES_MAX:
            raise CertificateRefused("The certificate is too large.")
        return document


@cache
def load_roots(file: Path) -> Sequence[x509.Certificate]:
    """The certificates in a file, but for those of old authorities that can no longer be read."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for match in _PEM.finditer(file.read_bytes()):
            with contextlib.suppress(ValueError):
                found.append(x509.load_pem_x509_certificate(match[0]))
    return found


def read_chain(document: bytes) -> list[x509.Certificate]:
    """The certificates in PEM. Raises `CertificateRefused`."""
    try:
        chain = x509.load_pem_x509_certificates(document)
    except ValueError as error:
        raise CertificateRefused("The certificate is not valid PEM.") from error
    if len(chain) > _CHAIN_MAX:
        raise CertificateRefused("The chain of certificates is too long.")
    return chain


def verify_chain(
    chain: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    names: Sequence[str],
    now: float,
) -> tuple[RSAPublicKey, str, float]:
    """The key of the first certificate, the name that it is for, and when the first certificate of
    the chain ends, in epoch seconds. Raises `CertificateRefused` if the chain does not lead to a
    root now, or if the certificate is for none of the names."""
    leaf, *others = chain
    policy = PolicyBuilder().store(Store(list(roots)))
    at = datetime.datetime.fromtimestamp(now, datetime.UTC)
    for name in names:
        verifier = policy.time(at).build_server_verifier(x509.DNSName(name))
        try:
            verified = verifier.verify(leaf, others)
            break
        except (VerificationError, ValueError):
            continue
    else:
        raise CertificateRefused("The certificate is not trusted.")
    key = leaf.public_key()
    if not isinstance(key, RSAPublicKey):
        raise CertificateRefused("The key of the certificate is not an RSA key.")
    return key, name, min(each.not_valid_after_utc.timestamp() for each in verified)


def _issuer_address(leaf: x509.Certificate) -> str | None:
    try:
        found = leaf.extensions.get_extension_for_oid(ExtensionOID.AUTHORITY_INFORMATION_ACCESS)
    except (ValueError, x509.ExtensionNotFound):
        return None
    assert isinstance(found.value, x509.AuthorityInformationAccess)
    for each in found.value:
        location = each.access_location
        if (
            each.access_method == AuthorityInformationAccessOID.CA_ISSUERS
            and isinstance(location, x509.UniformResourceIdentifier)
            and location.value.startswith("http://")
            and len(location.value) <= _ADDRESS_MAX
        ):
            return location.value
    return None


def _read_der(document: bytes) -> x509.Certificate:
    try:
        if document.startswith(b"-----BEGIN"):
            document = ssl.PEM_cert_to_DER_cert(document.decode("ascii"))
        return x509.load_der_x509_certificate(document)
    except ValueError as error:
        raise CertificateRefused("The certificate of the issuer is not valid.") from error
