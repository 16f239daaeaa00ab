"""Messages between nodes: encrypted and authenticated with the secret of their database.

Each message has a key of its own, made of the secret and a random salt. What a message is for is
authenticated with it: its sender, its receiver, and its question or the message that it answers. So
a message cannot be changed, sent to another node, or pass for an answer to something else.

A copy of a message is refused: a sender counts its messages, and a receiver remembers the counts of
the last ones. Numbers of nodes are never used twice, so nothing of an earlier start is accepted,
and no clocks are compared.
"""

import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SALT_BYTES = 16
_TAG_BYTES = 16
OVERHEAD_BYTES = SALT_BYTES + _TAG_BYTES
_NONCE = bytes(12)
"""A key is used once."""
_WINDOW = 4096
"""So many messages of one sender may overtake another one."""


class Rejected(Exception):
    """A message that no node of this database has made for this purpose."""


def seal(secret: bytes, purpose: str, content: bytes) -> bytes:
    """A message."""
    salt = secrets.token_bytes(SALT_BYTES)
    return salt + _cipher(secret, salt).encrypt(_NONCE, content, purpose.encode())


def unseal(secret: bytes, purpose: str, message: bytes) -> bytes:
    """The content of a message. Raises `Rejected`."""
    if len(message) < OVERHEAD_BYTES:
        raise Rejected("a message is too short")
    salt, sealed = message[:SALT_BYTES], message[SALT_BYTES:]
    try:
        return _cipher(secret, salt).decrypt(_NONCE, sealed, purpose.encode())
    except InvalidTag as error:
        raise Rejected("a message is not authentic") from error


def _cipher(secret: bytes, salt: bytes) -> AESGCM:
    return AESGCM(hmac.new(secret, salt, hashlib.sha256).digest())


class Counts:
    """The counts of one sender's messages that have been received."""

    def __init__(self) -> None:
        self._highest = 0
        self._seen: set[int] = set()

    def take(self, count: int) -> None:
        """Raises `Rejected` for a count that was there before, or may have been."""
        if count <= self._highest - _WINDOW or count in self._seen:
            raise Rejected("a message was received before")
        self._seen.add(count)
        if count > self._highest:
            self._highest = count
            if len(self._seen) > 2 * _WINDOW:
                self._seen = {each for each in self._seen if each > count - _WINDOW}
