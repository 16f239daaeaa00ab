"""Signature Version 4: checks that a request comes from the owner of a key.

Signed requests have the signature in the `Authorization` header or, if presigned, in the query. It
names the ID of the key, the day, region and service, and the headers that it covers. The secret is
never sent; the signature is computed again here and compared.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import dataclasses
import datetime
import functools
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from lambent.kit.http.messages import Exchange
from lambent.model.arn import Region
from lambent.model.errors import ApiError

SKEW_S = 300
"""How far the signer's clock may be off."""
PRESIGNED_S_MAX = 604_800

_ALGORITHM = "AWS4-HMAC-SHA256"
_TIME = re.compile(r"\d{8}T\d{6}Z")
_CREDENTIAL = re.compile(
    r"(?P<key>[^/\s,]{1,128})/(?P<day>\d{8})/(?P<region>[a-z0-9-]{1,32})"
    r"/(?P<service>[a-z0-9-]{1,32})/aws4_request"
)
_HEX = re.compile(r"[0-9a-f]{64}")
_SPACES = re.compile(r"\s+")
_UNSIGNED = "UNSIGNED-PAYLOAD"
_STREAMING_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_STREAMING_UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_STREAMING_SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
_STREAMING = (_STREAMING_SIGNED, _STREAMING_UNSIGNED, _STREAMING_SIGNED_TRAILER)
_HASH = "x-amz-content-sha256"
_IN_CHUNKS = frozenset({"s3", "s3-object-lambda", "s3express"})
"""Services that take a body in chunks."""
_SIGNED_HEADERS_MAX = 256
_REMEMBERED_MAX = 4096
_MAY_BE_UNSIGNED = frozenset({"x-amz-user-agent"})
_EMPTY_HASH = hashlib.sha256(b"").hexdigest()
_CHUNK_HEADER_MAX = 256
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")
_CHUNK_BYTES_MIN = 8192
"""Of each but the last that has any: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The parts of a request's signature, not verified yet."""

    access_key_id: str
    region: Region
    service: str
    day: str
    time: str
    """`20260131T093000Z`."""
    signed_headers: tuple[str, ...]
    signature: str = dataclasses.field(repr=False)
    session_token: str | None = dataclasses.field(repr=False)
    expires_s: int | None
    """Seconds a presigned request is valid; None if it is signed in its headers."""

    @property
    def scope(self) -> str:
        """The scope of the signing key."""
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def read_signature(exchange: Exchange) -> Signature | None:
    """The signature of a request; None if it has none.

    Raises `IncompleteSignatureException` if it cannot be read.
    """
    authorization = exchange.headers.get("authorization")
    if authorization is not None:
        date = exchange.headers.get("x-amz-date", "")
        token = exchange.headers.get("x-amz-security-token")
        read = _remembering(_from_header, authorization + date + (token or ""))
        signature: Signature = read(authorization, date, token)
        return signature
    if "X-Amz-Signature=" in exchange.query:
        return _from_query(exchange.query)
    return None


@functools.lru_cache(maxsize=1024)
def _from_header(authorization: str, date: str, token: str | None) -> Signature:
    kind, _, rest = authorization.partition(" ")
    if kind != _ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{kind[:64]}'.")
    fields = dict(
        (name.strip(), value.strip())
        for name, _, value in (field.partition("=") for field in rest.split(","))
    )
    for name in ("Credential", "Signature", "SignedHeaders"):
        if not fields.get(name):
            raise _incomplete(f"Authorization header requires '{name}' parameter.")
    if _TIME.fullmatch(date) is None:
        raise _incomplete("Authorization header requires existence of 'X-Amz-Date' header.")
    return _make(fields["Credential"], fields["Signature"], fields["SignedHeaders"], date, token)


def _from_query(query: str) -> Signature:
    fields = dict(parse_qsl(query, keep_blank_values=True))
    if fields.get("X-Amz-Algorithm") != _ALGORITHM:
        raise _incomplete("Unsupported AWS 'algorithm'.")
    for name in ("Credential", "Signature", "SignedHeaders", "Date", "Expires"):
        if not fields.get(f"X-Amz-{name}"):
            raise _incomplete(f"AWS query-string parameters must include 'X-Amz-{name}'.")
    expires = fields["X-Amz-Expires"]
    if not expires.isascii() or not expires.isdigit() or int(expires[:9]) > PRESIGNED_S_MAX:
        raise _incomplete(f"X-Amz-Expires must be a number up to {PRESIGNED_S_MAX}.")
    return _make(
        fields["X-Amz-Credential"],
        fields["X-Amz-Signature"],
        fields["X-Amz-SignedHeaders"],
        fields["X-Amz-Date"],
        fields.get("X-Amz-Security-Token"),
        expires_s=int(expires),
    )


