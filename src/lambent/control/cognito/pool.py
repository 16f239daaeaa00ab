"""A user pool and a client of it, as they are read from the database."""

import base64
import datetime
import hmac
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

from lambent.control.cognito.errors import invalid, missing, not_authorized
from lambent.control.cognito.passwords import DEFAULT_POLICY
from lambent.model.arn import Scope
from lambent.model.document import Body, Document, Root
from lambent.store.store import Transaction

Params = Mapping[str, Any]
SERVICE = "cognito-idp"
POOL, CLIENT, GROUP, KEY = "pool", "client", "group", "key"
UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
_DEFAULTS = {
    "AccessToken": (1, "hours"),
    "IdToken": (1, "hours"),
    "RefreshToken": (30, "days"),
}


class Pool(NamedTuple):
    """A user pool."""

    root: Root
    body: Body

    @property
    def id(self) -> str:
        """`us-east-1_aBcDeFgHi`."""
        return self.root.id

    @property
    def short_name(self) -> str:
        """The id after the region, which SRP hashes."""
        return self.id.partition("_")[2]

    @property
    def arn(self) -> str:
        """Its ARN."""
        return pool_arn(self.root.scope, self.id)

    @property
    def issuer(self) -> str:
        """The issuer of its tokens: AWS's address, which programs have in their configuration."""
        return f"https://cognito-idp.{self.root.region}.amazonaws.com/{self.id}"

    @property
    def password_policy(self) -> Params:
        """Which passwords it accepts."""
        policy: Params = self.body["Policies"].get("PasswordPolicy") or DEFAULT_POLICY
        return policy

    @property
    def is_case_sensitive(self) -> bool:
        """Whether names and addresses of users are."""
        return bool((self.body.get("UsernameConfiguration") or {}).get("CaseSensitive"))

    def folded(self, name: str) -> str:
        """A user name or an address as it is compared."""
        return name if self.is_case_sensitive else name.lower()

    def names(self, member: str) -> list[str]:
        """The values of a list, such as `AliasAttributes`; none if it is not there."""
        return list(self.body.get(member) or ())


class Client(NamedTuple):
    """An app client of a pool."""

    pool: Pool
    id: str
    body: Body

    @property
    def hides_users(self) -> bool:
        """Whether responses must not show which users exist."""
        return self.body.get("PreventUserExistenceErrors") == "ENABLED"

    @property
    def session_s(self) -> float:
        """How long a challenge waits for its answer."""
        return 60.0 * (self.body.get("AuthSessionValidity") or 3)

    @property
    def rotates(self) -> bool:
        """Whether each refresh token is used once."""
        rotation = self.body.get("RefreshTokenRotation") or {}
        return rotation.get("Feature") == "ENABLED"

    def validity_s(self, token: str) -> int:
        """Seconds for which a token is valid: `AccessToken`, `IdToken`, `RefreshToken`."""
        default, unit = _DEFAULTS[token]
        count = self.body.get(f"{token}Validity") or default
        unit = (self.body.get("TokenValidityUnits") or {}).get(token, unit)
        return int(count * UNITS[unit])

    def check_secret(self, given: str | None) -> None:
        """Raise `NotAuthorizedException` unless it is the client's secret."""
        secret = self.body.get("ClientSecret")
        if secret is not None and not secrets.compare_digest(
            (given or "").encode("utf-8", "replace"), secret.encode()
        ):
            raise not_authorized("Unable to verify secret hash for client " + self.id)

    def check_hash(self, given: str | None, *names: str) -> None:
        """Raise `NotAuthorizedException` unless `SECRET_HASH` is that of one of the user's
        names."""
        if self.body.get("ClientSecret") is None:
            return
        if given is None:
            raise not_authorized(
                f"Client {self.id} is configured with secret but SECRET_HASH was not received"
            )
        found = [
            secrets.compare_digest(given.encode("utf-8", "replace"), self.hash_of(name))
            for name in names
        ]
        if not any(found):
            raise not_authorized(f"Unable to verify secret hash for client {self.id}")

    def hash_of(self, name: str) -> bytes:
        """The `SECRET_HASH` of a user name."""
        message = f"{name}{self.id}".encode("utf-8", "surrogatepass")
        digest = hmac.digest(self.body["ClientSecret"].encode(), message, "sha256")
        return base64.b64encode(digest)


def pool_arn(scope: Scope, id: str) -> str:
    """The ARN of a pool."""
    return f"arn:aws:cognito-idp:{scope.region}:{scope.account}:userpool/{id}"


def require_pool(tx: Transaction, scope: Scope, id: str) -> Pool:
    """The pool of an account. Raises `ApiError` if there is none."""
    if id.partition("_")[0] != scope.region:
        raise invalid(f"Invalid userPoolId format: {id}.")
    found = tx.documents.get(Root(SERVICE, *scope, id), POOL, id)
    if found is None:
        raise missing(f"User pool {id} does not exist.")
    return Pool(found.root, found.body)


def require_client(tx: Transaction, id: str) -> Client:
    """The client with an id, which is unique among all accounts. Raises `ApiError` if there is
    none."""
    found = tx.documents.find(SERVICE, CLIENT, id)
    if found is None:
        raise missing(f"User pool client {id} does not exist.")
    return _with_pool(tx, found)


def require_client_of(tx: Transaction, pool: Pool, id: str) -> Client:
    """The client of a pool. Raises `ApiError` if there is none."""
    found = tx.documents.get(pool.root, CLIENT, id)
    if found is None:
        raise missing(f"User pool client {id} does not exist.")
    return Client(pool, found.id, found.body)


def find_pool(tx: Transaction, id: str) -> Pool | None:
    """A pool of any account; None if there is none."""
    found = tx.documents.find(SERVICE, POOL, id)
    return None if found is None else Pool(found.root, found.body)


def instant(seconds: float) -> datetime.datetime:
    """A time as the API shows it."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _with_pool(tx: Transaction, client: Document) -> Client:
    pool = tx.documents.get(client.root, POOL, client.root.id)
    if pool is None:
        raise missing(f"User pool {client.root.id} does not exist.")
    return Client(Pool(pool.root, pool.body), client.id, client.body)
