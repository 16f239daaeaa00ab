"""Use cases of app clients."""

import secrets
import string
from typing import Any

from lambent.control.cognito.errors import invalid, not_offered
from lambent.control.cognito.pool import (
    CLIENT,
    UNITS,
    Client,
    Params,
    Pool,
    instant,
    require_client_of,
    require_pool,
)
from lambent.control.cognito.pools import read_marker
from lambent.control.cognito.schema import VERIFIED
from lambent.control.cognito.sealing import Sealer
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.store.store import Store, Transaction

_CLIENTS_MAX = 1000
_KEPT = (
    *("ClientName", "RefreshTokenValidity", "AccessTokenValidity", "IdTokenValidity"),
    *("TokenValidityUnits", "ReadAttributes", "WriteAttributes", "ExplicitAuthFlows"),
    *("SupportedIdentityProviders", "CallbackURLs", "LogoutURLs", "DefaultRedirectURI"),
    *("AllowedOAuthFlows", "AllowedOAuthScopes", "AllowedOAuthFlowsUserPoolClient"),
    *("PreventUserExistenceErrors", "EnableTokenRevocation", "AuthSessionValidity"),
    *("EnablePropagateAdditionalUserContextData", "RefreshTokenRotation"),
)
_ID = string.ascii_lowercase + string.digits
_DEFAULT_FLOWS = ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH"]
_OLD_FLOWS = {"ADMIN_NO_SRP_AUTH", "CUSTOM_AUTH_FLOW_ONLY", "USER_PASSWORD_AUTH"}
_REFUSED_FLOWS = {
    *("ALLOW_USER_AUTH", "ALLOW_TOKEN_EXCHANGE_DELEGATION"),
    "ALLOW_TOKEN_EXCHANGE_IMPERSONATION",
}
_RANGES_S = {
    "AccessToken": (300, 86_400),
    "IdToken": (300, 86_400),
    "RefreshToken": (3600, 315_360_000),
}
_USUAL_UNITS = {"AccessToken": "hours", "IdToken": "hours", "RefreshToken": "days"}


class Clients:
    """See the module."""

    def __init__(self, store: Store, clock: Clock, sealer: Sealer) -> None:
        self._store = store
        self._clock = clock
        self._sealer = sealer

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateUserPoolClient."""
        now = self._clock.now()
        body: dict[str, Any] = {**_body_of(params), "created": now, "changed": now}
        if "ClientSecret" in params:
            body["ClientSecret"] = params["ClientSecret"]
        elif params.get("GenerateSecret"):
            body["ClientSecret"] = "".join(secrets.choice(_ID) for _ in range(51))
        id = "".join(secrets.choice(_ID) for _ in range(26))

        def run(tx: Transaction) -> Client:
            tx.locks.scope(scope)
            pool = require_pool(tx, scope, params["UserPoolId"])
            _check_attributes(pool, params)
            if len(tx.documents.list_of(pool.root, CLIENT)) >= _CLIENTS_MAX:
                raise ApiError("LimitExceededException", "The user pool has too many app clients.")
            tx.documents.put(pool.root, CLIENT, id, body)
            return Client(pool, id, body)

        return {"UserPoolClient": _view(await self._store.transact(run))}

    async def describe(self, scope: Scope, params: Params) -> Params:
        """DescribeUserPoolClient."""
        client = await self._store.read(lambda tx: _find(tx, scope, params))
        return {"UserPoolClient": _view(client)}

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateUserPoolClient: members that the request does not have get their defaults."""

        def run(tx: Transaction) -> Client:
            tx.locks.scope(scope)
            client = _find(tx, scope, params)
            _check_attributes(client.pool, params)
            given = _body_of({"ClientName": client.body["ClientName"], **params})
            kept = {name: each for name, each in client.body.items() if name not in _KEPT}
            body = {**kept, **given, "changed": self._clock.now()}
            tx.documents.put(client.pool.root, CLIENT, client.id, body)
            return Client(client.pool, client.id, body)

        return {"UserPoolClient": _view(await self._store.transact(run))}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteUserPoolClient."""

        def run(tx: Transaction) -> None:
            client = _find(tx, scope, params)
            tx.documents.delete(client.pool.root, CLIENT, client.id)

        await self._store.transact(run)
        return {}

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListUserPoolClients, by id."""
        after = read_marker(self._sealer, params.get("NextToken")).get("id", "")
        limit = params.get("MaxResults") or 60

        def run(tx: Transaction) -> Any:
            pool = require_pool(tx, scope, params["UserPoolId"])
            return tx.documents.list_of(pool.root, CLIENT, after=after, limit=limit + 1)

        found = await self._store.read(run)
        shown = [
            {
                "ClientId": each.id,
                "UserPoolId": params["UserPoolId"],
                "ClientName": each.body["ClientName"],
            }
            for each in found[:limit]
        ]
        if len(found) <= limit:
            return {"UserPoolClients": shown}
        marker = self._sealer.seal("page", {"id": found[limit - 1].id})
        return {"UserPoolClients": shown, "NextToken": marker}


