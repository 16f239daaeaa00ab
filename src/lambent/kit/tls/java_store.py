"""A file of certificates that JVMs of all versions read: a key store of the format JKS.

JVMs read no PEM. A store without keys has only a checksum, made with a password that is public;
programs that pass no password skip it.
https://github.com/openjdk/jdk/blob/master/src/java.base/share/classes/sun/security/provider/JavaKeyStore.java
"""

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Iterator

_MAGIC, _VERSION, _IS_CERTIFICATE = 0xFEEDFEED, 2, 2
_TYPE = b"X.509"
_PASSWORD = "changeit".encode("utf-16-be")
"""As of the stores that come with JVMs."""
_WHITENER = b"Mighty Aphrodite"
_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)


def java_store(pem: bytes) -> bytes:
    """The certificates of a PEM file, each trusted. A block that is not base64 is left out."""
    certificates = list(_certificates(pem))
    store = struct.pack(">III", _MAGIC, _VERSION, len(certificates))
    for number, certificate in enumerate(certificates):
        alias = b"%d" % number
        store += struct.pack(">IH", _IS_CERTIFICATE, len(alias)) + alias
        # The time of the entry is not known. A fixed one keeps the file as it is.
        store += struct.pack(">QH", 0, len(_TYPE)) + _TYPE
        store += struct.pack(">I", len(certificate)) + certificate
    return store + hashlib.sha1(_PASSWORD + _WHITENER + store, usedforsecurity=False).digest()


def _certificates(pem: bytes) -> Iterator[bytes]:
    for block in _BLOCK.finditer(pem):
        try:
            yield base64.b64decode(b"".join(block[1].split()), validate=True)
        except binascii.Error:
            continue
