"""Hooks of the kind `hmac`: webhooks that their sender signs with a shared secret."""

from lambent.model.hooks.options import scheme_of
from lambent.model.hooks.signatures import TOLERANCE_S, SignatureInvalid, Verified, verify
from lambent.triggers.hooks.kind import (
    HookRefused,
    HookRequest,
    Once,
    Received,
    of_body,
    parsed,
    require_method,
    require_no_path,
)
from lambent.triggers.hooks.requests import event_of, received
from lambent.triggers.url_response import UrlResponse

_FORM = "application/x-www-form-urlencoded"
_CHALLENGE_MAX = 1024


async def receive(request: HookRequest) -> Received | UrlResponse:
    """See `Receive`."""
    require_method(request, "POST")
    require_no_path(request)
    hook, exchange = request.hook, request.exchange
    scheme = scheme_of(hook.options)
    tolerance_s = hook.options.get("tolerance_s", TOLERANCE_S)

    def check() -> Verified:
        return verify(
            scheme,
            hook.secrets_at(request.now),
            exchange.headers,
            exchange.body,
            now=request.now,
            tolerance_s=tolerance_s,
        )

    try:
        verified = await of_body(exchange.body, check)
    except SignatureInvalid as error:
        raise HookRefused(401, str(error)) from error
    if hook.options.get("scheme") == "slack":
        challenge = await _challenge(request)
        if challenge is not None:
            return UrlResponse(200, [("Content-Type", "text/plain")], challenge)
    hidden = scheme.header if scheme.algorithm is None else ""
    shown = {name: value for name, value in exchange.headers.items() if name != hidden}
    return await received(
        request,
        lambda: event_of(request, shown, exchange.query),
        once=_once(request, verified, tolerance_s),
        event_type=scheme.event_type,
    )


def _once(request: HookRequest, verified: Verified, tolerance_s: float) -> Once | None:
    if verified.signed_at is not None:
        # A retry with the same id has a later time.
        latest = max(request.now, verified.signed_at)
        return Once(verified.key, latest + tolerance_s + 1, verified.signed_at)
    window_s = request.hook.options.get("replay_window_s", 0)
    return Once(verified.key, request.now + window_s) if window_s else None


async def _challenge(request: HookRequest) -> bytes | None:
    """What Slack wants to read when it is given an address: see
    https://docs.slack.dev/reference/events/url_verification. None for other requests."""
    exchange = request.exchange
    if exchange.headers.get("content-type", "").startswith(_FORM):
        return None  # A command or an action.
    body = await parsed(exchange.body)
    if not isinstance(body, dict) or body.get("type") != "url_verification":
        return None
    challenge = body.get("challenge")
    if not isinstance(challenge, str) or len(challenge) > _CHALLENGE_MAX:
        raise HookRefused(400, "The challenge is not valid.")
    return challenge.encode("utf-8", "replace")
