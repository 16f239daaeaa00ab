"""How much one WebSocket may send, hold and last."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SocketLimits:
    """AWS's quotas, and how much of a client is held here."""

    message_bytes_max: int = 128 * 1024
    """Bytes of a message of a client."""
    frame_bytes_max: int = 32 * 1024
    """Bytes of one frame of it."""
    under_way_max: int = 16
    """Messages of one client whose integrations have not ended."""
    waiting_bytes_max: int = 128 * 1024
    """Bytes that wait for a client that does not read; one message may always wait."""
    behind_s: float = 30.0
    """Seconds that a client may leave them unread."""
    idle_s: float = 600.0
    """Seconds without a byte in either direction."""
    age_s: float = 7200.0
    """Seconds that a connection may last."""