def _make(
    credential: str,
    signature: str,
    signed_headers: str,
    time: str,
    token: str | None,
    expires_s: int | None = None,
) -> Signature:
    match = _CREDENTIAL.fullmatch(credential)
    if signed_headers.count(";") >= _SIGNED_HEADERS_MAX:
        raise _incomplete(f"More than {_SIGNED_HEADERS_MAX} headers are signed.")
    if match is None:
        raise _incomplete("Credential must have the form key/date/region/service/aws4_request.")
    return Signature(
        access_key_id=match["key"],
        region=Region(match["region"]),
        service=match["service"],
        day=match["day"],
        time=time,
        signed_headers=tuple(signed_headers.lower().split(";")),
        signature=signature,
        session_token=token,
        expires_s=expires_s,
    )


def verify(signature: Signature, exchange: Exchange, secret: str, now: float) -> bytes:
    """Check that the request was signed with `secret`, completely and in time. Returns its body,
    without the framing of a body that was signed in chunks.

    Takes time in proportion to the body. Raises `ApiError`: `InvalidSignatureException`,
    `IncompleteSignatureException`.
    """
    _check_time(signature, now)
    _check_signed_headers(signature, exchange.headers)
    stated = _hash_without_body(signature, exchange.headers)
    payload_hash = stated or _payload_hash(exchange.headers, exchange.body)
    key = _check_signature(signature, exchange, secret, payload_hash)
    if payload_hash not in _STREAMING:
        return exchange.body
    signing_key = None if payload_hash == _STREAMING_UNSIGNED else key
    return _join_chunks(exchange.body, signature, signing_key)


def without_framing(headers: Mapping[str, str], body: bytes) -> bytes:
    """The content of a body in `aws-chunked` encoding whose signature was not checked, because the
    key is not known; any other body as it is. Raises `IncompleteSignatureException`."""
    if headers.get(_HASH) not in _STREAMING:
        return body
    if headers.get("x-amz-decoded-content-length") == str(len(body)):
        return body  # It was verified, and is joined already.
    return _join_chunks(body, None, None)


def verify_head(signature: Signature, exchange: Exchange, secret: str, now: float) -> bool:
    """As `verify`, before the body has arrived. Returns False if the head has no hash of the body,
    so that the signature cannot be checked."""
    _check_time(signature, now)
    _check_signed_headers(signature, exchange.headers)
    payload_hash = _hash_without_body(signature, exchange.headers) or exchange.headers.get(_HASH)
    if payload_hash is None:
        return False
    _check_signature(signature, exchange, secret, payload_hash)
    return True


def _check_signature(
    signature: Signature, exchange: Exchange, secret: str, payload_hash: str
) -> bytes:
    """Compare the signature with the right one; returns the signing key."""
    headers = exchange.headers
    canonical = "\n".join(
        (
            exchange.method,
            _remembering(_canonical_path, exchange.path)(exchange.path, signature.service),
            _remembering(_canonical_query, exchange.query)(exchange.query),
            "".join(
                f"{name}:{_SPACES.sub(' ', headers[name].strip())}\n"
                for name in signature.signed_headers
            ),
            ";".join(signature.signed_headers),
            payload_hash,
        )
    )
    digest = hashlib.sha256(canonical.encode("latin-1", "replace")).hexdigest()
    key = _signing_key(secret, signature.day, signature.region, signature.service)
    wanted = _sign(key, f"{_ALGORITHM}\n{signature.time}\n{signature.scope}\n{digest}")
    given = signature.signature
    if _HEX.fullmatch(given) is None or not hmac.compare_digest(wanted, given):
        raise _invalid(
            "The request signature we calculated does not match the signature you provided. Check"
            " your AWS Secret Access Key and signing method. Consult the service documentation for"
            " details."
        )
    return key


