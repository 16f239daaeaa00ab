"""One attempt to sign in: who wants to, from where, with which client."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from lambent.control.cognito.passwords import Verifier, pretended
from lambent.control.cognito.pool import Client
from lambent.control.cognito.sealing import Sealer
from lambent.control.cognito.triggers import metadata
from lambent.control.cognito.users import event_attributes
from lambent.store.pool_users import PoolUser


class Attempt(NamedTuple):
    """See the module."""

    client: Client
    user: PoolUser | None
    """None for a name that no user has, where the client does not show that."""
    name: str
    """As the client has sent it."""
    address: str
    client_metadata: Mapping[str, str] | None

    @property
    def key(self) -> str:
        """What attempts are counted by."""
        return self.client.pool.folded(self.name) if self.user is None else self.user.key

    @property
    def username(self) -> str:
        """`userName` of events."""
        return self.name if self.user is None else str(self.user.document["username"])

    @property
    def identity(self) -> dict[str, str | None]:
        """What a session says of the user: a later user of the same name is another one."""
        sub = None if self.user is None else self.user.document["attributes"]["sub"]
        return {"name": self.name if self.user is None else self.user.key, "sub": sub}

    def event(self, **members: Any) -> dict[str, Any]:
        """The `request` of an event, with further members."""
        request = {
            "userAttributes": {} if self.user is None else event_attributes(self.user),
            **members,
            **metadata(self.client_metadata),
        }
        if self.client.hides_users:
            request["userNotFound"] = self.user is None
        return request

    def verifier(self, sealer: Sealer) -> Verifier:
        """The verifier of the password; one that no password fits if there is none."""
        found = None if self.user is None else Verifier.from_document(self.user.secrets)
        return found or pretended(sealer, self.client.pool.id, self.key)

    def srp_name(self, sealer: Sealer) -> str:
        """`USER_ID_FOR_SRP`: looks the same for a name that no user has."""
        if self.user is not None:
            return str(self.user.document["username"])
        if not self.client.pool.names("UsernameAttributes"):
            return self.client.pool.folded(self.name)
        digits = sealer.digest("sub", self.client.pool.id, self.key).hex()
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"
