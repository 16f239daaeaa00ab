"""TLS and SASL in front of a Kafka broker that has neither."""

import ssl
import struct
from collections.abc import Mapping

from anyio.abc import ByteStream
from anyio.streams.buffered import BufferedByteReceiveStream

from tests.servers.kafka_sasl import MECHANISMS, Exchange, RefusedError, exchange
from tests.servers.proxy import Proxy, join

_SASL_HANDSHAKE, _API_VERSIONS, _SASL_AUTHENTICATE = 17, 18, 36
_UNSUPPORTED_MECHANISM, _AUTHENTICATION_FAILED = 33, 58
_FLEXIBLE_SINCE = 2
"""From this version on, SaslAuthenticate has compact lengths and tagged fields."""


class KafkaFront(Proxy):
    """Lets only `users` (name → password) through to the broker; without users, every client that
    TLS accepts. The broker must advertise the front's port as its own."""

    def __init__(
        self,
        target_port: int,
        *,
        port: int | None = None,
        tls: ssl.SSLContext | None = None,
        users: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(target_port, port=port, tls=tls)
        self.users = users

    async def between(self, client: ByteStream, server: ByteStream) -> None:
        """See `Proxy`."""
        requests = BufferedByteReceiveStream(client)
        if self.users is None or await self._authenticated(requests, client, server):
            await join(requests, client, server)

    async def _authenticated(
        self, requests: BufferedByteReceiveStream, client: ByteStream, server: ByteStream
    ) -> bool:
        """Whether the client authenticates before it sends anything else but ApiVersions."""
        assert self.users is not None
        answers = BufferedByteReceiveStream(server)
        attempt: Exchange | None = None
        while True:
            request = await _receive_frame(requests)
            api, version, correlation = struct.unpack_from(">hhi", request)
            body = _after_client_id(request)
            if api == _API_VERSIONS:
                await _send_frame(server, request)
                await _send_frame(client, await _receive_frame(answers))
                continue
            if api == _SASL_HANDSHAKE:
                mechanism = _string(body)
                is_known = mechanism in MECHANISMS
                attempt = exchange(mechanism, self.users) if is_known else None
                answer = _handshake_answer(0 if is_known else _UNSUPPORTED_MECHANISM)
                await _send_frame(client, struct.pack(">i", correlation) + answer)
                continue
            if api != _SASL_AUTHENTICATE or attempt is None:
                return False
            try:
                said = attempt.step(_token(body, version))
            except (RefusedError, ValueError, KeyError):
                refused = _authenticate_answer(version, _AUTHENTICATION_FAILED, b"")
                await _send_frame(client, struct.pack(">i", correlation) + refused)
                return False
            answer = _authenticate_answer(version, 0, said)
            await _send_frame(client, struct.pack(">i", correlation) + answer)
            if attempt.is_done:
                return True


async def _receive_frame(stream: BufferedByteReceiveStream) -> bytes:
    (size,) = struct.unpack(">i", await stream.receive_exactly(4))
    return await stream.receive_exactly(size)


async def _send_frame(stream: ByteStream, frame: bytes) -> None:
    await stream.send(struct.pack(">i", len(frame)) + frame)


def _after_client_id(request: bytes) -> bytes:
    """What follows the header's key, version, correlation id and client id."""
    (length,) = struct.unpack_from(">h", request, 8)
    return request[10 + max(length, 0) :]


def _string(data: bytes) -> str:
    (length,) = struct.unpack_from(">h", data)
    return data[2 : 2 + length].decode()


def _token(body: bytes, version: int) -> bytes:
    """The mechanism's message in a SaslAuthenticate request."""
    if version < _FLEXIBLE_SINCE:
        (length,) = struct.unpack_from(">i", body)
        return body[4 : 4 + length]
    # One byte says the header has no tagged fields; compact lengths are one more than the actual
    # length.
    length, start = _unsigned_varint(body, 1)
    return body[start : start + length - 1]


def _handshake_answer(error: int) -> bytes:
    names = b"".join(struct.pack(">h", len(name)) + name.encode() for name in MECHANISMS)
    return struct.pack(">hi", error, len(MECHANISMS)) + names


def _authenticate_answer(version: int, error: int, token: bytes) -> bytes:
    """Error, message, token and, since version 1, how long the session lasts: forever."""
    message = b"Authentication failed" if error else None
    lifetime = struct.pack(">q", 0) if version >= 1 else b""
    if version < _FLEXIBLE_SINCE:
        text = struct.pack(">h", -1 if message is None else len(message)) + (message or b"")
        return struct.pack(">h", error) + text + struct.pack(">i", len(token)) + token + lifetime
    text = b"\0" if message is None else _varint(len(message) + 1) + message
    header = b"\0" + struct.pack(">h", error)
    return header + text + _varint(len(token) + 1) + token + lifetime + b"\0"


def _unsigned_varint(data: bytes, start: int) -> tuple[int, int]:
    """The number at a position, and the position after it."""
    value = shift = 0
    while True:
        byte = data[start]
        start += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, start


def _varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])
