"""How the APIs inside a box answer: the same for runtimes, extensions and telemetry."""

import json

from lambent.kit.http.messages import Exchange

_ACCEPTED_BODY = b'{"status":"OK"}\n'
_ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    % len(_ACCEPTED_BODY)
)


def accept(exchange: Exchange) -> None:
    """Answer that something was noted."""
    exchange.respond_raw(_ACCEPTED, _ACCEPTED_BODY)


def refuse(exchange: Exchange, status: int, error_type: str, message: str) -> None:
    """Answer with an error document."""
    body = json.dumps({"errorMessage": message, "errorType": error_type}).encode()
    exchange.respond(status, [("Content-Type", "application/json")], body)
