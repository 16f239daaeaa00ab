"""The HTTP protocol without sockets: bytes to events, responses to bytes."""

import dataclasses
import itertools
from collections.abc import Iterable

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.kit.clock import ManualClock
from lambent.kit.http.events import EndOfRequest, Event, ProtocolError, RequestHead
from lambent.kit.http.protocol import RequestProtocol
from lambent.kit.http.responses import (
    DateLine,
    Framing,
    encode_chunk,
    encode_end,
    encode_head,
    encode_refusal,
    encode_start,
    encode_upgrade,
)
from tests.unit.kit.test_http_server import GET, LAST, MALFORMED

DATE = DateLine(ManualClock(now=784_111_777.5))
HEAD_BYTES_MAX = 1 << 16


def events_of(reads: Iterable[bytes], head_bytes_max: int = HEAD_BYTES_MAX) -> list[Event]:
    """What reads come to, when every offer to upgrade is declined. Parts of a body that follow each
    other are joined; sizes, which are upper bounds, and reasons are left out."""
    protocol = RequestProtocol(head_bytes_max)
    found: list[Event] = []
    for data in reads:
        events = list(protocol.receive(data))
        while protocol.is_paused:
            events += protocol.resume()
        for event in events:
            if isinstance(event, bytes) and found and isinstance(found[-1], bytes):
                found[-1] += event
            elif isinstance(event, RequestHead):
                found.append(event._replace(size=0))
            elif isinstance(event, ProtocolError):
                found.append(event._replace(reason=""))
            else:
                found.append(event)
    return found


