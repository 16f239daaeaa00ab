"""Signature Version 4, against the signer of botocore."""

import dataclasses
import hashlib
import hmac
import time
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.identity.signature import read_signature, verify, verify_head
from lambent.model.errors import ApiError
from tests.lengths import examples
from tests.unit.identity.exchanges import KEY, SECRET, FakeExchange, signed

LONGEST = settings(max_examples=examples(60))


def check(exchange: FakeExchange, *, secret: str = SECRET, at: float | None = None) -> bytes:
    """Read and verify; returns the body."""
    signature = read_signature(exchange)
    assert signature is not None
    return verify(signature, exchange, secret, time.time() if at is None else at)


def refused(exchange: FakeExchange, **how: Any) -> ApiError:
    """The error a request is refused with."""
    with pytest.raises(ApiError) as caught:
        check(exchange, **how)
    assert caught.value.status == 403
    return caught.value


@LONGEST
@given(
    path=st.text(st.characters(exclude_categories=("Cs",)), max_size=30),
    query=st.dictionaries(
        st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8),
        st.text(st.characters(exclude_categories=("Cs",)), max_size=12),
        max_size=4,
    ),
    body=st.binary(max_size=200),
    value=st.text("abc XYZ019-._~/:;", max_size=20),
)
def test_what_botocore_signs_is_verified(
    path: str, query: dict[str, str], body: bytes, value: str
) -> None:
    """Any path, query, header and body; in headers and presigned."""
    url = "http://127.0.0.1:5262/" + quote(path)
    if query:
        url += "?" + "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in query.items())
    headers = {"X-Amz-Meta": value, "Content-Type": "application/json"}
    assert check(signed(url, body=body, headers=headers)) == body
    assert check(signed(url, method="GET", body=b"", presigned_s=60)) == b""


def test_a_function_s_arn_in_the_path() -> None:
    """Encoded on the wire, and encoded once more in what is signed."""
    arn = quote("arn:aws:lambda:us-east-1:000000000000:function:f:live", safe="")
    check(signed(f"http://127.0.0.1/2015-03-31/functions/{arn}/invocations"))


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"path": "/2015-03-31/functions/g/invocations"},
        {"query": "Qualifier=2"},
        {"body": b"[]"},
    ],
)
@pytest.mark.parametrize("presigned_s", [None, 60])
def test_every_part_is_covered(change: dict[str, Any], presigned_s: int | None) -> None:
    """Whatever is changed after signing is noticed."""
    how: dict[str, Any] = {"presigned_s": presigned_s}
    if presigned_s is not None:
        how |= {"method": "GET", "body": b""}
    exchange = signed(**how)
    if "query" in change and exchange.query:
        change = {"query": f"{exchange.query}&Qualifier=2"}
    error = refused(dataclasses.replace(exchange, **change))
    assert error.code == "InvalidSignatureException"
    assert "does not match" in error.message


@pytest.mark.parametrize("name", ["host", "x-amz-date", "x-amz-target", "authorization"])
def test_headers_are_covered(name: str) -> None:
    """Those that were signed, by value."""
    exchange = signed(headers={"X-Amz-Target": "Logs_20140328.DescribeLogGroups"})
    value = exchange.headers[name]
    changed = value[:-1] + ("0" if value[-1] != "0" else "1")
    if name == "x-amz-date":
        changed = value.replace("T", "T0", 1)[: len(value) - 1] + "Z"
    headers = {**exchange.headers, name: changed}
    assert refused(dataclasses.replace(exchange, headers=headers)).code in (
        "InvalidSignatureException",
        "IncompleteSignatureException",
    )


def test_headers_that_must_be_signed() -> None:
    """An intermediary cannot add headers that have a meaning in AWS."""
    exchange = signed()
    headers = {**exchange.headers, "x-amz-invocation-type": "Event"}
    error = refused(dataclasses.replace(exchange, headers=headers))
    assert "'x-amz-invocation-type' must be a 'SignedHeader'" in error.message
    headers = {**exchange.headers}
    headers["authorization"] = headers["authorization"].replace("host;", "")
    assert "'Host'" in refused(dataclasses.replace(exchange, headers=headers)).message
    headers = {**exchange.headers}
    headers["authorization"] = headers["authorization"].replace("host;", "host;nothing;")
    assert "'nothing'" in refused(dataclasses.replace(exchange, headers=headers)).message


