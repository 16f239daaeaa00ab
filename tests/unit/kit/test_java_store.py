"""Certificates in the form that JVMs read. `tests/scenario/test_names.py` has a JVM read it."""

import base64
import hashlib
import struct

from hypothesis import given
from hypothesis import strategies as st

from lambent.kit.tls.java_store import java_store

PASSWORD = "changeit".encode("utf-16-be")


def block(certificate: bytes) -> bytes:
    encoded = base64.encodebytes(certificate)
    return b"-----BEGIN CERTIFICATE-----\n" + encoded + b"-----END CERTIFICATE-----\n"


def entries(store: bytes) -> list[bytes]:
    """The certificates of a store whose checksum is right."""
    content, checksum = store[:-20], store[-20:]
    assert hashlib.sha1(PASSWORD + b"Mighty Aphrodite" + content).digest() == checksum
    magic, version, count = struct.unpack_from(">III", content)
    assert (magic, version) == (0xFEEDFEED, 2)
    found, at = [], 12
    for _ in range(count):
        kind, length = struct.unpack_from(">IH", content, at)
        assert kind == 2
        at += 6 + length + 8
        (length,) = struct.unpack_from(">H", content, at)
        assert content[at + 2 : at + 2 + length] == b"X.509"
        at += 2 + length
        (length,) = struct.unpack_from(">I", content, at)
        found.append(content[at + 4 : at + 4 + length])
        at += 4 + length
    assert at == len(content)
    return found


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=4), st.text(max_size=20))
def test_every_certificate_is_there(certificates: list[bytes], comment: str) -> None:
    """In their order, whatever is between them, and each time in the same bytes."""
    between = comment.replace("-", "").encode() + b"\n"
    pem = between.join([b"", *map(block, certificates), b""])
    assert entries(java_store(pem)) == certificates
    assert java_store(pem) == java_store(pem)


def test_what_is_no_certificate_is_left_out() -> None:
    """The others are still there."""
    broken = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"
    assert entries(java_store(broken + block(b"one"))) == [b"one"]
    assert entries(java_store(b"nothing")) == []
