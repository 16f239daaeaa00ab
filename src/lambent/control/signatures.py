"""The signature inside a package, in the format of AWS Signer.

`META_INF/aws_signer_signature_v1.0.SF` is a detached CMS signature in PEM. It signs the SHA-384 of
the names and contents of all other entries, in the archive's order. Signed attributes contain the
signing profile, the signing job and the expiry of the signature.
"""

import dataclasses
import datetime
import hashlib
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import asn1crypto.cms
import asn1crypto.core
import asn1crypto.pem
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

SIGNATURE_ENTRY = "META_INF/aws_signer_signature_v1.0.SF"

_SIGNATURE_BYTES_MAX = 1 << 20
_CHUNK_BYTES = 1 << 16
_CHAIN_MAX = 8
_PROFILE = "1.3.187.137.1.4"
_JOB = "1.3.187.137.1.2"
_EXPIRES = "1.3.187.137.1.3"


class SignatureInvalid(Exception):
    """There is a signature, but it does not match this package; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CodeSignature:
    """The content of a valid signature."""

    profile_version_arn: str
    job_arn: str
    expires: datetime.datetime


def load_roots(file: str) -> Sequence[x509.Certificate]:
    """The certificates in a PEM file. Raises OSError or ValueError."""
    return x509.load_pem_x509_certificates(Path(file).read_bytes())


def read_signature(
    data: bytes, roots: Sequence[x509.Certificate], now: datetime.datetime
) -> CodeSignature | None:
    """The package's signature, verified up to one of the roots; None if the package is not signed.

    `data` was already accepted as a package. Raises `SignatureInvalid`.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [info for info in archive.infolist() if info.filename == SIGNATURE_ENTRY]
        if not entries:
            return None
        if len(entries) > 1 or entries[0].file_size > _SIGNATURE_BYTES_MAX:
            raise SignatureInvalid("there is more than one signature, or it is too large")
        with archive.open(entries[0]) as file:
            envelope = file.read(_SIGNATURE_BYTES_MAX)
        digest = _digest(archive)
    try:
        return _verify(envelope, digest, roots, now)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise SignatureInvalid(f"the signature cannot be read: {error}") from error
    except (InvalidSignature, UnsupportedAlgorithm) as error:
        raise SignatureInvalid("the signature does not match") from error


def _digest(archive: zipfile.ZipFile) -> bytes:
    """The signed content."""
    digest = hashlib.sha384()
    for info in archive.infolist():
        if info.filename == SIGNATURE_ENTRY:
            continue
        digest.update(info.filename.encode("utf-8", "surrogateescape"))
        with archive.open(info) as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.digest()


def _verify(
    envelope: bytes, content: bytes, roots: Sequence[x509.Certificate], now: datetime.datetime
) -> CodeSignature:
    if asn1crypto.pem.detect(envelope):
        _, _, envelope = asn1crypto.pem.unarmor(envelope)
    info = asn1crypto.cms.ContentInfo.load(envelope, strict=True)
    if info["content_type"].native != "signed_data":
        raise SignatureInvalid("it is not signed data")
    signed = info["content"]
    (signer,) = signed["signer_infos"]
    attributes = {
        attribute["type"].dotted: attribute["values"] for attribute in signer["signed_attrs"]
    }
    (stated,) = attributes["1.2.840.113549.1.9.4"]
    if stated.native != hashlib.sha384(content).digest():
        raise SignatureInvalid("the package was changed after it was signed")
    certificates = [
        x509.load_der_x509_certificate(entry.chosen.dump()) for entry in signed["certificates"]
    ]
    serial = signer["sid"].chosen["serial_number"].native
    (leaf,) = [entry for entry in certificates if entry.serial_number == serial]
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise SignatureInvalid("the signer's key is not an elliptic curve's")
    key.verify(
        signer["signature"].native,
        # The attributes are signed as a SET, whatever their tag here is.
        signer["signed_attrs"].untag().dump(),
        ec.ECDSA(hashes.SHA384()),
    )
    signed_at = attributes["1.2.840.113549.1.9.5"][0].native
    _check_chain(leaf, certificates, roots, signed_at)
    if signed_at > now:
        raise SignatureInvalid("it was signed in the future")
    return CodeSignature(
        profile_version_arn=_text(attributes[_PROFILE][0]),
        job_arn=_text(attributes[_JOB][0]),
        expires=attributes[_EXPIRES][0].parse(asn1crypto.core.GeneralizedTime).native,
    )


def _text(value: asn1crypto.core.Any) -> str:
    text: str = value.parse(asn1crypto.core.UTF8String).native
    return text


def _check_chain(
    leaf: x509.Certificate,
    certificates: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    at: datetime.datetime,
) -> None:
    """The leaf must be allowed to sign code, and its chain must lead to a root through authorities
    that were valid at signing."""
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    if ExtendedKeyUsageOID.CODE_SIGNING not in usage:
        raise SignatureInvalid("the signer's certificate is not for signing code")
    current = leaf
    for _ in range(_CHAIN_MAX):
        if not current.not_valid_before_utc <= at <= current.not_valid_after_utc:
            raise SignatureInvalid("a certificate was not valid when the package was signed")
        for root in roots:
            if _is_issued_by(current, root) or current == root:
                return
        issuers = [
            entry for entry in certificates if entry != current and _is_issued_by(current, entry)
        ]
        if not issuers:
            break
        current = issuers[0]
    raise SignatureInvalid("the signer's certificate does not lead to a trusted root")


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return constraints.ca
