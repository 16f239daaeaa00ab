"""Temporary credentials that are not stored.

A session token contains its principal and its expiry, with a MAC by the platform's key. The secret
is derived from the token with the same key. So any process with the key can check a request, on any
machine and after a restart.
"""

import base64
import dataclasses
import hashlib
import hmac
import json
import secrets

from lambent.kit.clock import Clock
from lambent.model.credentials import Credentials
from lambent.model.errors import ApiError
from lambent.model.principal import Principal

_MAC_BYTES = 32
_TOKEN_MAX = 4096
_KEY_ID_PREFIX = "ASIA"


class SessionTokens:
    """Issues and reads temporary credentials."""

    def __init__(self, key: bytes, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def issue(self, principal: Principal, *, lifetime_s: float) -> Credentials:
        """Credentials of a principal, valid for `lifetime_s` seconds."""
        expires_at = int(self._clock.now() + lifetime_s)
        key_id = _KEY_ID_PREFIX + base64.b32encode(secrets.token_bytes(10)).decode()
        document = {
            "k": key_id,
            "e": expires_at,
            "p": {
                field.name: getattr(principal, field.name)
                for field in dataclasses.fields(principal)
            },
        }
        payload = json.dumps(document, separators=(",", ":")).encode()
        token = base64.b64encode(self._mac(b"token", payload) + payload).decode()
        return Credentials(
            access_key_id=key_id,
            secret_access_key=self._secret(payload),
            session_token=token,
            expires_at=expires_at,
        )

    def read(self, access_key_id: str, token: str) -> tuple[Principal, str] | None:
        """The principal of a token and the secret that belongs to it; None if the token was not
        issued here for this key. Raises `ExpiredTokenException`."""
        payload = self._open(token)
        if payload is None:
            return None
        document = json.loads(payload)
        if document["k"] != access_key_id:
            return None
        if document["e"] <= self._clock.now():
            raise ApiError(
                "ExpiredTokenException",
                "The security token included in the request is expired",
                status=403,
            )
        return Principal(**document["p"]), self._secret(payload)

    def _open(self, token: str) -> bytes | None:
        """The signed content, None if it was not signed here."""
        try:
            sealed = base64.b64decode(token[:_TOKEN_MAX], validate=True)
        except ValueError:
            return None
        mac, payload = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        return payload if hmac.compare_digest(mac, self._mac(b"token", payload)) else None

    def _secret(self, payload: bytes) -> str:
        return base64.b64encode(self._mac(b"secret", payload)).decode()

    def _mac(self, purpose: bytes, payload: bytes) -> bytes:
        return hmac.digest(self._key, purpose + b"\0" + payload, hashlib.sha256)
