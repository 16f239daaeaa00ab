"""Checks of a request's head: what is ambiguous is refused rather than interpreted.

Two readers of one byte stream that disagree about the length of a body let a client hide a request
in another one's body: https://www.rfc-editor.org/rfc/rfc9112#name-message-body-length.
"""

import httptools

_TARGET_BYTES_MAX = 16 * 1024
_QUERY_FIELDS_MAX = 1000
LONG_TARGET_BYTES = 1000
"""A shorter target cannot have too many of anything."""
_ONCE = frozenset((b"host", b"authorization", b"content-length", b"transfer-encoding"))
"""Headers that a request may have once: two readers could each believe another one."""
CHECKED = _ONCE | {b"connection", b"expect", b"upgrade"}
"""Headers that say how a request is read."""


class BadRequestError(Exception):
    """The parser accepts the request, but the server does not. `status` is the response's."""

    status = 400


class HeadTooLargeError(BadRequestError):
    """The head has too many bytes or too many headers."""

    status = 431


def check_target(url: bytes) -> None:
    """Raises `BadRequestError` for a request target that is expensive to parse."""
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
        raise BadRequestError(f"cannot parse the URL {url[:100]!r}") from error
    path: bytes = parsed.path or b"/"
    return path + b"?" + parsed.query if parsed.query else path


def join_repeated(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The `CHECKED` headers by name. Raises `BadRequestError` if one comes twice that may come
    once."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in found and name in _ONCE:
            raise BadRequestError(f"there are two {name.decode('latin-1')} headers")
        found[name] = found[name] + b"," + value if name in found else value
    return found


def check_version(version: str, found: dict[bytes, bytes]) -> None:
    """Raises `BadRequestError` for other versions than 1.1 and 1.0, for chunks in 1.0, which does
    not have them, and for 1.1 without `Host`:
    https://www.rfc-editor.org/rfc/rfc9112#section-3.2."""
    if version == "1.1":
        if b"host" not in found:
            raise BadRequestError("there is no Host header")
    elif version != "1.0":
        raise BadRequestError(f"HTTP/{version} is not supported")
    elif b"transfer-encoding" in found:
        raise BadRequestError("HTTP/1.0 has no chunks")


def body_length(found: dict[bytes, bytes]) -> int | None:
    """The length of the body in bytes, None if it is chunked. Raises `BadRequestError` if it is
    ambiguous."""
    length = found.get(b"content-length")
    if b"transfer-encoding" in found:
        if length is not None:
            raise BadRequestError("the length of the body is ambiguous")
        if found[b"transfer-encoding"].strip().lower() != b"chunked":
            raise BadRequestError("this transfer coding is not supported")
        return None
    if length is None:
        return 0
    if not length.isdigit():
        raise BadRequestError("the length of the body is not a number")
    return int(length)
