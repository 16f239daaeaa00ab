"""Limits on guessing: of passwords and codes, by user name and by address.

After five wrong passwords each further one locks the user's name, for a second at first and twice
as long each time, up to 15 minutes, as in AWS. Names that no user has are counted, too.
Counts are in memory, for the names and addresses that were used last. Among several nodes, each
tells the others four times a second what it has counted.
https://docs.aws.amazon.com/cognito/latest/developerguide/authentication.html
"""

import dataclasses
from collections.abc import Hashable, Sequence
from typing import Any

from lambent.control.cognito.errors import not_authorized
from lambent.kit.clock import Clock
from lambent.model.errors import ApiError
from lambent.model.peers import Peers

_KEPT_MAX = 100_000
_UNTOLD_MAX = 5_000
_COUNTED = "attempts/counted"
TELL_S = 0.25
_FREE = 5
_LOCK_S_MAX = 900.0
_FORGET_S = 900.0
"""A name without attempts for so long is as new."""
_HOUR_S = 3600.0
_CODES_MAX = 5
"""Wrong codes, and codes that are sent, for one user and purpose in an hour."""
_ADDRESS_MAX, _ADDRESS_S = 300, 300.0
"""Failures of one address in so many seconds, and likewise users who sign up from it."""


@dataclasses.dataclass(slots=True)
class _Count:
    count: int
    since: float
    """When the first, or for passwords the last attempt was."""
    locked_until: float = 0.0


class Attempts:
    """See the module."""

    def __init__(self, clock: Clock, peers: Peers) -> None:
        """`peers` are the nodes that serve the same users."""
        self._clock = clock
        self._peers = peers
        self._untold: list[Sequence[Any]] = []
        """What other nodes do not know: names of methods, and their arguments."""
        peers.serve(_COUNTED, self._hear)
        self._counts: dict[Hashable, _Count] = {}

    def check_password(self, pool: str, name: str, address: str) -> None:
        """Raise `ApiError` if no password is tried now."""
        self._check_address(address)
        found = self._counts.get(("password", pool, name))
        if found is not None and found.locked_until > self._clock.monotonic():
            raise not_authorized("Password attempts exceeded")

    def note_password(self, pool: str, name: str, address: str, *, is_right: bool) -> None:
        """Note that a password was tried."""
        self._will_tell("password", pool, name, address, is_right)
        self._note_password(pool, name, address, is_right)

    def _note_password(self, pool: str, name: str, address: str, is_right: bool) -> None:
        key = ("password", pool, name)
        if is_right:
            self._counts.pop(key, None)
            return
        now = self._clock.monotonic()
        found = self._counts.pop(key, None)
        if found is None or now - found.since > _FORGET_S + _LOCK_S_MAX:
            found = _Count(0, now)
        found.count, found.since = found.count + 1, now
        if found.count >= _FREE:
            found.locked_until = now + min(2.0 ** min(found.count - _FREE, 10), _LOCK_S_MAX)
        self._keep(key, found)
        self._note_address(address)

    def check_code(self, pool: str, name: str, purpose: str, address: str) -> None:
        """Raise `ApiError` if no code is tried now."""
        self._check_address(address)
        self._check_hour(("code", pool, name, purpose))

    def note_wrong_code(self, pool: str, name: str, purpose: str, address: str) -> None:
        """Note that a wrong code was tried."""
        self._count_and_tell(_HOUR_S, "code", pool, name, purpose)
        if address:
            self._count_and_tell(_ADDRESS_S, "address", address)

    def forget_codes(self, pool: str, name: str, purpose: str) -> None:
        """The right code was tried."""
        self._will_tell("right code", pool, name, purpose)
        self._counts.pop(("code", pool, name, purpose), None)

    def note_sending(
        self, pool: str, name: str, purpose: str, address: str, *, most: int = _CODES_MAX
    ) -> None:
        """A code is to be sent. Raises `ApiError` if `most` were in an hour."""
        self._check_address(address)
        self._check_hour(("sent", pool, name, purpose), most)
        self._count_and_tell(_HOUR_S, "sent", pool, name, purpose)

    def note_sign_up(self, address: str) -> None:
        """A caller wants to sign up. Raises `ApiError` if that is too often: no caller fills the
        database or finds out many names."""
        self._check_address(address)
        key = ("sign-up", address)
        if address and self._count_of(key, _ADDRESS_S) >= _ADDRESS_MAX:
            raise ApiError("TooManyRequestsException", "Too many requests")
        self._count_and_tell(_ADDRESS_S, *key)

    # -- among several nodes ---------------------------------------------------------------

    async def run(self) -> None:
        """Tell other nodes what is counted, until cancelled."""
        while True:
            await self._clock.sleep(TELL_S)
            await self.tell()

    async def tell(self) -> None:
        """Tell other nodes what was counted since the last call."""
        untold, self._untold = self._untold, []
        if untold:
            await self._peers.ask(_COUNTED, untold)

    async def _hear(self, told: Any) -> None:
        for what, *about in told:
            if what == "password":
                self._note_password(*about)
            elif what == "right code":
                self._counts.pop(("code", *about), None)
            else:
                window_s, *key = about
                self._count_up(tuple(key), float(window_s))

    def _count_and_tell(self, window_s: float, *key: str) -> None:
        self._will_tell("count", window_s, *key)
        self._count_up(key, window_s)

    def _will_tell(self, *what: Any) -> None:
        if self._peers.number and len(self._untold) < _UNTOLD_MAX:
            self._untold.append(what)

    def _check_hour(self, key: Hashable, most: int = _CODES_MAX) -> None:
        if self._count_of(key, _HOUR_S) >= most:
            raise ApiError(
                "LimitExceededException", "Attempt limit exceeded, please try after some time."
            )

    def _check_address(self, address: str) -> None:
        if address and self._count_of(("address", address), _ADDRESS_S) >= _ADDRESS_MAX:
            raise ApiError("TooManyRequestsException", "Too many requests")

    def _note_address(self, address: str) -> None:
        if address:
            self._count_up(("address", address), _ADDRESS_S)

    def _count_of(self, key: Hashable, window_s: float) -> int:
        found = self._counts.get(key)
        if found is None or self._clock.monotonic() - found.since > window_s:
            return 0
        return found.count

    def _count_up(self, key: Hashable, window_s: float) -> None:
        count = self._count_of(key, window_s)
        found = self._counts.pop(key, None)
        if found is None or not count:
            found = _Count(0, self._clock.monotonic())
        found.count += 1
        self._keep(key, found)

    def _keep(self, key: Hashable, count: _Count) -> None:
        if len(self._counts) >= _KEPT_MAX:
            del self._counts[next(iter(self._counts))]
        self._counts[key] = count
