"""What is checked of a request to invoke a function that its model does not know."""

import base64
import binascii
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from lambent.kit.strict_json import fault_of
from lambent.model.errors import ApiError, invalid_parameter

CLIENT_CONTEXT_LENGTH_MAX = 3583
"""Characters of the base64 text."""

_CONTENT_TYPE = re.compile(r"application/([\w.+-]+\+)?json\b.*|text/json\b.*", re.IGNORECASE)
_TOLERATED_TYPES = frozenset(
    {"application/octet-stream", "application/x-www-form-urlencoded", "binary/octet-stream"}
)


def is_json_type(content_type: str) -> bool:
    """JSON in its spellings, and what command-line tools send without being asked."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind in _TOLERATED_TYPES or _CONTENT_TYPE.fullmatch(content_type) is not None


def refuse_error(error: ApiError | None) -> None:
    """Raise the error, if there is one."""
    if error is not None:
        raise error


def check_offered(params: Mapping[str, Any]) -> None:
    if "DurableExecutionName" in params:
        raise invalid_parameter("Lambent does not offer durable executions yet.")


def check_json(event: bytes) -> None:
    """Raises `ApiError` for what is no JSON. For small events: larger ones stop the loop."""
    refuse_fault(fault_of(event))


def refuse_fault(fault: str | None) -> None:
    """Raise `ApiError` if there is something wrong with an event."""
    if fault is not None:
        raise ApiError(
            "InvalidRequestContentException",
            "Could not parse request body into json: Could not parse payload into json: "
            f"{fault[:200]}",
        )


def decode_client_context(encoded: str | None) -> str:
    """The context as JSON text on one line; empty if there is none."""
    if not encoded:
        return ""
    if len(encoded) > CLIENT_CONTEXT_LENGTH_MAX:
        raise ApiError(
            "InvalidRequestContentException",
            f"Client context must be at most {CLIENT_CONTEXT_LENGTH_MAX} bytes of base64.",
        )
    try:
        context = json.loads(base64.b64decode(encoded, validate=True))
        if not isinstance(context, dict):
            raise ValueError("not an object")
    except (binascii.Error, ValueError, RecursionError) as error:
        raise ApiError(
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
        ) from error
    return json.dumps(context)


def own_request_id(given: str | None) -> str | None:
    """The caller's own request id. Raises `ApiError` if it is not a UUID."""
    if given is None:
        return None
    try:
        return str(uuid.UUID(given))
    except ValueError as error:
        raise ApiError(
            "InvalidRequestContentException", "The request id must be a valid UUID."
        ) from error
