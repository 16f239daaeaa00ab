"""Throttles: token buckets, as in AWS.

A bucket holds up to `burst` requests and fills at `rate` requests a second. There is one for each
account and region, and one for each stage and route that is limited.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html

Among several nodes, each tells the others four times a second what it has let through, and their
buckets lose that, too: below zero, if need be. So all nodes together let through `rate` requests a
second, wherever these come in. Nodes can be beyond that by what the others let through in a moment:
in any time it is no more than the rate for this time, the burst of each node, and a quarter of a
second of the rate for each other node.
"""

from typing import Any
from weakref import WeakValueDictionary

from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.peers import NoPeers, Peers

ACCOUNT_RATE = 10_000.0
"""Requests a second, of all APIs of an account in a region."""
ACCOUNT_BURST = 5_000
_SCOPES_MAX = 4096
_TAKEN = "throttles/taken"
TELL_S = 0.25
_TELL_S_MAX = 1.0
_NAMES_MAX = 2000
"""Of buckets in a message."""


class TokenBucket:
    """Counts the requests of one limit."""

    __slots__ = ("__weakref__", "_burst", "_clock", "_filled", "_rate", "_tokens", "untold")

    def __init__(self, clock: Clock, *, rate: float, burst: float) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._filled = clock.monotonic()
        self.untold = 0
        """Requests within the limit of which other nodes do not know."""

    def take(self) -> bool:
        """Count one request; returns whether it is within the limit."""
        self._fill()
        if self._tokens < 1:
            return False
        self._tokens -= 1
        self.untold += 1
        return True

    def lose(self, count: int) -> None:
        """Count requests that another node has let through."""
        self._fill()
        self._tokens -= count

    def _fill(self) -> None:
        now = self._clock.monotonic()
        tokens = self._tokens + (now - self._filled) * self._rate
        self._filled = now
        self._tokens = tokens if tokens < self._burst else float(self._burst)


class Throttles:
    """The buckets of accounts, and the way to make others."""

    def __init__(
        self,
        clock: Clock,
        *,
        rate: float = ACCOUNT_RATE,
        burst: int = ACCOUNT_BURST,
        peers: Peers | None = None,
    ) -> None:
        """`peers` are the nodes that have the same limits."""
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._accounts: dict[Scope, TokenBucket] = {}
        self._named: WeakValueDictionary[str, TokenBucket] = WeakValueDictionary()
        self._peers = peers or NoPeers()
        self._peers.serve(_TAKEN, self._lose)

    def account(self, scope: Scope) -> TokenBucket:
        """The bucket of an account in a region."""
        bucket = self._accounts.get(scope)
        if bucket is None:
            if len(self._accounts) >= _SCOPES_MAX:
                self._accounts.clear()
            bucket = self._accounts[scope] = self.new(f"{scope}", self._rate, self._burst)
        return bucket

    def limit(self, name: str, rate: float | None, burst: float | None) -> TokenBucket | None:
        """The bucket of a configured limit, whose name is the same on all nodes: what is missing of
        the limit is as for an account. None if neither is set."""
        if rate is None and burst is None:
            return None
        return self.new(
            name,
            ACCOUNT_RATE if rate is None else rate,
            ACCOUNT_BURST if burst is None else burst,
        )

    def new(self, name: str, rate: float, burst: float) -> TokenBucket:
        """A full bucket. With a rate or burst of 0 it refuses every request."""
        bucket = self._named[name] = TokenBucket(self._clock, rate=rate, burst=burst)
        return bucket

    async def run(self) -> None:
        """Tell other nodes what was let through, until cancelled."""
        while True:
            await self._clock.sleep(TELL_S)
            await self.tell()

    async def tell(self) -> None:
        """Tell other nodes what was let through since the last call. A node that does not answer
        counts by itself."""
        taken = [(name, bucket) for name, bucket in list(self._named.items()) if bucket.untold]
        for start in range(0, len(taken), _NAMES_MAX):
            some = taken[start : start + _NAMES_MAX]
            counts = {name: bucket.untold for name, bucket in some}
            for _, bucket in some:
                bucket.untold = 0
            await self._peers.ask(_TAKEN, counts, within_s=_TELL_S_MAX)

    async def _lose(self, counts: Any) -> None:
        for name, count in counts.items():
            bucket = self._named.get(name)
            if bucket is not None:
                bucket.lose(int(count))
