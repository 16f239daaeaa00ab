"""Keys of issuers of tokens: RSA keys that a document of the issuer lists (RFC 7517)."""

import json
from collections.abc import Mapping
from typing import Any

import jwt
from jwt.algorithms import RSAAlgorithm

Key = Any
"""A public RSA key of `cryptography`."""

KEYS_MAX = 64
_MODULUS_BITS_MIN, _MODULUS_BITS_MAX = 2048, 8192
_MODULUS_CHARS_MAX = 1400
_EXPONENT_MAX = 1 << 32


def read_keys(document: bytes) -> Mapping[str, Key]:
    """The keys in a JWK set by their ids. What is no RSA key for signatures, has no id or is too
    small or too large is left out. Raises ValueError if it is no JWK set."""
    try:
        listed = json.loads(document)["keys"]
    except (KeyError, RecursionError, TypeError) as error:
        raise ValueError("there are no keys") from error
    if not isinstance(listed, list):
        raise ValueError("the keys are no list")
    found = dict[str, Key]()
    for jwk in listed[:KEYS_MAX]:
        key = _read(jwk) if isinstance(jwk, Mapping) else None
        if key is not None:
            found[jwk["kid"]] = key
    return found


def _read(jwk: Mapping[str, Any]) -> Key | None:
    if jwk.get("kty") != "RSA" or jwk.get("use", "sig") != "sig":
        return None
    if not isinstance(jwk.get("kid"), str) or "d" in jwk:
        return None
    if not isinstance(jwk.get("n"), str) or len(jwk["n"]) > _MODULUS_CHARS_MAX:
        return None
    if not isinstance(jwk.get("e"), str) or len(jwk["e"]) > 16:
        return None
    try:
        key = RSAAlgorithm.from_jwk({"kty": "RSA", "n": jwk["n"], "e": jwk["e"]})
    except (jwt.PyJWTError, ValueError):
        return None
    if not _MODULUS_BITS_MIN <= key.key_size <= _MODULUS_BITS_MAX:
        return None
    numbers = key.public_numbers()  # type: ignore[union-attr]
    return key if 3 <= numbers.e < _EXPONENT_MAX else None
