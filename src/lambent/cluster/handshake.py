"""How a link between two nodes begins: each proves that it has the secret of the database.

The caller requests an upgrade with a nonce. The callee responds with a nonce of its own and its
proof; the caller's proof is its first frame. A proof covers both nonces, so a recorded one is worth
nothing later; the role, so a callee's proof cannot be reflected; and with TLS the connection, so a
machine in the middle cannot pass proofs on.
"""

import hashlib
import hmac
import re
import secrets
from typing import NamedTuple

PATH = "/_lambent/link"
SECRET = "node-link"
"""Name of the platform's secret for the proofs."""
PROTOCOL = "lambent-link"
"""As the `Upgrade` header names it."""
VERSION = 1
"""The newest version of frames that this release speaks."""
VERSION_MIN = 1
"""The oldest. A release also speaks the version of the release before it."""
HEAD_BYTES_MAX = 8192
PROOF_BYTES = 64
_HEADER = "X-Lambent-Link"
_QUERY = re.compile(r"version=([0-9]{1,4})&node=([0-9]{1,18})&nonce=([0-9a-f]{32})")
_ACCEPTED = re.compile(
    r"version=([0-9]{1,4})&node=([0-9]{1,18})&nonce=([0-9a-f]{32})&proof=([0-9a-f]{64})"
)


class HandshakeError(Exception):
    """The other end does not prove that it is the node that it should be."""


class Secured(NamedTuple):
    """What both ends know of a link that begins, and of its connection."""

    version: int
    caller: int
    """Number of a node."""
    callee: int
    caller_nonce: str
    callee_nonce: str
    tls: str
    """Hex digits that only the two ends of one TLS connection have; empty without TLS."""

    def prove(self, secret: bytes, role: str) -> str:
        """The proof of the `caller` or the `callee`: 64 hex digits."""
        text = ":".join((role, *map(str, self)))
        return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()

    def is_proof(self, secret: bytes, role: str, proof: str) -> bool:
        """Whether a proof is right."""
        return hmac.compare_digest(self.prove(secret, role).encode(), proof.encode())


def make_nonce() -> str:
    """A new one."""
    return secrets.token_hex(16)


# -- the caller ------------------------------------------------------------------------------


def request(host: str, caller: int, nonce: str) -> bytes:
    """The head with which a caller asks for the link."""
    return (
        f"GET {PATH}?version={VERSION}&node={caller}&nonce={nonce} HTTP/1.1\r\n"
        f"Host: {host}\r\nConnection: Upgrade\r\nUpgrade: {PROTOCOL}\r\n\r\n"
    ).encode("latin-1")


def read_response(
    head: bytes, secret: bytes, *, caller: int, callee: int, nonce: str, tls: str
) -> Secured:
    """Check the head of the response. Raises HandshakeError."""
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/1.1 101 "):
        raise HandshakeError(f"it responds with {lines[0][:100]!r}")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    found = _ACCEPTED.fullmatch(headers.get(_HEADER.lower(), ""))
    if found is None:
        raise HandshakeError("its response has no proof")
    secured = Secured(int(found[1]), caller, int(found[2]), nonce, found[3], tls)
    if secured.callee != callee:
        raise HandshakeError(f"it is node {secured.callee}")
    if not VERSION_MIN <= secured.version <= VERSION:
        raise HandshakeError(f"it speaks version {secured.version}, this node {VERSION}")
    if not secured.is_proof(secret, "callee", found[4]):
        raise HandshakeError(
            "its proof is wrong: it is no node of the same database, or a proxy is between"
        )
    return secured


# -- the callee ------------------------------------------------------------------------------


def read_request(query: str, callee: int, tls: str) -> Secured | None:
    """What a request begins; None if it is not valid, or of a release that is too old."""
    found = _QUERY.fullmatch(query)
    if found is None or int(found[1]) < VERSION_MIN:
        return None
    version = min(int(found[1]), VERSION)
    return Secured(version, int(found[2]), callee, found[3], make_nonce(), tls)


def response_header(secured: Secured, secret: bytes) -> tuple[str, str]:
    """The header of the response with the callee's proof."""
    proof = secured.prove(secret, "callee")
    value = f"version={secured.version}&node={secured.callee}&nonce={secured.callee_nonce}"
    return _HEADER, f"{value}&proof={proof}"
