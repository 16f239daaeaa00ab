"""The request of a client that wants a WebSocket.
https://www.rfc-editor.org/rfc/rfc6455#section-4.2
"""

import base64
import re
import secrets

from websockets.utils import accept_key

from lambent.kit.http.messages import Exchange

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_RANDOM_BYTES, _NODE_BYTES = 11, 6
VERSION = ("Sec-WebSocket-Version", "13")


def is_offered(exchange: Exchange) -> bool:
    """Whether the client offers to switch to a WebSocket."""
    offers = exchange.upgrade_offer.lower().split(",")
    return exchange.method == "GET" and "websocket" in (offer.strip() for offer in offers)


def accept_headers(exchange: Exchange) -> list[tuple[str, str]] | None:
    """The headers that accept an offer; None if its key is none."""
    key = exchange.headers.get("sec-websocket-key", "")
    try:
        is_key = len(base64.b64decode(key, validate=True)) == 16
    except ValueError:
        is_key = False
    return [("Sec-WebSocket-Accept", accept_key(key))] if is_key else None


def offered_protocols(exchange: Exchange) -> list[str]:
    """The subprotocols that the client can speak, the one that it prefers first."""
    names = exchange.headers.get("sec-websocket-protocol", "").split(",")
    return [name.strip() for name in names if _TOKEN.fullmatch(name.strip())]


def new_connection_id(node: int = 0) -> str:
    """An id that cannot be guessed: sixteen characters, the last of them `=`. The id of a
    connection of a node is longer and has its number."""
    number = node.to_bytes(_NODE_BYTES) if node else b""
    return base64.urlsafe_b64encode(secrets.token_bytes(_RANDOM_BYTES) + number).decode()


def node_of(connection_id: str) -> int:
    """The number of the node whose connection has this id; 0 if the id names none."""
    try:
        decoded = base64.urlsafe_b64decode(connection_id)
    except ValueError:
        return 0
    if len(decoded) != _RANDOM_BYTES + _NODE_BYTES:
        return 0
    return int.from_bytes(decoded[_RANDOM_BYTES:])
