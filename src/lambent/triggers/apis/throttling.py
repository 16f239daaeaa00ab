"""Throttles: token buckets, as in AWS.

A bucket holds up to `burst` requests and fills at `rate` requests a second. There is one for each
account and region, and one for each stage and route that is limited.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html
"""

from lambent.kit.clock import Clock
from lambent.model.arn import Scope

ACCOUNT_RATE = 10_000.0
"""Requests a second, of all APIs of an account in a region."""
ACCOUNT_BURST = 5_000
_SCOPES_MAX = 4096


class TokenBucket:
    """Counts the requests of one limit."""

    __slots__ = ("_burst", "_clock", "_filled", "_rate", "_tokens")

    def __init__(self, clock: Clock, *, rate: float, burst: float) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._filled = clock.monotonic()

    def take(self) -> bool:
        """Count one request; returns whether it is within the limit."""
        now = self._clock.monotonic()
        tokens = self._tokens + (now - self._filled) * self._rate
        self._filled = now
        if tokens > self._burst:
            tokens = self._burst
        if tokens < 1:
            self._tokens = tokens
            return False
        self._tokens = tokens - 1
        return True


class Throttles:
    """The buckets of accounts, and the way to make others."""

    def __init__(
        self, clock: Clock, *, rate: float = ACCOUNT_RATE, burst: int = ACCOUNT_BURST
    ) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._accounts: dict[Scope, TokenBucket] = {}

    def account(self, scope: Scope) -> TokenBucket:
        """The bucket of an account in a region."""
        bucket = self._accounts.get(scope)
        if bucket is None:
            if len(self._accounts) >= _SCOPES_MAX:
                self._accounts.clear()
            bucket = self._accounts[scope] = self.new(self._rate, self._burst)
        return bucket

    def limit(self, rate: float | None, burst: float | None) -> TokenBucket | None:
        """The bucket of a configured limit: what is missing of it is as for an account. None if
        neither is set."""
        if rate is None and burst is None:
            return None
        return self.new(
            ACCOUNT_RATE if rate is None else rate, ACCOUNT_BURST if burst is None else burst
        )

    def new(self, rate: float, burst: float) -> TokenBucket:
        """A full bucket. With a rate or burst of 0 it refuses every request."""
        return TokenBucket(self._clock, rate=rate, burst=burst)
