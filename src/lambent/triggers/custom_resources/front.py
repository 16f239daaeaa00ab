"""The way in for responses of custom resources: takes a document, and responds as S3 does."""

import enum
import hashlib
from collections.abc import Callable
from xml.sax.saxutils import escape

from lambent.kit.http.messages import Exchange
from lambent.kit.ids import new_request_id
from lambent.triggers.custom_resources.links import LinkRefused, ResponseLinks

DOCUMENT_BYTES_MAX = 4096
"""Bytes of a response, as in AWS."""


class Verdict(enum.Enum):
    """What becomes of a response."""

    TAKEN = "taken"
    """It is kept: after a crash, too."""
    USED = "used"
    """There was a response before."""
    UNKNOWN = "unknown"
    """Nothing waits for it."""


Respond = Callable[[Verdict], None]
Sink = Callable[[str, bytes | None, Respond], None]
"""Takes the key of a link and the document, which is from a stranger and may be anything; None
stands for one of more than `DOCUMENT_BYTES_MAX`. Must not block. Calls `Respond` exactly once, at
once or later."""

_ERRORS = {
    Verdict.USED: (403, "AccessDenied", "Access Denied"),
    Verdict.UNKNOWN: (404, "NoSuchKey", "The specified key does not exist."),
}


def nothing_waits(_: str, __: bytes | None, respond: Respond) -> None:
    """A sink where no response belongs."""
    respond(Verdict.UNKNOWN)


class CustomResourceResponses:
    """Serves requests for the buckets."""

    def __init__(self, links: ResponseLinks, sink: Sink) -> None:
        self._links = links
        self._sink = sink

    def handle(self, exchange: Exchange) -> None:
        """Serve a request."""
        self._handle(exchange, exchange.body)

    def handle_oversized(self, exchange: Exchange) -> None:
        """Serve a request whose body is so large that it was not read."""
        self._handle(exchange, None)

    def _handle(self, exchange: Exchange, body: bytes | None) -> None:
        if exchange.method != "PUT":
            message = "The specified method is not allowed against this resource."
            _refuse(exchange, 405, "MethodNotAllowed", message)
            return
        try:
            key = self._links.read(exchange.path, exchange.query)
        except LinkRefused as error:
            _refuse(exchange, 403, "AccessDenied", str(error))
            return
        is_short = body is not None and len(body) <= DOCUMENT_BYTES_MAX
        tag = hashlib.md5(body or b"", usedforsecurity=False).hexdigest()

        def respond(verdict: Verdict) -> None:
            if verdict is Verdict.TAKEN:
                exchange.respond(200, [("ETag", f'"{tag}"'), _request_id()])
            else:
                _refuse(exchange, *_ERRORS[verdict])

        self._sink(key, body if is_short else None, respond)


def _request_id() -> tuple[str, str]:
    return "x-amz-request-id", new_request_id()


def _refuse(exchange: Exchange, status: int, code: str, message: str) -> None:
    header, id = _request_id()
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>"
        f"<RequestId>{id}</RequestId></Error>"
    )
    exchange.respond(status, [("Content-Type", "application/xml"), (header, id)], text.encode())
