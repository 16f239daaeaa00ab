"""An issuer of tokens, and tokens that it or others have made."""

import base64
import functools
import json
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt.algorithms import RSAAlgorithm

from tests.keys import rsa_key

URL = "https://issuer.test/pool"


@functools.cache
def make_key(bits: int = 2048, name: str = "") -> RSAPrivateKey:
    """A key; another one for another name."""
    if bits == 2048:
        return rsa_key(1 if name else 0)
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def jwk(key: RSAPrivateKey, key_id: str, **more: Any) -> dict[str, Any]:
    """The public half, as issuers publish it."""
    found = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**found, "kid": key_id, "use": "sig", "alg": "RS256", **more}


class Issuer:
    """Serves its documents, as `Fetch` does."""

    def __init__(self) -> None:
        self.key = make_key()
        self.keys = [jwk(self.key, "k1")]
        self.fetched: list[str] = []
        self.is_away = False

    async def fetch(self, url: str) -> bytes:
        """The discovery document, or the keys."""
        self.fetched.append(url)
        if self.is_away:
            raise OSError("the issuer is away")
        if url == f"{URL}/.well-known/openid-configuration":
            return json.dumps({"issuer": URL, "jwks_uri": f"{URL}/keys"}).encode()
        assert url == f"{URL}/keys", url
        return json.dumps({"keys": self.keys}).encode()

    def token(
        self, now: float, *, key: RSAPrivateKey | None = None, key_id: str = "k1", **claims: Any
    ) -> str:
        """A token that is valid for an hour, unless the claims say otherwise."""
        plain = {"iss": URL, "aud": "app", "sub": "me", "iat": int(now), "exp": int(now) + 3600}
        payload = {name: value for name, value in {**plain, **claims}.items() if value is not ...}
        return jwt.encode(payload, key or self.key, "RS256", headers={"kid": key_id})


def assemble(head: Mapping[str, Any], claims: Mapping[str, Any], signature: bytes = b"") -> str:
    """A token from its parts, as an attacker makes it."""
    parts = [json.dumps(head).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
