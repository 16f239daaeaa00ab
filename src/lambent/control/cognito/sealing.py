"""What clients keep for the platform and cannot read or change: sessions of challenges, refresh
tokens, markers of pages. And what is stored but must not be readable in the database alone: the
private keys of pools, codes.

Sealed values are encrypted and authenticated (AES-256-GCM) with keys that are derived from one
secret of the platform, one for each purpose.
"""

import base64
import hmac
import json
import secrets
import zlib
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lambent.kit.strict_json import parse_loosely

SECRET = "user pools"
"""The name of the platform's secret."""
_NONCE_BYTES = 12
_TEXT_MAX = 16 * 1024


class Sealer:
    """See the module."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def seal(self, purpose: str, value: Mapping[str, Any]) -> str:
        """A text of URL-safe characters that only `open` with the same purpose reads."""
        content = zlib.compress(json.dumps(value, separators=(",", ":")).encode())
        return base64.urlsafe_b64encode(self.encrypt(purpose, content)).decode()

    def open(self, purpose: str, text: str) -> dict[str, Any] | None:
        """What `seal` got; None for any other text."""
        if len(text) > _TEXT_MAX:
            return None
        try:
            sealed = base64.b64decode(text, altchars=b"-_", validate=True)
        except ValueError:
            return None
        content = self.decrypt(purpose, sealed)
        if content is None:
            return None
        value: dict[str, Any] = parse_loosely(zlib.decompress(content))
        return value

    def encrypt(self, purpose: str, content: bytes) -> bytes:
        """Encrypt for `decrypt` with the same purpose."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self._key(purpose)).encrypt(nonce, content, None)

    def decrypt(self, purpose: str, sealed: bytes) -> bytes | None:
        """What `encrypt` got; None for anything else."""
        nonce, content = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return AESGCM(self._key(purpose)).decrypt(nonce, content, None)
        except (InvalidTag, ValueError):
            return None

    def digest(self, purpose: str, *parts: str) -> bytes:
        """32 bytes that are the same for the same texts, and cannot be guessed."""
        message = json.dumps(parts).encode()
        return hmac.digest(self._key(f"digest of {purpose}"), message, "sha256")

    def _key(self, purpose: str) -> bytes:
        return hmac.digest(self._secret, purpose.encode(), "sha256")
