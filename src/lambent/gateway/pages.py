"""What the platform's own pages have in common: JSON, and the errors of the API."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

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


def respond(exchange: Exchange, document: Mapping[str, Any], missing: Sequence[int] = ()) -> None:
    """Send a document. If nodes are `missing` that it is about, it names them."""
    named = {"missing_nodes": list(missing)} if missing else {}
    body = json.dumps({**document, **named}).encode()
    exchange.respond(200, [("Content-Type", "application/json")], body)


def fail(exchange: Exchange, _: Exception) -> None:
    """Respond with 500."""
    refuse(exchange, service_failure())


def refuse(exchange: Exchange, error: ApiError) -> None:
    """Send an error."""
    body = json.dumps({"code": error.code, "message": error.message}).encode()
    exchange.respond(error.status, [("Content-Type", "application/json")], body)