def heads(events: Iterable[Event]) -> list[RequestHead]:
    return [event for event in events if isinstance(event, RequestHead)]


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """Bytes as they might be read: cut at places, of which some are the same."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges) if start < end]


CHUNKED = (
    b"POST /p%20q?x=1&y HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nX-Sum: 7\r\n\r\n"
)
SIZED = b"PUT /s HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"
OFFER = b"GET /up HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo, other\r\n\r\n"
OFFER_SIZED = OFFER[:-2] + b"Content-Length: 4\r\n\r\nbody"
OFFER_CHUNKED = OFFER[:-2] + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-T: 1\r\n\r\n"
OLD = b"GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
OLD_SIZED = b"POST /old HTTP/1.0\r\nContent-Length: 4\r\n\r\nbody"
ABSOLUTE = b"GET http://example.com:80/a/b?c=d HTTP/1.1\r\nHost: example.com\r\n\r\n"
STREAMS = {
    "one": GET,
    "several": GET + SIZED + CHUNKED + OLD + ABSOLUTE + LAST,
    "chunked": CHUNKED,
    "old": OLD + OLD_SIZED,
    "offers": OFFER + OFFER_SIZED + GET + OFFER_CHUNKED + OFFER + SIZED,
    "half a head": GET + SIZED[:-30],
    "half a body": SIZED[:-2],
    "nonsense after requests": GET + CHUNKED + b"GARBAGE\r\n\r\n",
    "after the last": LAST + GET,
    "h2c": OFFER.replace(b"echo, other", b"h2c") + GET,
}


@pytest.mark.parametrize("name", [*STREAMS, *MALFORMED])
def test_where_the_network_cuts_makes_no_difference(name: str) -> None:
    """Bytes split at every place, and byte by byte, are the same events."""
    data = STREAMS.get(name) or MALFORMED[name]
    whole = events_of([data])
    for place in range(1, len(data)):
        assert events_of([data[:place], data[place:]]) == whole, place
    assert events_of(data[place : place + 1] for place in range(len(data))) == whole


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_request_is_an_error(name: str) -> None:
    """The last event of a malformed or ambiguous request is an error, and none says that it is
    complete."""
    events = events_of([MALFORMED[name], GET])
    assert events[-1] == ProtocolError(400, "")
    assert not [event for event in events if isinstance(event, EndOfRequest)]


def test_the_events_of_requests() -> None:
    """A head, parts of a body, the end; and the next request."""
    first, end, second, body, end_2, third, body_3, end_3 = events_of([GET + SIZED + CHUNKED])
    assert isinstance(first, RequestHead)
    assert (first.method, first.target, first.version, first.body_length) == (
        "GET",
        b"/a",
        "1.1",
        0,
    )
    assert first.keep_alive
    assert end == end_2 == EndOfRequest({})
    assert isinstance(second, RequestHead)
    assert (second.body_length, second.expects_continue, body) == (5, True, b"hello")
    assert isinstance(third, RequestHead)
    assert third.headers[1:3] == [(b"x-a", b"1"), (b"x-a", b"2")]
    assert (third.body_length, body_3) == (None, b"abcdefg")
    assert end_3 == EndOfRequest({"x-sum": "7"})
    (old,), (absolute,) = heads(events_of([OLD])), heads(events_of([ABSOLUTE]))
    assert (old.version, old.keep_alive, absolute.target) == ("1.0", True, b"/a/b?c=d")
    assert not heads(events_of([LAST]))[0].keep_alive
    old_2, body_4, _ = events_of([OLD_SIZED])
    assert isinstance(old_2, RequestHead)
    assert (old_2.version, old_2.keep_alive, old_2.body_length, body_4) == (
        "1.0",
        False,
        4,
        b"body",
    )


@pytest.mark.parametrize(
    ("request_", "offered"),
    [
        (OFFER, "echo, other"),
        (OFFER_SIZED, ""),
        (OFFER_CHUNKED, ""),
        (OFFER[:-2] + b"Content-Length: 0\r\n\r\n", "echo, other"),
        (OFFER.replace(b"1.1", b"1.0"), ""),
        (OFFER.replace(b"Connection: Upgrade\r\n", b""), ""),
        (OFFER.replace(b"Upgrade: echo, other\r\n", b""), ""),
    ],
)
def test_offers_to_upgrade(request_: bytes, offered: str) -> None:
    """An offer needs both headers. It is ignored in HTTP/1.0, as RFC 9110 wants it, and with a
    body."""
    protocol = RequestProtocol(HEAD_BYTES_MAX)
    (head,) = heads(protocol.receive(request_))
    assert head.upgrade == offered
    assert protocol.is_paused == bool(offered)


def test_what_follows_an_accepted_offer_is_not_parsed() -> None:
    """However it arrives, it is handed over as it is."""
    after = b"\x81\x05hello" + GET
    stream = GET + OFFER + after
    for place in range(len(stream) + 1):
        protocol = RequestProtocol(HEAD_BYTES_MAX)
        events = [*protocol.receive(stream[:place]), *protocol.receive(stream[place:])]
        assert [head.target for head in heads(events)] == [b"/a", b"/up"]
        assert protocol.pending_bytes == len(after)
        assert protocol.take_over() == after
        assert not protocol.receive(GET)


def test_heads_are_limited() -> None:
    """By themselves, after another request in the same read, and however they are cut."""
    large = GET[:-2] + b"X: " + b"a" * 7000 + b"\r\n\r\n"
    for prefix in (b"", GET, SIZED, CHUNKED, OFFER):
        events = events_of([prefix + large * 2], head_bytes_max=8000)
        assert len(heads(events)) == 2 + bool(prefix)
        data = prefix + large
        halves = [data[:-4], data[-4:]]
        for reads in ([data], halves, cut(data, range(0, len(data), 100))):
            events = events_of(reads, head_bytes_max=6000)
            assert len(heads(events)) == bool(prefix)
            assert events[-1] == ProtocolError(431, "")
    # What was read with other requests is no part of a head.
    reads = [GET * 500 + GET[:-2], b"X: " + b"a" * 4000, b"\r\n\r\n"]
    assert len(heads(events_of(reads, head_bytes_max=5000))) == 501
    many = GET[:-2] + b"a: b\r\n" * 1001 + b"\r\n"
    assert events_of([many]) == [ProtocolError(431, "")]


def test_what_surrounds_chunks_is_limited() -> None:
    """Trailers and extensions count as a head does."""
    start = CHUNKED[: CHUNKED.index(b"0\r\nX-Sum")]
    for endless in (b"0\r\n" + b"X: a\r\n" * 1000, b"1;" + b"a" * 3000):
        reads = [start, *cut(endless, range(0, len(endless), 100))]
        assert events_of(reads, head_bytes_max=2000)[-1] == ProtocolError(431, "")


def test_a_part_of_a_head_is_counted() -> None:
    """So that it can be charged to a budget; of what is complete nothing is."""
    protocol = RequestProtocol(HEAD_BYTES_MAX)
    protocol.receive(GET[:10])
    assert protocol.pending_bytes == 10
    protocol.receive(GET[10:])
    assert protocol.pending_bytes == 0
    protocol.receive(GET + SIZED[:-2])
    assert protocol.pending_bytes == 0
    protocol.receive(SIZED[-2:] + b"GET /begun HTTP/1.1\r\nHost: x\r\nX: a")
    assert 30 < protocol.pending_bytes < 50
    protocol.receive(b"a" * 5000)
    assert 5000 < protocol.pending_bytes < 5050
    protocol.close()
    assert protocol.pending_bytes == 0
    assert not protocol.receive(GET)


# -- any requests, cut anywhere ----------------------------------------------------------------

_names = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=8).map(
    lambda name: f"x-{name}"
)
_values = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
_bodies = st.binary(max_size=200)


@dataclasses.dataclass(frozen=True)
class Request:
    """A request as a client makes it."""

    method: str
    target: bytes
    headers: list[tuple[str, str]]
    chunks: list[bytes] | None
    body: bytes | None
    trailers: dict[str, str]
    offers: bool

    def encode(self) -> bytes:
        lines = [f"{self.method} {self.target.decode()} HTTP/1.1", "Host: h"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.offers:
            lines += ["Connection: keep-alive, Upgrade", "Upgrade: echo"]
        if self.chunks is not None:
            lines.append("Transfer-Encoding: chunked")
        elif self.body is not None:
            lines.append(f"Content-Length: {len(self.body)}")
        head = "\r\n".join([*lines, "", ""]).encode()
        if self.chunks is None:
            return head + (self.body or b"")
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in self.chunks)
        trailers = "".join(f"{name}: {value}\r\n" for name, value in self.trailers.items())
        return head + chunks + b"0\r\n" + trailers.encode() + b"\r\n"

    @property
    def whole_body(self) -> bytes:
        return b"".join(self.chunks) if self.chunks is not None else self.body or b""


_requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]),
    target=st.sampled_from([b"/", b"/a/b?c=d&e", b"//double", b"/%2F?", b"/a?b?c"]),
    headers=st.lists(st.tuples(_names, _values), max_size=5),
    chunks=st.none() | st.lists(_bodies.filter(bool), max_size=5),
    body=st.none() | _bodies,
    trailers=st.dictionaries(_names, _values, max_size=3),
    offers=st.booleans(),
)


@given(st.lists(_requests, max_size=6), st.lists(st.integers(min_value=0), max_size=20))
@settings(deadline=None)
def test_any_requests_are_the_same_events_however_they_are_cut(
    requests: list[Request], places: list[int]
) -> None:
    """Each has one head, its body and one end, in their order."""
    data = b"".join(request.encode() for request in requests)
    events = events_of(cut(data, places))
    assert events == events_of([data])
    for request in requests:
        head = events.pop(0)
        assert isinstance(head, RequestHead)
        assert (head.method, head.target) == (request.method, request.target)
        sent = [(name.encode(), value.encode()) for name, value in request.headers]
        assert head.headers[1 : 1 + len(sent)] == sent
        has_body = request.chunks is not None or bool(request.body)
        is_offered = request.offers and not has_body
        assert head.upgrade == ("echo" if is_offered else "")
        assert (head.body_length != 0) == has_body
        if request.whole_body:
            assert events.pop(0) == request.whole_body
        end = events.pop(0)
        assert isinstance(end, EndOfRequest)
        assert end.trailers == (request.trailers if request.chunks is not None else {})
    assert not events


@given(st.binary(max_size=300), st.lists(st.integers(min_value=0), max_size=10))
@settings(deadline=None)
def test_noise_never_raises(noise: bytes, places: list[int]) -> None:
    """Whatever strangers send is events; after an error nothing follows."""
    for prefix in (b"", GET, CHUNKED[:-20], OFFER):
        events = events_of(cut(prefix + noise, places))
        assert not [event for event in events[:-1] if isinstance(event, ProtocolError)]


# -- responses ---------------------------------------------------------------------------------


def read_response(data: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes, bool]:
    """Status, headers, body, and whether the response is complete."""
    headers: list[tuple[bytes, bytes]] = []
    body = bytearray()
    complete: list[bool] = []

    class Collector:
        def on_header(self, name: bytes, value: bytes) -> None:
            headers.append((name, value))

        def on_body(self, data: bytes) -> None:
            body.extend(data)

        def on_message_complete(self) -> None:
            complete.append(True)

    parser = httptools.HttpResponseParser(Collector())
    parser.feed_data(data)
    return parser.get_status_code(), headers, bytes(body), bool(complete)


@given(st.lists(_bodies.filter(bool), max_size=6), st.sampled_from(["1.1", "1.0"]), st.booleans())
@settings(deadline=None)
def test_streamed_responses_come_out_as_they_went_in(
    chunks: list[bytes], version: str, has_length: bool
) -> None:
    """With a length, in chunks, or until the connection closes."""
    length = sum(map(len, chunks)) if has_length else None
    head, framing = encode_start(
        200, [("X-A", "1")], length, method="GET", version=version, keep_alive=True, date=DATE
    )
    data = head + b"".join(b"".join(encode_chunk(framing, chunk)) for chunk in chunks)
    status, headers, body, is_complete = read_response(data + encode_end(framing))
    assert (status, body) == (200, b"".join(chunks))
    assert (b"X-A", b"1") in headers
    assert is_complete == (framing is not Framing.CLOSE)
    assert ((b"Connection", b"close") in headers) == (framing is Framing.CLOSE)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_streamed_responses_without_a_body(method: str, status: int) -> None:
    """What is written is dropped."""
    head, framing = encode_start(
        status, (), None, method=method, version="1.1", keep_alive=True, date=DATE
    )
    assert (framing, encode_chunk(framing, b"dropped"), encode_end(framing)) == (
        Framing.NONE,
        (),
        b"",
    )
    assert b"Transfer-Encoding" not in head


def test_whole_responses() -> None:
    """Date, length and the end of the connection are added as needed."""
    head = encode_head(200, [("X-A", "1")], 4, keep_alive=True, date=DATE)
    date = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    assert head == b"HTTP/1.1 200 OK\r\nX-A: 1\r\n" + date + b"Content-Length: 4\r\n\r\n"
    head = encode_head(204, (), 0, keep_alive=False, date=DATE)
    assert head == b"HTTP/1.1 204 No Content\r\n" + date + b"Connection: close\r\n\r\n"
    assert b"\r\nRetry-After: 1\r\n" in encode_refusal(503, DATE)
    head = encode_upgrade("echo", [("Sec-X", "1")], DATE)
    assert head.startswith(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nSec-X: 1\r\n"
    )


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\0b"])
def test_a_response_cannot_be_split(value: str) -> None:
    """Header values with line breaks are refused."""
    headers = [("X-Bad", value)]
    with pytest.raises(ValueError, match="X-Bad"):
        encode_head(200, headers, 0, keep_alive=True, date=DATE)
    with pytest.raises(ValueError, match="X-Bad"):
        encode_start(200, headers, 0, method="GET", version="1.1", keep_alive=True, date=DATE)
    with pytest.raises(ValueError, match="X-Bad"):
        encode_upgrade("echo", headers, DATE)
