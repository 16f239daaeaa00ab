"""The request of a client that wants a WebSocket.
https://www.rfc-editor.org/rfc/rfc6455#section-4.2
"""

import base64
import re
import secrets

from websockets.utils import accept_key

from lambent.kit.http.messages import Exchange

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
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


def new_connection_id() -> str:
    """An id that cannot be guessed: sixteen characters, the last of them `=`."""
    return base64.urlsafe_b64encode(secrets.token_bytes(11)).decode()
