"""The key that signs a pool's tokens: RSA with 2048 bits, one for each pool.

The private key is stored encrypted with a secret of the platform. In memory are the keys of the
pools that were used last.
"""

import base64
import json
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lambent.control.cognito.pool import KEY, find_pool
from lambent.control.cognito.sealing import Sealer
from lambent.kit.computing import computed
from lambent.model.document import Root
from lambent.store.store import Store, Transaction

_PURPOSE = "private key"
_KEPT_MAX = 256


class PoolKey(NamedTuple):
    """The key of a pool."""

    id: str
    private: rsa.RSAPrivateKey

    @property
    def public(self) -> rsa.RSAPublicKey:
        """What verifies signatures."""
        return self.private.public_key()

    def to_jwk(self) -> Mapping[str, str]:
        """The public key, as RFC 7517 writes it."""
        numbers = self.public.public_numbers()
        return {
            "alg": "RS256",
            "e": _number(numbers.e),
            "kid": self.id,
            "kty": "RSA",
            "n": _number(numbers.n),
            "use": "sig",
        }


class PoolKeys:
    """See the module."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer
        self._known: dict[str, PoolKey] = {}

    async def generate(self) -> PoolKey:
        """A new key."""
        private = await computed(rsa.generate_private_key, 65537, 2048)
        id = base64.b64encode(uuid.uuid4().bytes + uuid.uuid4().bytes).decode()
        return PoolKey(id, private)

    def put(self, tx: Transaction, root: Root, key: PoolKey) -> None:
        """Store the key of a new pool."""
        written = key.private.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        sealed = self._sealer.encrypt(_PURPOSE, written)
        tx.documents.put(root, KEY, key.id, {"sealed": sealed})

    async def get(self, pool: str) -> PoolKey | None:
        """The key of a pool of any account; None if there is no such pool."""
        known = self._known.get(pool)
        if known is not None:
            return known

        def run(tx: Transaction) -> tuple[str, str] | None:
            found = find_pool(tx, pool)
            keys = [] if found is None else tx.documents.list_of(found.root, KEY, limit=1)
            return (keys[0].id, keys[0].body["sealed"]) if keys else None

        stored = await self._store.read(run)
        if stored is None:
            return None
        written = self._sealer.decrypt(_PURPOSE, stored[1])
        if written is None:
            raise RuntimeError(f"the key of the user pool {pool} cannot be decrypted")
        private: Any = await computed(serialization.load_der_private_key, written, None)
        if len(self._known) >= _KEPT_MAX:
            del self._known[next(iter(self._known))]
        self._known[pool] = key = PoolKey(stored[0], private)
        return key

    async def jwks(self, pool: str) -> bytes | None:
        """The document with the public key of a pool; None if there is no such pool."""
        if await self._store.read(lambda tx: find_pool(tx, pool)) is None:
            self._known.pop(pool, None)
        key = await self.get(pool)
        return None if key is None else json.dumps({"keys": [key.to_jwk()]}).encode()


def _number(value: int) -> str:
    written = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(written).rstrip(b"=").decode()
