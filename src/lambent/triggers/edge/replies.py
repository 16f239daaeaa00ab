"""Responses of the edge as they are sent."""

import base64
import http

import anyio

from lambent.kit.http.messages import Exchange
from lambent.kit.ids import random_bits
from lambent.triggers.edge.cache import Entry
from lambent.triggers.edge.distribution import Behavior, Distribution
from lambent.triggers.edge.messages import HOP_BY_HOP, Answer, EdgeRequest, HeaderItems, Whole

_POP = "LOC50-C1"
"""The edge location: this machine."""
_MADE = HOP_BY_HOP | {"age", "date", "via", "x-cache", "x-amz-cf-id", "x-amz-cf-pop"}


def new_edge_id() -> str:
    """The id of a request, as CloudFront spells it."""
    return base64.b64encode(random_bits(320).to_bytes(40, "big"), b"-_").decode()


def _own_headers(distribution: Distribution, cache: str) -> HeaderItems:
    return [
        ("X-Cache", f"{cache} from cloudfront"),
        ("Via", f"1.1 {distribution.domain} (CloudFront)"),
        ("X-Amz-Cf-Pop", _POP),
    ]


def _reason(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


def hit_head(
    entry: Entry, distribution: Distribution, behavior: Behavior, method: str, origin: str | None
) -> bytes:
    """The head of a response from memory, up to the headers that differ each time."""
    headers = [each for each in entry.headers if each[0].lower() not in _MADE]
    if behavior.headers is not None:
        headers = behavior.headers.apply(headers, method, origin)
    cache = "Hit" if entry.status < 400 else "Error"
    lines = [f"{name}: {value}\r\n" for name, value in headers]
    lines += [f"{name}: {value}\r\n" for name, value in _own_headers(distribution, cache)]
    status = f"HTTP/1.1 {entry.status} {_reason(entry.status)}\r\n"
    length = "" if entry.status == 204 else f"Content-Length: {entry.size}\r\n"
    return f"{status}{''.join(lines)}{length}".encode("latin-1")


async def send(
    exchange: Exchange,
    distribution: Distribution,
    behavior: Behavior,
    request: EdgeRequest,
    answer: Answer,
) -> None:
    """Send a response. If its body breaks off, so does the connection."""
    headers = [each for each in answer.headers if each[0].lower() not in _MADE]
    if behavior.headers is not None:
        headers = behavior.headers.apply(headers, request.method, request.header("origin"))
    headers += [*_own_headers(distribution, answer.cache), ("X-Amz-Cf-Id", request.id)]
    if answer.age is not None:
        headers.append(("Age", str(answer.age)))
    content = answer.content
    if exchange.method == "HEAD" or answer.status in (204, 304):
        length = content.length if exchange.method == "HEAD" else None
        exchange.start(answer.status, headers, length=length)
        exchange.finish()
        return
    if isinstance(content, Whole):
        exchange.respond(answer.status, headers, content.data)
        return
    caught_up = anyio.Event()

    def note() -> None:
        caught_up.set()

    exchange.on_writable(note)
    exchange.start(answer.status, headers, length=content.length)
    try:
        while chunk := await content.read():
            if not exchange.write(chunk):
                await caught_up.wait()
                caught_up = anyio.Event()
    except (OSError, TimeoutError):
        exchange.abort()
    else:
        exchange.finish()
