"""Who has signed in to the console.

A session has two halves, and a request needs both: a cookie that no script can read, and a token
that only scripts of the console's origin can read. Cookies are also sent to other ports of the same
host; the token is not.

Sessions are in memory: a restart of the platform signs everyone out. Users sign in with an
access key, or with a link that the operator's socket made. Each request looks at the key again, so
a key that is deactivated or deleted ends its sessions.
"""

import dataclasses
import hashlib
import hmac
import secrets
from collections import OrderedDict

from lambent.console.settings import ConsoleSettings
from lambent.identity.keyring import Keyring
from lambent.kit.clock import Clock
from lambent.model.errors import ApiError
from lambent.model.principal import Principal

_ATTEMPTS_MAX, _ATTEMPTS_S = 10, 60.0
_ADDRESSES_MAX = 1024
_LINKS_MAX, _LINK_S = 16, 120.0
_KEY_LENGTH_MAX = 128
_TOKEN_LENGTH_MAX = 8192
_TEXT_MAX = 256


@dataclasses.dataclass(slots=True, kw_only=True)
class Session:
    """A user who has signed in."""

    principal: Principal
    access_key_id: str | None
    """None for a user who has used a link."""
    secret: str = dataclasses.field(repr=False)
    session_token: str | None = dataclasses.field(repr=False)
    token_hash: bytes = dataclasses.field(repr=False)
    began_at: float
    used_at: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Halves:
    """The two secrets of a session."""

    cookie: str = dataclasses.field(repr=False)
    token: str = dataclasses.field(repr=False)


class Sessions:
    """All of them."""

    def __init__(self, keyring: Keyring, clock: Clock, settings: ConsoleSettings) -> None:
        self._keyring = keyring
        self._clock = clock
        self._settings = settings
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()
        """By the hash of the cookie; those that were used last come last."""
        self._attempts: OrderedDict[str, list[float]] = OrderedDict()
        """Failures, by the client's address."""
        self._links: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()

    # -- signing in ----------------------------------------------------------------------------

    def sign_in(
        self, address: str, access_key_id: str, secret: str, session_token: str | None
    ) -> Halves:
        """Begin a session of the user who has a key. Raises `UnrecognizedClientException` for a
        wrong key, and `TooManyRequestsException` after ten of them in a minute."""
        self._check_attempts(address)
        found = self._find(access_key_id, session_token)
        known = found[1] if found is not None else secrets.token_hex(20)
        if not hmac.compare_digest(known.encode(), secret.encode()) or found is None:
            self._note_failure(address)
            raise _unrecognized("The access key ID or the secret access key is wrong.")
        principal, _ = found
        if not self._keyring.is_current(principal):
            raise _unrecognized("The user or role of this key does not exist any longer.")
        return self._begin(principal, access_key_id, secret, session_token)

    def make_link(self, principal: Principal) -> str:
        """A code that signs in once, within two minutes."""
        code = secrets.token_urlsafe(32)
        self._links[_hash(code)] = principal, self._clock.monotonic() + _LINK_S
        while len(self._links) > _LINKS_MAX:
            self._links.popitem(last=False)
        return code

    def sign_in_by_link(self, address: str, code: str) -> Halves:
        """Begin a session of the one for whom a link was made. Raises as `sign_in`."""
        self._check_attempts(address)
        principal, until = self._links.pop(_hash(code[:_TEXT_MAX]), (None, 0.0))
        if principal is None or self._clock.monotonic() > until:
            self._note_failure(address)
            raise _unrecognized(
                "The link was used before or is older than two minutes: run lambent open again."
            )
        return self._begin(principal, None, "", None)

    def _find(self, key_id: str, session_token: str | None) -> tuple[Principal, str] | None:
        if len(key_id) > _KEY_LENGTH_MAX or len(session_token or "") > _TOKEN_LENGTH_MAX:
            return None
        return self._keyring.find(key_id, session_token)

    def _begin(
        self, principal: Principal, key_id: str | None, secret: str, session_token: str | None
    ) -> Halves:
        halves = Halves(cookie=secrets.token_urlsafe(32), token=secrets.token_urlsafe(32))
        now = self._clock.monotonic()
        self._sessions[_hash(halves.cookie)] = Session(
            principal=principal,
            access_key_id=key_id,
            secret=secret,
            session_token=session_token,
            token_hash=_hash(halves.token),
            began_at=now,
            used_at=now,
        )
        while len(self._sessions) > self._settings.sessions_max:
            self._sessions.popitem(last=False)
        return halves

    # -- requests ------------------------------------------------------------------------------

    def find(self, cookie: str, token: str) -> Session:
        """The session of a request. Raises `UnrecognizedClientException`."""
        key = _hash(cookie[:_TEXT_MAX])
        session = self._sessions.get(key)
        if session is None or not hmac.compare_digest(session.token_hash, _hash(token[:_TEXT_MAX])):
            raise _unrecognized("Sign in first.")
        now = self._clock.monotonic()
        settings = self._settings
        is_over = (
            now - session.used_at > settings.session_idle_s
            or now - session.began_at > settings.session_s
        )
        if is_over or not self._is_valid(session):
            del self._sessions[key]
            raise _unrecognized("The session has ended: sign in again.")
        session.used_at = now
        self._sessions.move_to_end(key)
        return session

    def sign_out(self, cookie: str) -> None:
        """End a session, if there is one."""
        self._sessions.pop(_hash(cookie[:_TEXT_MAX]), None)

    def _is_valid(self, session: Session) -> bool:
        """Whether the key still signs for the same user."""
        if session.access_key_id is None:
            return True
        try:
            found = self._keyring.find(session.access_key_id, session.session_token)
        except ApiError:
            return False
        return found == (session.principal, session.secret) and self._keyring.is_current(
            session.principal
        )

    # -- failures ------------------------------------------------------------------------------

    def _check_attempts(self, address: str) -> None:
        now = self._clock.monotonic()
        recent = [at for at in self._attempts.get(address, ()) if now - at < _ATTEMPTS_S]
        if len(recent) >= _ATTEMPTS_MAX:
            raise ApiError(
                "TooManyRequestsException",
                "There were too many attempts to sign in: wait a minute.",
                status=429,
            )

    def _note_failure(self, address: str) -> None:
        now = self._clock.monotonic()
        recent = [at for at in self._attempts.pop(address, ()) if now - at < _ATTEMPTS_S]
        self._attempts[address] = [*recent, now]
        while len(self._attempts) > _ADDRESSES_MAX:
            self._attempts.popitem(last=False)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="replace")).digest()


def _unrecognized(message: str) -> ApiError:
    return ApiError("UnrecognizedClientException", message, status=401)
