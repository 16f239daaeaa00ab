"""What the front gives a kind of hook, and what the kind makes of it."""

import datetime
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from lambent.kit.computing import LOOP_BYTES_MAX, computed, read_wherever
from lambent.kit.http.messages import Exchange
from lambent.kit.strict_json import parse_plain
from lambent.model.hooks.hook import Hook
from lambent.model.invocation import Outcome
from lambent.triggers.url_response import UrlResponse

T = TypeVar("T")

Entry = Mapping[str, Any]
"""An event for a bus: an entry of PutEvents, without the bus."""
Respond = Callable[[Outcome], UrlResponse]
"""Makes the response to a caller that waits."""


class HookRequest(NamedTuple):
    """A request for a hook."""

    hook: Hook
    exchange: Exchange
    path: str
    """What follows the hook's address, still percent-encoded: empty, or from a slash on."""
    now: float
    """Epoch seconds."""
    request_id: str
    trace_id: str


class Once(NamedTuple):
    """What a request that counts once is known by."""

    key: bytes
    expires: float
    """Epoch seconds after which a copy is refused for its age."""
    signed_at: float | None = None
    """Epoch seconds, if the sender signs again when it retries."""


class Received(NamedTuple):
    """A request that its sender was allowed to make."""

    events: Sequence[bytes] = ()
    """For a function."""
    entries: Sequence[Entry] = ()
    """For a bus."""
    once: Once | None = None
    respond: Respond | None = None
    """For a caller that waits for the response to the only event."""
    deadline_s: float = 0.0
    """How long it waits."""
    event_source_token: str | None = None


Receive = Callable[[HookRequest], Awaitable[Received | UrlResponse]]
"""Checks a request and makes events of it, or responds to it without one. Raises `HookRefused`."""


class HookRefused(Exception):
    """A request is refused. The text is for its sender, who may be anyone."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def require_method(request: HookRequest, *methods: str) -> None:
    """Raises `HookRefused` (405) for another method."""
    if request.exchange.method not in methods:
        raise HookRefused(405, f"Only {' and '.join(methods)} is allowed here.")


def require_no_path(request: HookRequest) -> None:
    """Raises `HookRefused` (404) if something follows the address."""
    if request.path not in ("", "/"):
        raise HookRefused(404, "Not Found")


def is_any_of(given: str, secrets: Sequence[str]) -> bool:
    """Whether a text, as it came in a header, is one of the secrets. In constant time."""
    text = given.encode("latin-1", "replace")
    return any([hmac.compare_digest(text, secret.encode()) for secret in secrets])


async def parsed(body: bytes) -> Any:
    """The value of a body in JSON. Raises `HookRefused` (400)."""

    is_valid, value = await read_wherever(_parse, body, data=body)
    if not is_valid:
        raise HookRefused(400, "The body is not valid JSON.")
    return value


def _parse(body: bytes) -> tuple[bool, Any]:
    """Whether a body is valid JSON, and its value. In another process, perhaps."""
    try:
        return True, parse_plain(body.decode())
    except ValueError:
        return False, None


async def of_body(body: bytes, compute: Callable[[], T]) -> T:
    """What a function computes, which takes a while if the body is large."""
    return await computed(compute) if len(body) > LOOP_BYTES_MAX else compute()


def instant(text: str) -> datetime.datetime:
    """A time in the form of ISO 8601; without a zone it is UTC. Raises ValueError."""
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return at if at.tzinfo is not None else at.replace(tzinfo=datetime.UTC)


def json_response(status: int, message: str, *headers: tuple[str, str]) -> UrlResponse:
    """A short response of the platform's own."""
    body = json.dumps({"message": message}, separators=(",", ":")).encode()
    return UrlResponse(status, [("Content-Type", "application/json"), *headers], body)
