"""What clients keep for the platform and cannot read or change: sessions of challenges, refresh
tokens, markers of pages. And what is stored but must not be readable in the database alone: the
private keys of pools, codes.

All of it is sealed with one secret of the platform, each value for one purpose.
"""

import hmac
import json
import zlib
from collections.abc import Mapping
from typing import Any

from lambent.kit.sealing import Sealing
from lambent.kit.strict_json import parse_loosely

SECRET = "user pools"
"""The name of the platform's secret."""
_TEXT_MAX = 16 * 1024
_TO_URLS, _FROM_URLS = str.maketrans("+/", "-_"), str.maketrans("-_", "+/")


class Sealer:
    """See the module."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._sealing = Sealing(hmac.digest(secret, b"sealing", "sha256"))

    def seal(self, purpose: str, value: Mapping[str, Any]) -> str:
        """A text of URL-safe characters that only `open` with the same purpose reads."""
        content = zlib.compress(json.dumps(value, separators=(",", ":")).encode())
        return self.encrypt(purpose, content).translate(_TO_URLS)

    def open(self, purpose: str, text: str) -> dict[str, Any] | None:
        """What `seal` got; None for any other text."""
        if len(text) > _TEXT_MAX or not text.isascii():
            return None
        content = self.decrypt(purpose, text.translate(_FROM_URLS))
        if content is None:
            return None
        value: dict[str, Any] = parse_loosely(zlib.decompress(content))
        return value

    def encrypt(self, purpose: str, content: bytes) -> str:
        """A text for `decrypt` with the same purpose."""
        return self._sealing.seal(content, purpose)

    def decrypt(self, purpose: str, sealed: str) -> bytes | None:
        """What `encrypt` got; None for anything else."""
        try:
            return self._sealing.open(sealed, purpose)
        except ValueError:
            return None

    def digest(self, purpose: str, *parts: str) -> bytes:
        """32 bytes that are the same for the same texts, and cannot be guessed."""
        key = hmac.digest(self._secret, f"digest of {purpose}".encode(), "sha256")
        return hmac.digest(key, json.dumps(parts).encode(), "sha256")
