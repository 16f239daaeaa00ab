"""The Secure Remote Password protocol as Cognito speaks it: SRP-6a with the group of 3072 bits of
RFC 5054, SHA-256, and a key of 16 bytes that HKDF derives with the info "Caldera Derived Key".

The server stores the verifier of a password and never sees the password. Big numbers are hashed as
the shortest two's complement of themselves, in whole bytes.
https://www.rfc-editor.org/rfc/rfc5054
"""

import hashlib
import hmac
import secrets
from typing import NamedTuple

N = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05"
    "98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB"
    "9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718"
    "3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33"
    "A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864"
    "D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E2"
    "08E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)
G = 2
_INFO = b"Caldera Derived Key" + b"\x01"
_SECRET_BITS = 256
"""Of the server's secret exponent: twice the strength of the group."""


class Challenge(NamedTuple):
    """The server's side of one handshake."""

    secret: int
    """The exponent b."""
    public: int
    """B, which the client gets."""


def padded(number: int) -> bytes:
    """A number as it is hashed: its bytes, with a zero before them if the first bit is set."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big") if number else b"\0"


_K = int.from_bytes(hashlib.sha256(padded(N) + padded(G)).digest(), "big")


def verifier_of(pool_name: str, user: str, password: str, salt: bytes) -> int:
    """What is stored of a password. `pool_name` is the pool's id after the region, `user` the name
    that clients get as `USER_ID_FOR_SRP`."""
    inner = hashlib.sha256(f"{pool_name}{user}:{password}".encode("utf-8", "surrogatepass"))
    salted = hashlib.sha256(padded(int.from_bytes(salt, "big")) + inner.digest()).digest()
    return pow(G, int.from_bytes(salted, "big"), N)


def challenge(verifier: int) -> Challenge:
    """Begin a handshake with the user whose password has this verifier."""
    while True:
        secret = secrets.randbits(_SECRET_BITS)
        public = (_K * verifier + pow(G, secret, N)) % N
        if public:
            return Challenge(secret, public)


def is_public_value(number: int) -> bool:
    """Whether a client may send this number as A."""
    return 0 < number < N


def key_of(client_public: int, begun: Challenge, verifier: int) -> bytes:
    """The key that both sides have if the client knows the password."""
    scrambled = hashlib.sha256(padded(client_public) + padded(begun.public)).digest()
    scrambler = int.from_bytes(scrambled, "big")
    shared = pow(client_public * pow(verifier, scrambler, N) % N, begun.secret, N)
    extracted = hmac.digest(padded(scrambler), padded(shared), "sha256")
    return hmac.digest(extracted, _INFO, "sha256")[:16]


def signature(key: bytes, pool_name: str, user: str, block: bytes, timestamp: str) -> bytes:
    """What a client that has the key signs the block with."""
    message = f"{pool_name}{user}".encode("utf-8", "surrogatepass") + block + timestamp.encode()
    return hmac.digest(key, message, "sha256")
