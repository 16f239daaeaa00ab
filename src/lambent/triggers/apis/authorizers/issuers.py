"""Issuers of tokens, and their keys in memory.

An issuer publishes where its keys are at `<issuer>/.well-known/openid-configuration`. Keys are kept
for two hours. A token with an unknown key makes them be read again, at most once a minute. One read
is under way for an issuer at a time; those who wait for it share its result.
"""

import dataclasses
import json
import logging
from collections.abc import Awaitable, Callable, Mapping

import anyio

from lambent.kit.clock import Clock
from lambent.triggers.apis.authorizers.keys import Key, read_keys

logger = logging.getLogger(__name__)

Fetch = Callable[[str], Awaitable[bytes]]
"""Reads a small document. Raises OSError if that is not possible, also within its deadline."""

KEPT_S = 7200.0
AGAIN_S = 60.0
"""Between two reads of one issuer."""
_ISSUERS_MAX = 256
_DISCOVERY = "/.well-known/openid-configuration"


@dataclasses.dataclass
class _Issuer:
    """What is known of one issuer."""

    keys: Mapping[str, Key] = dataclasses.field(default_factory=dict)
    read_at: float = float("-inf")
    """When the keys were read."""
    tried_at: float = float("-inf")
    reading: anyio.Lock = dataclasses.field(default_factory=anyio.Lock)


class Issuers:
    """See the module."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._known: dict[str, _Issuer] = {}

    def find_nowait(self, issuer: str, key_id: str) -> Key | None:
        """The key of an issuer, if it is in memory; None means: await `find`."""
        known = self._known.get(issuer)
        if known is None or self._clock.monotonic() - known.read_at >= KEPT_S:
            return None
        return known.keys.get(key_id)

    async def find(self, issuer: str, key_id: str) -> Key | None:
        """The key of an issuer; None if it has none with this id, or cannot be asked."""
        known = self._known.get(issuer)
        if known is None:
            if len(self._known) >= _ISSUERS_MAX:
                del self._known[next(iter(self._known))]
            known = self._known[issuer] = _Issuer()
        async with known.reading:
            key = self.find_nowait(issuer, key_id)
            if key is None and self._clock.monotonic() - known.tried_at >= AGAIN_S:
                known.tried_at = self._clock.monotonic()
                await self._read(issuer, known)
        # Keys that cannot be read again stay in force: the issuer may be away for a while.
        return known.keys.get(key_id)

    async def _read(self, issuer: str, known: _Issuer) -> None:
        try:
            document = json.loads(await self._fetch(issuer.rstrip("/") + _DISCOVERY))
            address = document.get("jwks_uri") if isinstance(document, Mapping) else None
            if not isinstance(address, str):
                raise ValueError("it does not say where its keys are")
            known.keys = read_keys(await self._fetch(address))
            known.read_at = self._clock.monotonic()
        except (OSError, RecursionError, ValueError) as error:
            logger.warning("cannot read the keys of the issuer %s: %s", issuer[:256], error)
