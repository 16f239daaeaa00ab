"""Small secrets in the database: encrypted and authenticated, each for one purpose.

The key is of the platform. A reader of both, as in a backup, can read the secret; a row, a log line
or a query that shows a document cannot.
"""

import base64
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12


class Sealing:
    """Encrypts with AES-256-GCM. The purpose, such as the ARN of what a secret belongs to, must be
    the same when it is decrypted."""

    def __init__(self, key: bytes) -> None:
        """`key` has `KEY_BYTES`."""
        self._cipher = AESGCM(key)

    def seal(self, secret: bytes, purpose: str) -> str:
        """The secret as a text for the database."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, secret, purpose.encode())
        return base64.b64encode(nonce + sealed).decode()

    def open(self, sealed: str, purpose: str) -> bytes:
        """Raises `ValueError` for what was sealed with another key or for another purpose."""
        data = base64.b64decode(sealed, validate=True)
        try:
            return self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], purpose.encode())
        except InvalidTag as error:
            raise ValueError("the secret cannot be decrypted") from error