@functools.lru_cache(maxsize=4096)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _sign(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()


def _check_time(signature: Signature, now: float) -> None:
    if _TIME.fullmatch(signature.time) is None:
        raise _incomplete("Date must be in ISO-8601 'basic format'.")
    if signature.time[:8] != signature.day:
        raise _invalid(
            "Credential should be scoped to a valid date: Date in Credential scope does not match"
            f" YYYYMMDD from ISO-8601 version of date from HTTP: '{signature.day}' !="
            f" '{signature.time[:8]}', from '{signature.time}'."
        )
    signed_at = _epoch(signature.time)
    lasts_s = SKEW_S if signature.expires_s is None else signature.expires_s
    if signed_at + lasts_s < now:
        raise _invalid(
            f"Signature expired: {signature.time} is now earlier than {_text(now - lasts_s)}"
            f" ({_text(now)} - {lasts_s // 60} min.)"
        )
    if signed_at - SKEW_S > now:
        raise _invalid(
            f"Signature not yet current: {signature.time} is still later than"
            f" {_text(now + SKEW_S)} ({_text(now)} + {SKEW_S // 60} min.)"
        )


@functools.lru_cache(maxsize=64)
def _epoch(time: str) -> float:
    try:
        moment = datetime.datetime.strptime(time, "%Y%m%dT%H%M%SZ")
    except ValueError as error:
        raise _incomplete("Date must be in ISO-8601 'basic format'.") from error
    return moment.replace(tzinfo=datetime.UTC).timestamp()


def _text(epoch_s: float) -> str:
    return f"{datetime.datetime.fromtimestamp(epoch_s, datetime.UTC):%Y%m%dT%H%M%SZ}"


def _check_signed_headers(signature: Signature, headers: Mapping[str, str]) -> None:
    """The host and all `x-amz-` headers must be covered, and all covered headers present."""
    signed = signature.signed_headers
    if "host" not in signed:
        raise _invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    for name in headers:
        if name.startswith("x-amz-") and name not in signed and name not in _MAY_BE_UNSIGNED:
            raise _invalid(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")
    for name in signed:
        if name not in headers:
            raise _invalid(f"The signed header '{name[:64]}' is not in the request.")


def _hash_without_body(signature: Signature, headers: Mapping[str, str]) -> str | None:
    """The text that was signed in place of a hash of the body, if there is one."""
    if signature.service == "s3" and signature.expires_s is not None:
        return _UNSIGNED  # The body of a presigned upload is not known when it is signed.
    stated = headers.get(_HASH)
    if stated in _STREAMING and signature.service not in _IN_CHUNKS:
        raise _incomplete(f"'{signature.service}' takes no body in chunks: {_HASH} is {stated}.")
    return stated if stated in _STREAMING or stated == _UNSIGNED else None


def _payload_hash(headers: Mapping[str, str], body: bytes) -> str:
    stated = headers.get(_HASH)
    actual = hashlib.sha256(body).hexdigest() if body else _EMPTY_HASH
    if stated is not None and stated != actual:
        raise _invalid(
            "The value passed in as x-amz-content-sha256 does not match the SHA-256 hash of the"
            " payload."
        )
    return actual


@functools.lru_cache(maxsize=1024)
def _canonical_path(path: str, service: str) -> str:
    """The path with dot segments resolved and, but for S3, encoded once more."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            segments = segments[:-1]
        elif segment not in (".", ""):
            segments.append(segment)
    normal = "/" + "/".join(segments)
    if segments and path.endswith("/"):
        normal += "/"
    return path if service == "s3" else quote(normal, safe="/-_.~")


@functools.lru_cache(maxsize=1024)
def _canonical_query(query: str) -> str:
    pairs = []
    for field in query.split("&"):
        name, _, value = field.partition("=")
        if field and name != "X-Amz-Signature":
            pairs.append((_encode(name), _encode(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _remembering(function: Any, text: str) -> Any:
    """The function without its cache for long texts: clients choose them."""
    return function.__wrapped__ if len(text) > _REMEMBERED_MAX else function


def _encode(text: str) -> str:
    return quote(unquote(text, encoding="latin-1"), safe="-_.~", encoding="latin-1")


def _join_chunks(body: bytes, signature: Signature | None, key: bytes | None) -> bytes:
    """The content of a body in `aws-chunked` encoding. With a key, each chunk is signed, and its
    signature covers the previous signature."""
    joined = bytearray()
    previous = signature.signature if signature is not None else ""
    at, size = 0, _CHUNK_BYTES_MIN
    while True:
        end = body.find(b"\r\n", at, at + _CHUNK_HEADER_MAX)
        if end < 0:
            raise _incomplete("The chunked body is not complete.")
        size_text, _, extension = body[at:end].partition(b";")
        if _CHUNK_SIZE.fullmatch(size_text) is None:
            raise _incomplete("The chunked body cannot be read.")
        before, size = size, int(size_text, 16)
        if size and before < _CHUNK_BYTES_MIN:
            raise ApiError(
                "InvalidChunkSizeError",
                f"Only the last chunk is allowed to have a size less than {_CHUNK_BYTES_MIN} bytes",
                status=403,
            )
        data = body[end + 2 : end + 2 + size]
        if len(data) != size:
            raise _incomplete("The chunked body is not complete.")
        if signature is not None and key is not None:
            given = extension.decode("latin-1").removeprefix("chunk-signature=")
            previous = _check_chunk(signature, key, previous, data, given)
        if size == 0:
            return bytes(joined)
        joined += data
        at = end + 2 + size + 2


def _check_chunk(signature: Signature, key: bytes, previous: str, data: bytes, given: str) -> str:
    text = "\n".join(
        (
            f"{_ALGORITHM}-PAYLOAD",
            signature.time,
            signature.scope,
            previous,
            _EMPTY_HASH,
            hashlib.sha256(data).hexdigest(),
        )
    )
    wanted = _sign(key, text)
    if _HEX.fullmatch(given) is None or not hmac.compare_digest(wanted, given):
        raise _invalid("The signature of a chunk does not match.")
    return wanted


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidSignatureException", message, status=403)


def _incomplete(message: str) -> ApiError:
    return ApiError("IncompleteSignatureException", message, status=403)
