"""What the platform's own pages have in common: JSON, and the errors of the API."""

import json

from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError, service_failure


def check_method(exchange: Exchange, *allowed: str) -> None:
    """Raises `MethodNotAllowedException`."""
    if exchange.method not in allowed:
        raise ApiError(
            "MethodNotAllowedException",
            f"Only {' and '.join(allowed)} is allowed here.",
            status=405,
        )


def respond(exchange: Exchange, document: object) -> None:
    """Send a document."""
    body = json.dumps(document).encode()
    exchange.respond(200, [("Content-Type", "application/json")], body)


def fail(exchange: Exchange, _: Exception) -> None:
    """Respond with 500."""
    refuse(exchange, service_failure())


def refuse(exchange: Exchange, error: ApiError) -> None:
    """Send an error."""
    body = json.dumps({"code": error.code, "message": error.message}).encode()
    exchange.respond(error.status, [("Content-Type", "application/json")], body)