def _find(tx: Transaction, scope: Scope, params: Params) -> Client:
    pool = require_pool(tx, scope, params["UserPoolId"])
    return require_client_of(tx, pool, params["ClientId"])


def _body_of(params: Params) -> dict[str, Any]:
    """What a request says of a client, with the defaults. Raises `ApiError`."""
    if params.get("AnalyticsConfiguration"):
        raise not_offered("AnalyticsConfiguration")
    body = {name: params[name] for name in _KEPT if name in params}
    flows = set(body.setdefault("ExplicitAuthFlows", _DEFAULT_FLOWS))
    if flows & _OLD_FLOWS and flows - _OLD_FLOWS:
        raise invalid("ExplicitAuthFlows mixes values with and without the prefix ALLOW_.")
    if flows & _REFUSED_FLOWS:
        raise not_offered(f"{', '.join(sorted(flows & _REFUSED_FLOWS))} of app clients")
    others = set(body.get("SupportedIdentityProviders") or ()) - {"COGNITO"}
    if others:
        raise invalid(f"The provider {min(others)} does not exist for the user pool.")
    body["RefreshTokenValidity"] = body.get("RefreshTokenValidity") or 30
    body.setdefault("TokenValidityUnits", {})
    body.setdefault("EnableTokenRevocation", True)
    body.setdefault("EnablePropagateAdditionalUserContextData", False)
    body.setdefault("PreventUserExistenceErrors", "LEGACY")
    body.setdefault("AllowedOAuthFlowsUserPoolClient", False)
    body.setdefault("AuthSessionValidity", 3)
    for token, (low, high) in _RANGES_S.items():
        count = body.get(f"{token}Validity")
        unit = body["TokenValidityUnits"].get(token, _USUAL_UNITS[token])
        if count is not None and not low <= count * UNITS[unit] <= high:
            raise invalid(f"Invalid range for token validity: {token} has {low} to {high} seconds.")
    return body


def _check_attributes(pool: Pool, params: Params) -> None:
    known = {each["Name"] for each in pool.body["SchemaAttributes"]}
    for member in ("ReadAttributes", "WriteAttributes"):
        unknown = set(params.get(member) or ()) - known
        if unknown:
            raise invalid(f"Invalid {member[0].lower()}{member[1:-1]} specified: {min(unknown)}")
    fixed = set(params.get("WriteAttributes") or ()) & {"sub", *VERIFIED.values()}
    if fixed:
        raise invalid(f"Invalid write attributes specified while creating a client: {min(fixed)}")


def _view(client: Client) -> Params:
    body = {name: value for name, value in client.body.items() if name[0].isupper()}
    return {
        **body,
        "UserPoolId": client.pool.id,
        "ClientId": client.id,
        "CreationDate": instant(client.body["created"]),
        "LastModifiedDate": instant(client.body["changed"]),
    }
