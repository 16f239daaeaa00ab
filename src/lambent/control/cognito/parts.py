"""Domains and resource servers of user pools. They are stored and shown: nothing is served for
them, because there is no hosted UI."""

from collections.abc import Sequence

from lambent.control.cognito.errors import invalid, missing, not_offered
from lambent.control.cognito.pool import SERVICE, Params, require_pool
from lambent.control.cognito.pools import read_marker
from lambent.control.cognito.sealing import Sealer
from lambent.model.arn import Scope
from lambent.model.document import Document
from lambent.store.store import Store, Transaction

_DOMAIN, _SERVER = "domain", "resource_server"
_SERVERS_MAX = 300


class PoolParts:
    """See the module."""

    def __init__(self, store: Store, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer

    # -- domains -------------------------------------------------------------------------------

    async def create_domain(self, scope: Scope, params: Params) -> Params:
        """CreateUserPoolDomain: a prefix of AWS's domain."""
        name = params["Domain"]
        if params.get("CustomDomainConfig"):
            raise not_offered("custom domains of user pools, as there is no hosted UI")

        def run(tx: Transaction) -> None:
            tx.locks.scope(scope)
            pool = require_pool(tx, scope, params["UserPoolId"])
            if tx.documents.find(SERVICE, _DOMAIN, name) is not None:
                raise invalid("Domain already associated with another user pool.")
            if tx.documents.list_of(pool.root, _DOMAIN, limit=1):
                raise invalid("The user pool already has a domain.")
            version = params.get("ManagedLoginVersion", 1)
            tx.documents.put(pool.root, _DOMAIN, name, {"ManagedLoginVersion": version})

        await self._store.transact(run)
        return {}

    async def describe_domain(self, scope: Scope, params: Params) -> Params:
        """DescribeUserPoolDomain: empty if there is no such domain."""
        name = params["Domain"]
        found = await self._store.read(lambda tx: tx.documents.find(SERVICE, _DOMAIN, name))
        if found is None or found.root.scope != scope:
            return {"DomainDescription": {}}
        return {
            "DomainDescription": {
                **found.body,
                "UserPoolId": found.root.id,
                "AWSAccountId": scope.account,
                "Domain": name,
                "Status": "ACTIVE",
            }
        }

    async def update_domain(self, scope: Scope, params: Params) -> Params:
        """UpdateUserPoolDomain."""
        if params.get("CustomDomainConfig"):
            raise not_offered("custom domains of user pools, as there is no hosted UI")

        def run(tx: Transaction) -> int:
            found = _require_domain(tx, scope, params)
            version: int = params.get("ManagedLoginVersion", found.body["ManagedLoginVersion"])
            tx.documents.put(found.root, _DOMAIN, found.id, {"ManagedLoginVersion": version})
            return version

        return {"ManagedLoginVersion": await self._store.transact(run)}

    async def delete_domain(self, scope: Scope, params: Params) -> Params:
        """DeleteUserPoolDomain."""

        def run(tx: Transaction) -> None:
            found = _require_domain(tx, scope, params)
            tx.documents.delete(found.root, _DOMAIN, found.id)

        await self._store.transact(run)
        return {}

    # -- resource servers ----------------------------------------------------------------------

    async def create_server(self, scope: Scope, params: Params) -> Params:
        """CreateResourceServer."""

        def run(tx: Transaction) -> Document:
            tx.locks.scope(scope)
            pool = require_pool(tx, scope, params["UserPoolId"])
            present = tx.documents.list_of(pool.root, _SERVER)
            if any(each.id == params["Identifier"] for each in present):
                raise invalid(f"{params['Identifier']} already exists in user pool {pool.id}.")
            if len(present) >= _SERVERS_MAX:
                raise invalid("The user pool has too many resource servers.")
            return tx.documents.put(pool.root, _SERVER, params["Identifier"], _body_of(params))

        return {"ResourceServer": _view(await self._store.transact(run))}

    async def describe_server(self, scope: Scope, params: Params) -> Params:
        """DescribeResourceServer."""
        found = await self._store.read(lambda tx: _require_server(tx, scope, params))
        return {"ResourceServer": _view(found)}

    async def update_server(self, scope: Scope, params: Params) -> Params:
        """UpdateResourceServer."""

        def run(tx: Transaction) -> Document:
            found = _require_server(tx, scope, params)
            return tx.documents.put(found.root, _SERVER, found.id, _body_of(params))

        return {"ResourceServer": _view(await self._store.transact(run))}

    async def delete_server(self, scope: Scope, params: Params) -> Params:
        """DeleteResourceServer."""

        def run(tx: Transaction) -> None:
            found = _require_server(tx, scope, params)
            tx.documents.delete(found.root, _SERVER, found.id)

        await self._store.transact(run)
        return {}

    async def list_servers(self, scope: Scope, params: Params) -> Params:
        """ListResourceServers."""
        after = read_marker(self._sealer, params.get("NextToken")).get("id", "")
        limit = params.get("MaxResults") or 50

        def run(tx: Transaction) -> Sequence[Document]:
            pool = require_pool(tx, scope, params["UserPoolId"])
            return tx.documents.list_of(pool.root, _SERVER, after=after, limit=limit + 1)

        found = await self._store.read(run)
        members: Params = {"ResourceServers": [_view(each) for each in found[:limit]]}
        if len(found) <= limit:
            return members
        return {**members, "NextToken": self._sealer.seal("page", {"id": found[limit - 1].id})}


def _body_of(params: Params) -> Params:
    return {"Name": params["Name"], "Scopes": list(params.get("Scopes") or ())}


def _view(server: Document) -> Params:
    return {"UserPoolId": server.root.id, "Identifier": server.id, **server.body}


def _require_domain(tx: Transaction, scope: Scope, params: Params) -> Document:
    pool = require_pool(tx, scope, params["UserPoolId"])
    found = tx.documents.get(pool.root, _DOMAIN, params["Domain"])
    if found is None:
        raise invalid("No such domain or user pool exists.")
    return found


def _require_server(tx: Transaction, scope: Scope, params: Params) -> Document:
    pool = require_pool(tx, scope, params["UserPoolId"])
    found = tx.documents.get(pool.root, _SERVER, params["Identifier"])
    if found is None:
        raise missing(f"Resource server {params['Identifier']} does not exist.")
    return found