def test_other_secrets_do_not_verify() -> None:
    """Nor does a token that was put in afterwards."""
    assert refused(signed(), secret="other").code == "InvalidSignatureException"
    exchange = signed(token="session")
    assert check(exchange)
    headers = {**exchange.headers, "x-amz-security-token": "another"}
    assert refused(dataclasses.replace(exchange, headers=headers))


def test_clocks_may_be_off_by_five_minutes() -> None:
    """Not more, in either direction."""
    exchange = signed()
    now = time.time()
    for at in (now - 290, now + 290):
        assert check(exchange, at=at) == b"{}"
    late = refused(exchange, at=now + 310)
    assert late.message.startswith("Signature expired: ")
    assert late.message.endswith("- 5 min.)")
    early = refused(exchange, at=now - 310)
    assert early.message.startswith("Signature not yet current: ")


def test_presigned_requests_expire() -> None:
    """After the time they name, which may be a week."""
    exchange = signed(method="GET", body=b"", presigned_s=600)
    now = time.time()
    assert check(exchange, at=now + 590) == b""
    assert refused(exchange, at=now + 610).message.startswith("Signature expired")
    assert (
        refused(signed(method="GET", body=b"", presigned_s=604_801)).code
        == "IncompleteSignatureException"
    )


def test_unsigned_payloads() -> None:
    """The body is not covered if the signer says so, and that is itself covered."""
    exchange = signed(headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    assert check(dataclasses.replace(exchange, body=b"anything")) == b"anything"
    wrong = {**exchange.headers, "x-amz-content-sha256": hashlib.sha256(b"{}").hexdigest()}
    assert refused(dataclasses.replace(exchange, headers=wrong))
    stated = signed(headers={"X-Amz-Content-SHA256": hashlib.sha256(b"other").hexdigest()})
    assert "x-amz-content-sha256" in refused(stated).message


def in_chunks(kind: str) -> FakeExchange:
    """A request for S3 whose body comes in chunks."""
    url = "http://127.0.0.1:5262/bucket/key"
    return signed(url, method="PUT", service="s3", headers={"X-Amz-Content-SHA256": kind})


def test_chunked_bodies() -> None:
    """Put together, each chunk's signature checked in its turn."""
    exchange = in_chunks("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    signature = read_signature(exchange)
    assert signature is not None
    key = f"AWS4{SECRET}".encode()
    for part in (signature.day, "us-east-1", "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    previous, framed = signature.signature, b""
    first = b"[" + b" " * 8191
    for data in (first, b"1]", b""):
        text = "\n".join(
            (
                "AWS4-HMAC-SHA256-PAYLOAD",
                signature.time,
                signature.scope,
                previous,
                hashlib.sha256(b"").hexdigest(),
                hashlib.sha256(data).hexdigest(),
            )
        )
        previous = hmac.digest(key, text.encode(), "sha256").hex()
        framed += f"{len(data):x};chunk-signature={previous}\r\n".encode() + data + b"\r\n"
    assert check(dataclasses.replace(exchange, body=framed)) == first + b"1]"
    for broken in (
        framed.replace(b"1]", b"2]"),
        framed[:-60],
        framed.replace(b"chunk-signature", b"chunk"),
        b"zz;chunk-signature=0\r\n",
        b"ffffffffffff;x\r\n",
        b"",
    ):
        assert refused(dataclasses.replace(exchange, body=broken))


def test_chunks_without_signatures() -> None:
    """With a trailer instead."""
    exchange = in_chunks("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    body = b"2\r\n{}\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    assert check(dataclasses.replace(exchange, body=body)) == b"{}"


@pytest.mark.parametrize("size", [b"0x2", b"+2", b"-2", b"1_0", b" 2", b"2 ", b"", b"0" * 9 + b"2"])
def test_sizes_of_chunks_that_are_none(size: bytes) -> None:
    """Hexadecimal digits alone make a size."""
    exchange = in_chunks("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    body = size + b"\r\n{}\r\n0\r\n\r\n"
    assert refused(dataclasses.replace(exchange, body=body)).code == "IncompleteSignatureException"


@pytest.mark.slow
def test_only_the_last_chunk_may_be_small() -> None:
    """As at S3: a body of millions of tiny ones would take long to put together."""
    exchange = in_chunks("STREAMING-UNSIGNED-PAYLOAD-TRAILER")

    def body(*sizes: int) -> bytes:
        return b"".join(b"%x\r\n%b\r\n" % (size, b"a" * size) for size in (*sizes, 0))

    whole = check(dataclasses.replace(exchange, body=body(8192, 10_000, 1)))
    assert len(whole) == 18_193
    for sizes in ((1, 1), (8192, 8191, 8192), (1,) * 1_000_000):
        error = refused(dataclasses.replace(exchange, body=body(*sizes)))
        assert error.code == "InvalidChunkSizeError"


@pytest.mark.parametrize("service", ["lambda", "iam", "sts", "logs"])
@pytest.mark.parametrize(
    "kind", ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"]
)
def test_our_services_take_no_chunks(service: str, kind: str) -> None:
    """Their clients send whole bodies."""
    exchange = signed(service=service, headers={"X-Amz-Content-SHA256": kind})
    assert "in chunks" in refused(exchange).message


def test_heads_are_verified_before_bodies_come() -> None:
    """All but what the body has to say; whether anything was verified."""

    def check_head(exchange: FakeExchange, **how: Any) -> bool:
        signature = read_signature(exchange)
        assert signature is not None
        options = {"secret": SECRET, "now": time.time(), **how}
        return verify_head(signature, exchange, **options)

    hashed = signed(headers={"X-Amz-Content-SHA256": hashlib.sha256(b"{}").hexdigest()})
    for exchange, is_known in (
        (signed(), False),
        (hashed, True),
        (in_chunks("UNSIGNED-PAYLOAD"), True),
        (in_chunks("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), True),
    ):
        empty = dataclasses.replace(exchange, body=b"")
        assert check_head(empty) == is_known
        with pytest.raises(ApiError):
            check_head(empty, now=time.time() + 1000)
    with pytest.raises(ApiError):
        check_head(dataclasses.replace(hashed, body=b""), secret="another")


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic dXNlcjpwYXNz",
        "Bearer token",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=b",
        f"AWS4-HMAC-SHA256 Credential={KEY}/20260131/us-east-1/lambda/aws4_request, Signature=b",
        "AWS4-ECDSA-P256-SHA256 Credential=a, SignedHeaders=host, Signature=b",
        "AWS4-HMAC-SHA256 " + "," * 10_000,
        "AWS4-HMAC-SHA256 Credential=" + "a" * 10_000,
    ],
)
def test_authorizations_that_cannot_be_read(authorization: str) -> None:
    """A clear error, whatever is wrong."""
    headers = {"authorization": authorization, "x-amz-date": "20260131T000000Z"}
    with pytest.raises(ApiError) as caught:
        read_signature(FakeExchange(headers=headers))
    assert caught.value.code == "IncompleteSignatureException"


@LONGEST
@given(text=st.text(st.characters(max_codepoint=255), max_size=200))
def test_nothing_a_stranger_writes_breaks_it(text: str) -> None:
    """Only ever an `ApiError`."""
    headers = {"authorization": f"AWS4-HMAC-SHA256 {text}", "x-amz-date": text, "host": text}
    for exchange in (
        FakeExchange(headers=headers),
        FakeExchange(query=f"X-Amz-Signature={text}&X-Amz-Date={text}", headers=headers),
    ):
        with pytest.raises(ApiError):
            check(exchange)


@pytest.mark.parametrize("given", ["\xe9" * 64, "0" * 63 + "\xff", "0" * 63, "A" * 64, "g" * 64])
def test_signatures_that_are_none(given: str) -> None:
    """Of a known key, too, they are simply wrong."""
    exchange = signed()
    before, _, _ = exchange.headers["authorization"].rpartition("=")
    headers = {**exchange.headers, "authorization": f"{before}={given}"}
    error = refused(dataclasses.replace(exchange, headers=headers))
    assert error.code == "InvalidSignatureException"


def test_days_do_not_matter_once_unsigned() -> None:
    """A credential scope of another day than the request's is refused."""
    exchange = signed()
    headers = dict(exchange.headers)
    day = headers["x-amz-date"][:8]
    headers["authorization"] = headers["authorization"].replace(f"/{day}/", "/20200101/")
    assert "valid date" in refused(dataclasses.replace(exchange, headers=headers)).message


def test_unsigned_requests_have_no_signature() -> None:
    """Another part of the platform judges that."""
    assert read_signature(FakeExchange()) is None
    assert read_signature(FakeExchange(query="Qualifier=1")) is None
