"""All keys, users, roles and managed policies, in memory: no request waits for the database to be
authenticated.

The keyring follows the store, which sends it everything again whenever something changes.
"""

from collections.abc import Iterator, Mapping, Sequence

from lambent.identity.aws_policies import find_aws_policy
from lambent.identity.session_tokens import SessionTokens
from lambent.kit.clock import Clock
from lambent.model.changes import Changes
from lambent.model.identity import AccessKey, Document, Identity, IdentityKey, key_principal
from lambent.model.policy import Statement, statements_of
from lambent.model.principal import Principal
from lambent.store.store import Store

_SESSION_KEY = "session-tokens"


class Keyring:
    """Keys with their principals, and the principals' policies."""

    def __init__(self, sessions: SessionTokens) -> None:
        self.sessions = sessions
        self._keys: Mapping[str, tuple[Principal, str]] = {}
        self._identities: Mapping[str, Identity] = {}
        self._statements: Mapping[str, Sequence[Statement]] = {}
        self.generation = 0
        """Changes whenever anything may have changed."""

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`."""
        if changes.directory is None:
            return
        identities, keys, policies = changes.directory
        users = {identity.key: identity for identity in identities}
        self._keys = {
            key.id: (key_principal(key, _user_of(key, users)), key.secret)
            for key in keys
            if key.is_active
        }
        self._identities = {identity.arn: identity for identity in identities}
        managed = {policy.arn: policy.document for policy in policies}
        documents = {
            identity.key: [
                *identity.policies.values(),
                *(_managed_document(arn, managed) for arn in identity.attached),
            ]
            for identity in identities
        }
        self._statements = {
            identity.arn: statements_of(
                [*documents[identity.key], *_of_groups(identity, documents)]
            )
            for identity in identities
        }
        self.generation += 1

    def find(self, access_key_id: str, session_token: str | None) -> tuple[Principal, str] | None:
        """The principal that signs with a key, and the key's secret; None if it is not known.

        Raises `ExpiredTokenException` for temporary credentials that are too old.
        """
        if session_token is not None:
            return self.sessions.read(access_key_id, session_token)
        return self._keys.get(access_key_id)

    def statements(self, principal: Principal) -> Sequence[Statement]:
        """The statements of the principal's own policies, inline and attached, and of its groups;
        none for an unknown role or user."""
        return self._statements.get(principal.role_arn or principal.arn, ())

    def tags(self, principal: Principal) -> Mapping[str, str]:
        """The tags of the user or role."""
        identity = self._identities.get(principal.role_arn or principal.arn)
        return {} if identity is None else identity.tags

    def role(self, arn: str) -> Identity | None:
        """The role with this ARN, None if there is none."""
        identity = self._identities.get(arn)
        return identity if identity is not None and identity.key.kind == "role" else None

    def is_current(self, principal: Principal) -> bool:
        """Whether it is still there: the same user or role, not a later one of that name; and the
        key that its session was made with."""
        if principal.session_key is not None and principal.session_key not in self._keys:
            return False
        if principal.kind == "root":
            return True
        identity = self._identities.get(principal.role_arn or principal.arn)
        return identity is not None and identity.id == principal.user_id.partition(":")[0]


async def open_keyring(store: Store, clock: Clock) -> Keyring:
    """The keyring of everybody in the store."""
    key = await store.transact(lambda tx: tx.identities.platform_secret(_SESSION_KEY))
    keyring = Keyring(SessionTokens(key, clock))
    await store.follow(keyring)
    return keyring


def _of_groups(
    user: Identity, documents: Mapping[IdentityKey, Sequence[Document]]
) -> Iterator[Document]:
    for name in user.groups:
        yield from documents.get(IdentityKey(user.key.account, "group", name), ())


def _managed_document(arn: str, managed: Mapping[str, Document]) -> Document:
    """The document of an attached policy. One of AWS that is not known here allows nothing."""
    found = managed.get(arn)
    if found is None and (aws := find_aws_policy(arn)) is not None:
        found = aws.document
    return {} if found is None else found


def _user_of(key: AccessKey, users: Mapping[IdentityKey, Identity]) -> Identity | None:
    if key.user_name is None:
        return None
    return users[IdentityKey(key.account, "user", key.user_name)]
