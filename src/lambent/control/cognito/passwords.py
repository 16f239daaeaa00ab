"""Passwords: which ones a pool accepts, and how they are stored.

Of a password only SRP's verifier is stored, with its salt. It serves both ways of signing in: with
SRP and with the password itself.
"""

import secrets
import string
from collections.abc import Mapping
from typing import Any, NamedTuple

from lambent.control.cognito import srp
from lambent.control.cognito.sealing import Sealer
from lambent.kit.computing import computed
from lambent.model.errors import ApiError

_SYMBOLS = frozenset("^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+-")
_SALT_BYTES = 16
DEFAULT_POLICY: Mapping[str, Any] = {
    "MinimumLength": 8,
    "RequireUppercase": True,
    "RequireLowercase": True,
    "RequireNumbers": True,
    "RequireSymbols": True,
    "TemporaryPasswordValidityDays": 7,
}
_RULES = (
    ("RequireLowercase", str.islower, "Password must have lowercase characters"),
    ("RequireUppercase", str.isupper, "Password must have uppercase characters"),
    ("RequireNumbers", str.isdigit, "Password must have numeric characters"),
    ("RequireSymbols", _SYMBOLS.__contains__, "Password must have symbol characters"),
)


class Verifier(NamedTuple):
    """What is stored of a password."""

    salt: bytes
    value: int

    def to_document(self) -> dict[str, str]:
        """As stored."""
        return {"salt": self.salt.hex(), "verifier": f"{self.value:x}"}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Verifier | None":
        """The stored one; None if the user has no password."""
        if "verifier" not in document:
            return None
        return cls(bytes.fromhex(document["salt"]), int(document["verifier"], 16))


def check_policy(policy: Mapping[str, Any], password: str) -> None:
    """Raise `InvalidPasswordException` for a password that the policy refuses."""
    faults = []
    if len(password) < policy.get("MinimumLength", 8):
        faults.append("Password not long enough")
    faults += [
        text for rule, fits, text in _RULES if policy.get(rule) and not any(map(fits, password))
    ]
    if faults:
        message = f"Password did not conform with policy: {faults[0]}"
        raise ApiError("InvalidPasswordException", message)


def random_password(policy: Mapping[str, Any]) -> str:
    """A password that the policy accepts."""
    groups = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "!@#%&/=+-_.?")
    count = max(policy.get("MinimumLength", 8), 12)
    chosen = [secrets.choice(group) for group in groups]
    chosen += [secrets.choice("".join(groups)) for _ in range(count - len(chosen))]
    secrets.SystemRandom().shuffle(chosen)
    return "".join(chosen)


async def make_verifier(pool_name: str, user: str, password: str) -> Verifier:
    """What to store of a new password."""
    salt = secrets.token_bytes(_SALT_BYTES)
    # Clients print the salt as a number: it must not begin with zeros.
    salt = bytes([salt[0] | 0x10]) + salt[1:]
    return Verifier(salt, await computed(srp.verifier_of, pool_name, user, password, salt))


async def is_password(pool_name: str, user: str, password: str, stored: Verifier) -> bool:
    """Whether it is the password, in the same time for every answer."""
    value = await computed(srp.verifier_of, pool_name, user, password, stored.salt)
    return secrets.compare_digest(f"{value:0768x}", f"{stored.value:0768x}")


def pretended(sealer: Sealer, pool: str, name: str) -> Verifier:
    """The verifier of a user who does not exist: always the same for the same name."""
    salt = sealer.digest("salt", pool, name)[:_SALT_BYTES]
    parts = (sealer.digest("verifier", pool, name, str(number)) for number in range(12))
    value = int.from_bytes(b"".join(parts), "big") % srp.N
    return Verifier(bytes([salt[0] | 0x10]) + salt[1:], value)
