"""A WebSocket and its client in memory: bytes move when a test says so."""

from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from lambent.kit.clock import ManualClock
from lambent.kit.http.budget import Budget
from lambent.triggers.apis.websocket.limits import SocketLimits
from lambent.triggers.apis.websocket.socket import WebSocket


class MemoryStream:
    """A `ByteStream` whose client takes what is written unless it is `stuck`."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.is_stuck = False
        self.is_paused = False
        self.end: str | None = None
        self._on_writable = lambda: None

    def write(self, data: bytes) -> bool:
        self.written += data
        return not self.is_stuck

    def on_writable(self, callback) -> None:
        self._on_writable = callback

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def close(self) -> None:
        self.end = self.end or "close"

    def linger(self) -> None:
        self.end = self.end or "linger"

    def abort(self) -> None:
        self.end = "abort"

    def unstick(self) -> None:
        """The client reads again."""
        self.is_stuck = False
        self._on_writable()


class Peer:
    """Both ends of a connection. Messages are finished at once unless `holds`."""

    def __init__(
        self, limits: SocketLimits | None = None, *, held: int = 1 << 20, holds: bool = False
    ) -> None:
        self.clock = ManualClock()
        self.stream = MemoryStream()
        self.holds = holds
        self.messages: list[str] = []
        self.how: list[Close] = []
        self.budget = Budget(held)
        self.client = ClientProtocol(parse_uri("ws://x/"), state=State.OPEN, max_size=None)
        self.socket = WebSocket(
            self.stream, self, self.clock, self.budget, limits or SocketLimits()
        )

    def received(self, text: str) -> None:
        self.messages.append(text)
        if not self.holds:
            self.socket.done()

    def ended(self, how: Close) -> None:
        self.how.append(how)

    def say(self, data: bytes | None = None) -> None:
        """Send bytes to the socket: those given, else what the client has to send."""
        self.socket.data(b"".join(self.client.data_to_send()) if data is None else data)

    def heard(self) -> list[Frame]:
        """The frames that have reached the client since the last call."""
        data, self.stream.written = bytes(self.stream.written), bytearray()
        self.client.receive_data(data)
        return [event for event in self.client.events_received() if isinstance(event, Frame)]

    def texts(self) -> list[str]:
        """The messages that have reached the client, whole."""
        found: list[str] = []
        for frame in self.heard():
            if frame.opcode is Opcode.TEXT:
                found.append(bytes(frame.data).decode())
            elif frame.opcode is Opcode.CONT:
                found[-1] += bytes(frame.data).decode()
        return found

    def close_code(self) -> int:
        """The code of the close frame that has reached the client."""
        self.heard()
        assert self.client.close_rcvd is not None
        return self.client.close_rcvd.code
