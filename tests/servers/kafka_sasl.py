"""The server's side of SASL's PLAIN and SCRAM (RFC 4616, RFC 5802), as Kafka uses them."""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Protocol

_ITERATIONS = 4096


class RefusedError(Exception):
    """The client failed to authenticate."""


class Exchange(Protocol):
    """One client's attempt to authenticate."""

    is_done: bool

    def step(self, message: bytes) -> bytes:
        """Respond to a message of the client's; raises RefusedError."""
        ...


class Plain:
    """The password itself."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = users
        self.is_done = False

    def step(self, message: bytes) -> bytes:
        """See `Exchange`."""
        _, user, password = message.split(b"\0")
        wanted = self._users.get(user.decode())
        if wanted is None or not hmac.compare_digest(wanted.encode(), password):
            raise RefusedError
        self.is_done = True
        return b""


class Scram:
    """A proof of knowing the password: the client's first message, then its proof."""

    def __init__(self, users: Mapping[str, str], algorithm: str) -> None:
        self._users = users
        self._algorithm = algorithm
        self._first = ""
        self.is_done = False

    def step(self, message: bytes) -> bytes:
        """See `Exchange`."""
        return self._verify(message.decode()) if self._first else self._begin(message.decode())

    def _begin(self, message: str) -> bytes:
        self._first = message.split(",", 2)[2]
        fields = _fields(self._first)
        self._password = self._users.get(fields["n"])
        self._salt = os.urandom(16)
        self._nonce = fields["r"] + base64.b64encode(os.urandom(12)).decode()
        salt = base64.b64encode(self._salt).decode()
        self._answer = f"r={self._nonce},s={salt},i={_ITERATIONS}"
        return self._answer.encode()

    def _verify(self, message: str) -> bytes:
        unproven, proof = message.rsplit(",p=", 1)
        if self._password is None or _fields(unproven)["r"] != self._nonce:
            raise RefusedError
        salted = hashlib.pbkdf2_hmac(
            self._algorithm, self._password.encode(), self._salt, _ITERATIONS
        )
        said = ",".join([self._first, self._answer, unproven]).encode()
        client_key = self._hmac(salted, b"Client Key")
        signature = self._hmac(hashlib.new(self._algorithm, client_key).digest(), said)
        wanted = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        if not hmac.compare_digest(wanted, base64.b64decode(proof)):
            raise RefusedError
        self.is_done = True
        return b"v=" + base64.b64encode(self._hmac(self._hmac(salted, b"Server Key"), said))

    def _hmac(self, key: bytes, data: bytes) -> bytes:
        return hmac.digest(key, data, self._algorithm)


def _fields(message: str) -> dict[str, str]:
    return dict(field.split("=", 1) for field in message.split(","))


MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def exchange(mechanism: str, users: Mapping[str, str]) -> Exchange:
    """Begin one of `MECHANISMS`."""
    if mechanism == "PLAIN":
        return Plain(users)
    return Scram(users, "sha256" if mechanism == "SCRAM-SHA-256" else "sha512")
