"""Responses of the APIs inside a box, the same for runtimes, extensions and telemetry."""

import json

from lambent.kit.http.messages import Exchange

_ACCEPTED_BODY = b'{"status":"OK"}\n'
_ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    % len(_ACCEPTED_BODY)
)


def accept(exchange: Exchange) -> None:
    """Respond that a report was accepted."""
    exchange.respond_raw(_ACCEPTED, _ACCEPTED_BODY)


def refuse(exchange: Exchange, status: int, error_type: str, message: str) -> None:
    """Respond with an error document."""
    body = json.dumps({"errorMessage": message, "errorType": error_type}).encode()
    exchange.respond(status, [("Content-Type", "application/json")], body)
