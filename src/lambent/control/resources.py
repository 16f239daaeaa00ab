"""What authorization reads about resources: their policies and tags, and values for policy
conditions."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control import policies
from lambent.control.apis.tags import tags_of
from lambent.control.cloudfront.distributions import policy_of as cloudfront_policy
from lambent.control.events.tags import policy_of
from lambent.control.permissions import policy_for
from lambent.control.plain_tags import tags_of_document
from lambent.control.schedules.groups import tags_of_group
from lambent.control.secrets import find_secret, secret_arn
from lambent.model.arn import Arn, Scope
from lambent.model.function import LATEST, FunctionKey
from lambent.model.identity import Identity, IdentityKey
from lambent.model.layer import parse_layer_version_arn
from lambent.model.managed_policy import parse_policy_arn
from lambent.model.names import FunctionReference, parse_function_name
from lambent.model.policy import ResourcePolicy, statements_of
from lambent.model.resources import (
    parse_code_signing_arn,
    parse_mapping_arn,
    parse_role_arn,
    parse_user_arn,
)
from lambent.model.stack_documents import (
    CHANGE_SET,
    NAME,
    SERVICE,
    STACK,
    account_root,
    stack_arn,
)
from lambent.store.function_settings import Kind
from lambent.store.store import Store, Transaction


class Resources:
    """Reads from the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def policy(self, arn: str) -> ResourcePolicy:
        """Policy and tags of the resource with this ARN; empty if it does not exist."""
        return await self._store.read(lambda tx: _policy(tx, arn))

    async def identity(self, key: IdentityKey) -> Identity | None:
        """The user or role, None if there is none."""
        return await self._store.read(lambda tx: tx.identities.get(key))

    async def function_of_mapping(self, scope: Scope, uuid: str) -> str | None:
        """The ARN of the function that a mapping calls, None if there is no such mapping."""
        mapping = await self._store.read(lambda tx: tx.mappings.get(scope, uuid))
        return None if mapping is None else mapping.function_arn

    async def url_auth_type(self, reference: FunctionReference) -> str | None:
        """`NONE` or `AWS_IAM`, the authorization type of a function's URL; None if it has no
        URL."""
        key, qualifier = reference.key, reference.qualifier or LATEST
        url = await self._store.read(lambda tx: tx.settings.get(Kind.URL, key, qualifier))
        return None if url is None else str(url["auth_type"])

    async def statements(self, reference: FunctionReference) -> Sequence[Mapping[str, Any]]:
        """A function's policy in its stored form; empty if it has none."""
        return policies.statements(await self._store.read(lambda tx: policy_for(tx, reference)))

    async def layers_of(self, key: FunctionKey) -> Sequence[str]:
        """The ARNs of the layer versions that a function has."""
        function = await self._store.read(lambda tx: tx.functions.get(key))
        return [] if function is None else [layer.arn for layer in function.layers]

    async def secret_arn(self, scope: Scope, text: str) -> str | None:
        """The ARN of the secret with this name or ARN, None if there is none."""
        found = await self._store.read(lambda tx: find_secret(tx, scope, text))
        return None if found is None else secret_arn(scope, found.id, found.body["suffix"])

    async def stack_arn(self, scope: Scope, name: str) -> str | None:
        """The ARN of the stack with a name, None if there is none."""
        root = account_root(scope)
        found = await self._store.read(lambda tx: tx.documents.get(root, NAME, name))
        return None if found is None else stack_arn(scope, name, found.body["stack"])

    async def stack_of_change_set(self, scope: Scope, arn: str) -> str | None:
        """The ARN of the stack that a change set is of, None if there is no such change set."""
        id = arn.rpartition("/")[2]

        def run(tx: Transaction) -> str | None:
            found = tx.documents.find(SERVICE, CHANGE_SET, id)
            if found is None or found.root.scope != scope or found.body["arn"] != arn:
                return None
            stack = tx.documents.get(found.root, STACK, STACK)
            return None if stack is None else stack_arn(scope, stack.body["name"], found.root.id)

        return await self._store.read(run)


def _policy(tx: Transaction, arn: str) -> ResourcePolicy:
    layer = parse_layer_version_arn(arn)
    if layer is not None:
        return ResourcePolicy(policies.granted(tx.layers.policy(*layer)))
    if ":function:" in arn:
        reference = parse_function_name(arn, Arn.parse(arn).scope)
        return ResourcePolicy(
            policies.granted(policy_for(tx, reference)), tags=tx.tags.get(reference.key.arn)
        )
    if arn.startswith("arn:aws:apigateway:"):
        return ResourcePolicy(tags=tags_of(tx, arn))
    of_cloudfront = cloudfront_policy(tx, arn)
    if of_cloudfront is not None:
        return of_cloudfront
    of_events = policy_of(tx, arn)
    if of_events is not None:
        return of_events
    of_group = tags_of_group(tx, arn)
    if of_group is not None:
        return ResourcePolicy(tags=of_group)
    if parse_mapping_arn(arn) or parse_code_signing_arn(arn):
        return ResourcePolicy(tags=tx.tags.get(arn))
    managed = parse_policy_arn(arn)
    if managed is not None:
        policy = tx.identities.policy(managed)
        return ResourcePolicy(tags=policy.tags if policy is not None and policy.arn == arn else {})
    documented = tags_of_document(tx, arn)
    if documented:
        return ResourcePolicy(tags=documented)
    identity = _identity(tx, arn)
    if identity is None or identity.arn != arn:
        return ResourcePolicy()
    return ResourcePolicy(trust=statements_of([identity.trust or {}]), tags=identity.tags)


def _identity(tx: Transaction, arn: str) -> Identity | None:
    role = parse_role_arn(arn)
    if role is not None:
        return tx.identities.get(IdentityKey(role.account, "role", role.name))
    user = parse_user_arn(arn)
    return None if user is None else tx.identities.get(IdentityKey(user.account, "user", user.name))
