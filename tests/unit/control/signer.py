"""Signs packages as AWS Signer does, with an authority of the tests' own."""

import datetime
import hashlib
import io
import zipfile
from typing import Any, ClassVar

import asn1crypto.cms
import asn1crypto.core
import asn1crypto.pem
import asn1crypto.x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lambent.control.signatures import SIGNATURE_ENTRY

PROFILE = "arn:aws:signer:us-east-1:111111111111:/signing-profiles/p/abcdefghij"
JOB = "arn:aws:signer:us-east-1:111111111111:/signing-jobs/00000000-0000-4000-8000-000000000000"
SHA384 = {"algorithm": "sha384"}


class Attribute(asn1crypto.core.Sequence):  # type: ignore[misc]
    """A signed attribute of any type; asn1crypto's own supports only the standard's."""

    _fields: ClassVar = [
        ("type", asn1crypto.core.ObjectIdentifier),
        ("values", asn1crypto.core.SetOf, {"spec": asn1crypto.core.Any}),
    ]


class Signer:
    """A root, an authority below it, and a certificate for signing code."""

    def __init__(self, now: datetime.datetime, *, usage: Any = None) -> None:
        self._now = now
        self._usage = usage or ExtendedKeyUsageOID.CODE_SIGNING
        self._root_key, self.root = self._certify("root", None, None)
        self._middle_key, self._middle = self._certify("middle", self._root_key, self.root)
        self._key, self._leaf = self._certify(
            "leaf", self._middle_key, self._middle, is_authority=False
        )

    @property
    def root_pem(self) -> bytes:
        """The certificate that the platform trusts."""
        return self.root.public_bytes(serialization.Encoding.PEM)

    def sign(
        self,
        package: bytes,
        *,
        profile: str = PROFILE,
        expires: datetime.datetime | None = None,
        signed_at: datetime.datetime | None = None,
    ) -> bytes:
        """The package with a signature of all that is in it."""
        digest = hashlib.sha384()
        output = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(package)) as source,
            zipfile.ZipFile(output, "w") as target,
        ):
            for info in [*source.infolist(), zipfile.ZipInfo("META_INF/")]:
                data = b"" if info.filename == "META_INF/" else source.read(info)
                digest.update(info.filename.encode() + data)
                target.writestr(info, data)
            expires = expires or self._now + datetime.timedelta(days=365)
            message = self._message(digest.digest(), profile, expires, signed_at or self._now)
            target.writestr(SIGNATURE_ENTRY, message)
        return output.getvalue()

    def _message(
        self,
        content: bytes,
        profile: str,
        expires: datetime.datetime,
        signed_at: datetime.datetime,
    ) -> bytes:
        core = asn1crypto.core
        attributes = [
            ("1.2.840.113549.1.9.3", core.ObjectIdentifier("1.2.840.113549.1.7.1")),
            ("1.2.840.113549.1.9.4", core.OctetString(hashlib.sha384(content).digest())),
            ("1.2.840.113549.1.9.5", core.GeneralizedTime(signed_at)),
            ("1.3.187.137.1.2", core.UTF8String(JOB)),
            ("1.3.187.137.1.3", core.GeneralizedTime(expires)),
            ("1.3.187.137.1.4", core.UTF8String(profile)),
        ]
        encoded = b"".join(
            sorted(
                Attribute({"type": oid, "values": [core.Any(value)]}).dump()
                for oid, value in attributes
            )
        )
        signature = self._key.sign(
            core.SetOf(spec=Attribute, contents=encoded).dump(), ec.ECDSA(hashes.SHA384())
        )
        signed_attrs = asn1crypto.cms.CMSAttributes(contents=encoded, implicit=0)
        signer = asn1crypto.cms.SignerInfo(
            {
                "version": "v1",
                "sid": asn1crypto.cms.SignerIdentifier(
                    "issuer_and_serial_number",
                    {
                        "issuer": asn1crypto.x509.Name.load(self._leaf.issuer.public_bytes()),
                        "serial_number": self._leaf.serial_number,
                    },
                ),
                "digest_algorithm": SHA384,
                "signed_attrs": signed_attrs,
                "signature_algorithm": {"algorithm": "sha384_ecdsa"},
                "signature": signature,
            }
        )
        certificates = [
            asn1crypto.x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))
            for certificate in (self._leaf, self._middle, self.root)
        ]
        signed = asn1crypto.cms.SignedData(
            {
                "version": "v1",
                "digest_algorithms": [SHA384],
                "encap_content_info": {"content_type": "data"},
                "certificates": certificates,
                "signer_infos": [signer],
            }
        )
        info = asn1crypto.cms.ContentInfo({"content_type": "signed_data", "content": signed})
        return bytes(asn1crypto.pem.armor("PKCS7", info.dump()))

    def _certify(
        self,
        name: str,
        issuer_key: ec.EllipticCurvePrivateKey | None,
        issuer: x509.Certificate | None,
        *,
        is_authority: bool = True,
    ) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key = ec.generate_private_key(ec.SECP384R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - datetime.timedelta(days=10))
            .not_valid_after(self._now + datetime.timedelta(days=10))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if not is_authority:
            builder = builder.add_extension(x509.ExtendedKeyUsage([self._usage]), critical=False)
        return key, builder.sign(issuer_key or key, hashes.SHA384())
