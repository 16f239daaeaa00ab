"""Hooks of the kind `alexa`: requests of Alexa to a custom skill. The function gets them as they
are, and its response goes back.

A hook that was created for local use also takes requests that are signed with a key of its own,
which its owner can read: everything else is checked in the same way.
https://developer.amazon.com/docs/alexa/custom-skills/host-a-custom-skill-as-a-web-service.html
"""

import base64
import logging
import re
from collections.abc import Iterator
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from lambent.kit import quick_json
from lambent.kit.computing import computed
from lambent.model.hooks.alexa import NAME, TOLERANCE_S, local_address
from lambent.model.hooks.hook import Hook
from lambent.model.invocation import Outcome, Refused, Succeeded
from lambent.triggers.hooks.certificates import (
    CertificateRefused,
    CertificatesBusy,
    SigningCertificates,
    read_chain,
    verify_chain,
)
from lambent.triggers.hooks.kind import (
    HookRefused,
    HookRequest,
    Received,
    instant,
    json_response,
    parsed,
    require_method,
    require_no_path,
)
from lambent.triggers.url_response import UrlResponse

logger = logging.getLogger(__name__)

_BODY_BYTES_MAX = 128 * 1024
_RESPONSE_BYTES_MAX = 24 * 1024
_SPEECH_MAX = 8000
"""Characters."""
_DEADLINE_S = 8.0
_ADDRESS = re.compile(
    r"(?i:https://s3\.amazonaws\.com)(?::443)?(/echo\.api/[A-Za-z0-9._/-]{1,256})"
)
_JSON = [("Content-Type", "application/json;charset=UTF-8")]


class AlexaRequests:
    """Receives requests."""

    def __init__(self, certificates: SigningCertificates) -> None:
        self._certificates = certificates

    async def receive(self, request: HookRequest) -> Received | UrlResponse:
        """See `Receive`."""
        require_method(request, "POST")
        require_no_path(request)
        hook, exchange = request.hook, request.exchange
        if len(exchange.body) > _BODY_BYTES_MAX:
            raise HookRefused(413, "The request is too large.")
        headers = exchange.headers
        key = await self._key(request, headers.get("signaturecertchainurl", ""))
        try:
            signature = base64.b64decode(headers.get("signature-256", ""), validate=True)
            key.verify(signature, exchange.body, PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError) as error:
            raise HookRefused(400, "The signature is missing or not valid.") from error
        envelope = await parsed(exchange.body)
        if abs(request.now - _time_of(envelope)) > TOLERANCE_S:
            raise HookRefused(400, "The request is too old, or from the future.")
        skill = hook.options["skill"]
        skills = list(_skills_of(envelope))
        if not skills or any(each != skill for each in skills):
            raise HookRefused(400, "The request is for another skill.")
        return Received(
            events=[exchange.body],
            respond=lambda outcome: _respond(outcome, hook),
            deadline_s=_DEADLINE_S,
            event_source_token=skill,
        )

    async def _key(self, request: HookRequest, given: str) -> RSAPublicKey:
        match = _ADDRESS.fullmatch(given)
        segments = match[1].split("/")[1:] if match is not None else [""]
        if match is None or any(segment in ("", ".", "..") for segment in segments):
            raise HookRefused(400, "The address of the certificate is missing or not valid.")
        hook, address = request.hook, f"https://s3.amazonaws.com{match[1]}"
        try:
            if hook.options.get("local") and address == local_address(hook.id):
                return await computed(_local_key, hook, request.now)
            return await self._certificates.key_at(address, [NAME])
        except CertificatesBusy as error:
            raise HookRefused(429, "Too many certificates are being read.") from error
        except CertificateRefused as error:
            raise HookRefused(400, str(error)) from error


def _local_key(hook: Hook, now: float) -> RSAPublicKey:
    secrets = hook.secrets_at(now)
    leaf, root = read_chain(secrets[0].encode())
    return verify_chain([leaf], [root], [NAME], now)[0]


def _time_of(envelope: Any) -> float:
    try:
        text = envelope["request"]["timestamp"]
        return instant(text).timestamp()
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise HookRefused(400, "The time of the request is missing or not valid.") from error


def _skills_of(envelope: Any) -> Iterator[Any]:
    """The ids of skills that a request names: there are two places, and not all types of requests
    have both."""
    for path in (("session",), ("context", "System")):
        value = envelope
        for name in (*path, "application", "applicationId"):
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            yield value


def _respond(outcome: Outcome, hook: Hook) -> UrlResponse:
    if isinstance(outcome, Refused) and outcome.error.status == 429:
        return json_response(429, "Too Many Requests", ("Retry-After", "1"))
    fault = _fault_of(outcome)
    if fault is None:
        assert isinstance(outcome, Succeeded)
        return UrlResponse(200, _JSON, outcome.payload)
    logger.warning("Alexa gets no response from %s: %s", hook.arn, fault)
    return json_response(500, "The skill did not respond.")


def _fault_of(outcome: Outcome) -> str | None:
    """Why Alexa would not take a response; None if it would."""
    if not isinstance(outcome, Succeeded):
        return f"{outcome.kind}"
    if len(outcome.payload) > _RESPONSE_BYTES_MAX:
        return f"it has more than {_RESPONSE_BYTES_MAX} bytes"
    try:
        response = quick_json.decode(outcome.payload)
        speech = response["response"].get("outputSpeech") or {}
        if len(speech.get("ssml") or speech.get("text") or "") > _SPEECH_MAX:
            return f"its speech has more than {_SPEECH_MAX} characters"
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return "it is not a response of a skill"
    return None
