"""Where a request ends: what is ambiguous is refused rather than interpreted.

Two readers of one stream that disagree about a body's length let a client hide a request in
another's body: https://www.rfc-editor.org/rfc/rfc9112#name-message-body-length.
"""

import httptools

_TARGET_BYTES_MAX = 16 * 1024
_QUERY_FIELDS_MAX = 1000


class BadRequestError(Exception):
    """The request is well-formed to the parser but not acceptable."""


def check_target(url: bytes) -> None:
    """Raises `BadRequestError` for a request target that takes long to be taken apart."""
    if len(url) > _TARGET_BYTES_MAX:
        raise BadRequestError("the URL is too long")
    if url.count(b"&") > _QUERY_FIELDS_MAX:
        raise BadRequestError("the query has too many fields")


def origin_form(url: bytes) -> bytes:
    """Path and query of an absolute URL. Raises `BadRequestError`."""
    if b"://" not in url:
        raise BadRequestError(f"{url[:100]!r} is neither a path nor a URL")
    try:
        parsed = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError as error:
        raise BadRequestError(f"cannot read the URL {url[:100]!r}") from error
    path: bytes = parsed.path or b"/"
    return path + b"?" + parsed.query if parsed.query else path


def check_headers(headers: list[tuple[bytes, bytes]]) -> tuple[int, bytes, bool]:
    """The announced length of the body, 1 if it is chunked (its length is not known yet), else 0;
    the header that says so; and whether there is a `Host`. Raises `BadRequestError`, also for what
    may be there once and is there twice: two readers could each believe another."""
    length = 0
    framing = b""
    has_host = is_signed = False
    for name, value in headers:
        lowered = name.lower()
        if lowered == b"host":
            if has_host:
                raise BadRequestError("there are two Host headers")
            has_host = True
            continue
        if lowered == b"authorization":
            if is_signed:
                raise BadRequestError("there are two Authorization headers")
            is_signed = True
            continue
        if lowered == b"content-length":
            if not value.isdigit():
                raise BadRequestError("the length of the body is not a number")
            length = int(value)
        elif lowered == b"transfer-encoding":
            if value.strip().lower() != b"chunked":
                raise BadRequestError("cannot decode this transfer coding")
            length = 1
        else:
            continue
        if framing:
            raise BadRequestError("the length of the body is ambiguous")
        framing = lowered + b": " + value
    return length, framing, has_host


def check_version(version: str, framing: bytes, *, has_host: bool) -> None:
    """Raises `BadRequestError` for protocols other than HTTP/1.1 and 1.0, for chunks in 1.0, which
    has none, and for 1.1 without a host: https://www.rfc-editor.org/rfc/rfc9112#section-3.2."""
    if version != "1.1" and (version != "1.0" or framing.startswith(b"transfer-encoding")):
        raise BadRequestError(f"cannot read HTTP/{version} framed so")
    if version == "1.1" and not has_host:
        raise BadRequestError("there is no Host header")
