"""Who may use a function: its resource-based policies.

The function as a whole, each published version and each alias have their own policies; nothing is
copied when a version is published.
"""

from collections.abc import Mapping
from typing import Any

from lambent.control import policies
from lambent.control.lookup import find_version, require_qualified, require_version
from lambent.model.arn import Scope
from lambent.model.errors import invalid_parameter, not_found
from lambent.model.function import LATEST
from lambent.model.names import FunctionReference, parse_function_name
from lambent.store.function_settings import Kind
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]


class Permissions:
    """Use cases of functions' policies."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, scope: Scope, params: Params) -> Params:
        """AddPermission: adds a statement."""
        reference = _reference(params, scope)
        if reference.qualifier == LATEST:
            raise invalid_parameter("We currently do not support adding policies for $LATEST.")
        added = policies.statement(
            params["StatementId"],
            principal=policies.principal(params["Principal"]),
            action=params["Action"],
            resource=reference.arn,
            condition=_condition(params),
        )

        def run(tx: Transaction) -> None:
            tx.locks.function(reference.key)
            require_qualified(tx, reference)
            current = policy_for(tx, reference)
            if current is None:
                _require_own_revision(tx, reference, params.get("RevisionId"))
            else:
                policies.require_revision(current, params.get("RevisionId"), operation="GetPolicy")
            _put(tx, reference, policies.with_statement(current, added))

        await self._store.transact(run)
        return {"Statement": policies.to_json(added)}

    async def remove(self, scope: Scope, params: Params) -> Params:
        """RemovePermission: removes a statement."""
        reference = _reference(params, scope)

        def run(tx: Transaction) -> None:
            tx.locks.function(reference.key)
            if tx.functions.get(reference.key) is None:
                raise not_found(f"No policy found for: {reference.arn}")
            require_qualified(tx, reference)
            current = policy_for(tx, reference)
            changed = policies.without_statement(current, params["StatementId"])
            policies.require_revision(current, params.get("RevisionId"), operation="GetPolicy")
            _put(tx, reference, changed)

        await self._store.transact(run)
        return {}

    async def get(self, scope: Scope, params: Params) -> Params:
        """GetPolicy."""
        return await self._show(_reference(params, scope))

    async def put_document(self, scope: Scope, params: Params) -> Params:
        """PutResourcePolicy: replaces all statements."""
        reference = _function_of(params["ResourceArn"], scope)
        policy = policies.make(policies.parse(params["Policy"]))

        def run(tx: Transaction) -> None:
            tx.locks.function(reference.key)
            require_version(tx, reference)
            current = policy_for(tx, reference)
            policies.require_revision(
                current, params.get("RevisionId"), operation="GetResourcePolicy"
            )
            _put(tx, reference, policy)

        await self._store.transact(run)
        return policies.view(policy)

    async def get_document(self, scope: Scope, params: Params) -> Params:
        """GetResourcePolicy."""
        return await self._show(_function_of(params["ResourceArn"], scope))

    async def delete_document(self, scope: Scope, params: Params) -> Params:
        """DeleteResourcePolicy: removes all statements."""
        reference = _function_of(params["ResourceArn"], scope)

        def run(tx: Transaction) -> None:
            tx.locks.function(reference.key)
            require_version(tx, reference)
            current = policy_for(tx, reference)
            if current is None:
                raise not_found("The resource you requested does not exist.")
            policies.require_revision(
                current, params.get("RevisionId"), operation="GetResourcePolicy"
            )
            _put(tx, reference, None)

        await self._store.transact(run)
        return {}

    async def _show(self, reference: FunctionReference) -> Params:
        def run(tx: Transaction) -> Params:
            policy = policy_for(tx, reference)
            if policy is None or find_version(tx, reference.key, reference.qualifier) is None:
                raise not_found("The resource you requested does not exist.")
            return policies.view(policy)

        return await self._store.read(run)


def _require_own_revision(
    tx: Transaction, reference: FunctionReference, revision_id: str | None
) -> None:
    """Without a policy, the revision is that of the function, the version or the alias."""
    alias = tx.aliases.get(reference.key, reference.qualifier or LATEST)
    own = alias or require_version(tx, reference)
    if revision_id not in (None, own.revision_id):
        policies.require_revision(None, revision_id, operation="GetPolicy")


def _reference(params: Params, scope: Scope) -> FunctionReference:
    return parse_function_name(params["FunctionName"], scope, qualifier=params.get("Qualifier"))


def _function_of(arn: str, scope: Scope) -> FunctionReference:
    if ":function:" not in arn:
        raise invalid_parameter(
            f"cannot attach a policy to {arn}: only functions, versions and aliases have policies."
        )
    return parse_function_name(arn, scope)


def _condition(params: Params) -> Mapping[str, Mapping[str, str]]:
    equals = {
        key: params[member]
        for member, key in (
            ("SourceAccount", "AWS:SourceAccount"),
            ("FunctionUrlAuthType", "lambda:FunctionUrlAuthType"),
            ("PrincipalOrgID", "aws:PrincipalOrgID"),
            ("EventSourceToken", "lambda:EventSourceToken"),
        )
        if member in params
    }
    like = {"AWS:SourceArn": params["SourceArn"]} if "SourceArn" in params else {}
    through_url = params.get("InvokedViaFunctionUrl")
    true = {"lambda:InvokedViaFunctionUrl": str(through_url).lower()} if through_url else {}
    return {"StringEquals": equals, "ArnLike": like, "Bool": true}


def policy_for(tx: Transaction, reference: FunctionReference) -> policies.Policy | None:
    """The policy of a function, a version or an alias, None if it has none."""
    return tx.settings.get(Kind.POLICY, reference.key, reference.qualifier or LATEST)


def _put(tx: Transaction, reference: FunctionReference, policy: policies.Policy | None) -> None:
    qualifier = reference.qualifier or LATEST
    if policy is None:
        tx.settings.delete(Kind.POLICY, reference.key, qualifier)
    else:
        tx.settings.put(Kind.POLICY, reference.key, policy, qualifier=qualifier)
