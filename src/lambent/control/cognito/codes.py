"""Codes that users get by mail, and type in to prove that the address is theirs.

A code has six digits. What is stored is a digest of it that depends on a secret of the platform,
so that the database alone does not tell it. A new code replaces the one before.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from lambent.control.cognito.errors import wrong_code
from lambent.control.cognito.pool import Pool
from lambent.control.cognito.sealing import Sealer
from lambent.control.cognito.users import UserEdit
from lambent.kit.clock import Clock
from lambent.model.errors import ApiError

CONFIRM, FORGOT, SECOND_FACTOR = "confirm", "forgot", "second factor"
_LIFETIMES_S = {CONFIRM: 86_400.0, FORGOT: 3600.0, SECOND_FACTOR: 900.0}
_DIGITS = 6


class Codes:
    """See the module."""

    def __init__(self, sealer: Sealer, clock: Clock) -> None:
        self._sealer = sealer
        self._clock = clock

    def make(self) -> str:
        """A new code."""
        return f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}d}"

    def put(self, edit: UserEdit, purpose: str, code: str, attribute: str, value: str) -> None:
        """Store a code that is sent to an address, the value of an attribute."""
        ends_at = self._clock.now() + _LIFETIMES_S.get(purpose, 86_400.0)
        stored = {
            "digest": self._digest(edit.pool, edit.key, purpose, code),
            "ends_at": ends_at,
            "attribute": attribute,
            "value": value,
        }
        edit.secrets["codes"] = {**edit.secrets.get("codes", {}), purpose: stored}

    def take(self, edit: UserEdit, purpose: str, code: str) -> Mapping[str, Any]:
        """Use up a code; returns what was stored with it: `attribute`, `value`. Raises
        `CodeMismatchException`, `ExpiredCodeException`."""
        codes = dict(edit.secrets.get("codes", {}))
        stored: Mapping[str, Any] | None = codes.pop(purpose, None)
        digest = self._digest(edit.pool, edit.key, purpose, code)
        if stored is None or not secrets.compare_digest(digest, stored["digest"]):
            raise wrong_code()
        if stored["ends_at"] <= self._clock.now():
            raise ApiError(
                "ExpiredCodeException", "Invalid code provided, please request a code again."
            )
        edit.secrets["codes"] = codes
        return stored

    def _digest(self, pool: Pool, key: str, purpose: str, code: str) -> str:
        return self._sealer.digest("code", pool.id, key, purpose, code).hex()


def verification_of(attribute: str) -> str:
    """The purpose of a code that verifies an attribute."""
    return f"verify:{attribute}"
