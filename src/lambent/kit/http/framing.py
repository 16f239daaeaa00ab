"""Where a request ends: what is ambiguous is refused rather than interpreted.

Two readers of one stream that disagree about a body's length let a client hide a request in
another's body: https://www.rfc-editor.org/rfc/rfc9112#name-message-body-length.
"""

import httptools


class BadRequestError(Exception):
    """The request is well-formed to the parser but not acceptable."""


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


def measure_body(headers: list[tuple[bytes, bytes]]) -> tuple[int, bytes]:
    """The announced length, 1 for a chunked body (its length is not known yet), else 0; and the
    header that says so. Raises `BadRequestError`."""
    length = 0
    framing = b""
    for name, value in headers:
        lowered = name.lower()
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
    return length, framing


def check_version(version: str, framing: bytes) -> None:
    """Raises `BadRequestError` for protocols other than HTTP/1.1 and 1.0, and for chunks in 1.0,
    which has none."""
    if version != "1.1" and (version != "1.0" or framing.startswith(b"transfer-encoding")):
        raise BadRequestError(f"cannot read HTTP/{version} framed so")
