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
from collections.abc import Sequence
from typing import Any

from lambent.console.settings import ConsoleSettings
from lambent.identity.keyring import Keyring
from lambent.kit.clock import Clock
from lambent.model.errors import ApiError
from lambent.model.peers import Peers
from lambent.model.principal import Principal

_ATTEMPTS_MAX, _ATTEMPTS_S = 10, 60.0
_ADDRESSES_MAX = 1024
_LINKS_MAX, _LINK_S = 16, 120.0
_KEY_LENGTH_MAX = 128
_TOKEN_LENGTH_MAX = 8192
_TEXT_MAX = 256

_CHANGED = "console/sessions"
_TELL_S, _TELL_S_MAX = 0.25, 3.0
_TELL_USE_S = 30.0
_UNTOLD_MAX = 2_000


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
    shared_at: float = 0.0
    """When other nodes last learned that it is used."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Halves:
    """The two secrets of a session."""

    cookie: str = dataclasses.field(repr=False)
    token: str = dataclasses.field(repr=False)


class Sessions:
    """All of them. Among several nodes, each tells the others of what it begins and ends, so that
    the requests of a user may go to any."""

    def __init__(
        self, keyring: Keyring, clock: Clock, settings: ConsoleSettings, peers: Peers
    ) -> None:
        """`peers` are the nodes that serve the same users."""
        self._peers = peers
        self._untold: list[Sequence[Any]] = []
        """What other nodes do not know: names of changes, and what they are about."""
        peers.serve(_CHANGED, self._hear)
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
        self._keep_link(_hash(code), principal)
        self._will_tell("link", _hash(code).hex(), dataclasses.asdict(principal))
        return code

    def _keep_link(self, key: bytes, principal: Principal) -> None:
        self._links[key] = principal, self._clock.monotonic() + _LINK_S
        while len(self._links) > _LINKS_MAX:
            self._links.popitem(last=False)

    def sign_in_by_link(self, address: str, code: str) -> Halves:
        """Begin a session of the one for whom a link was made. Raises as `sign_in`."""
        self._check_attempts(address)
        key = _hash(code[:_TEXT_MAX])
        principal, until = self._links.pop(key, (None, 0.0))
        if principal is not None:
            self._will_tell("link used", key.hex())
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
        session = self._keep(
            *(_hash(halves.cookie), _hash(halves.token), principal, key_id, secret, session_token)
        )
        about = (session.token_hash.hex(), dataclasses.asdict(principal), key_id)
        self._will_tell("begin", _hash(halves.cookie).hex(), *about, secret, session_token)
        return halves

    def _keep(
        self,
        key: bytes,
        token_hash: bytes,
        principal: Principal,
        key_id: str | None,
        secret: str,
        session_token: str | None,
    ) -> Session:
        now = self._clock.monotonic()
        session = self._sessions[key] = Session(
            principal=principal,
            access_key_id=key_id,
            secret=secret,
            session_token=session_token,
            token_hash=token_hash,
            began_at=now,
            used_at=now,
            shared_at=now,
        )
        while len(self._sessions) > self._settings.sessions_max:
            self._sessions.popitem(last=False)
        return session

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
        self._note_use(key, session)
        if now - session.shared_at > _TELL_USE_S:
            session.shared_at = now
            self._will_tell("use", key.hex())
        return session

    def _note_use(self, key: bytes, session: Session) -> None:
        session.used_at = self._clock.monotonic()
        self._sessions.move_to_end(key)

    def sign_out(self, cookie: str) -> None:
        """End a session, if there is one."""
        key = _hash(cookie[:_TEXT_MAX])
        if self._sessions.pop(key, None) is not None:
            self._will_tell("end", key.hex())

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

    # -- among several nodes -------------------------------------------------------------------

    @property
    def has_news(self) -> bool:
        """Whether other nodes do not know something."""
        return bool(self._untold)

    async def run(self) -> None:
        """Tell other nodes what has changed, until cancelled."""
        while True:
            await self._clock.sleep(_TELL_S)
            await self.tell()

    async def tell(self) -> None:
        """Tell other nodes what has changed since the last call."""
        untold, self._untold = self._untold, []
        if untold:
            await self._peers.ask(_CHANGED, untold, within_s=_TELL_S_MAX)

    def _will_tell(self, *what: Any) -> None:
        if self._peers.number and len(self._untold) < _UNTOLD_MAX:
            self._untold.append(what)

    async def _hear(self, told: Any) -> None:
        for what, about, *more in told:
            if what == "failure":
                self._count_failure(about)
                continue
            key = bytes.fromhex(about)
            if what == "begin":
                token_hash, principal, *rest = more
                self._keep(key, bytes.fromhex(token_hash), Principal(**principal), *rest)
            elif what == "link":
                self._keep_link(key, Principal(**more[0]))
            elif what == "link used":
                self._links.pop(key, None)
            elif what == "end":
                self._sessions.pop(key, None)
            elif what == "use" and key in self._sessions:
                self._note_use(key, self._sessions[key])

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
        self._will_tell("failure", address)
        self._count_failure(address)

    def _count_failure(self, address: str) -> None:
        now = self._clock.monotonic()
        recent = [at for at in self._attempts.pop(address, ()) if now - at < _ATTEMPTS_S]
        self._attempts[address] = [*recent, now]
        while len(self._attempts) > _ADDRESSES_MAX:
            self._attempts.popitem(last=False)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="replace")).digest()


def _unrecognized(message: str) -> ApiError:
    return ApiError("UnrecognizedClientException", message, status=401)
