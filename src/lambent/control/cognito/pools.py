"""Use cases of user pools themselves.
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPool.html
"""

import secrets
import string
from collections.abc import Callable, Mapping
from typing import Any

from lambent.control.cognito import pool_rules, schema
from lambent.control.cognito.errors import invalid, missing, not_offered
from lambent.control.cognito.factors import mode_of, offered
from lambent.control.cognito.keys import PoolKeys
from lambent.control.cognito.messages import Messages
from lambent.control.cognito.pool import (
    POOL,
    SERVICE,
    Params,
    Pool,
    find_pool,
    instant,
    pool_arn,
    require_pool,
)
from lambent.control.cognito.schema import PHONE
from lambent.control.cognito.sealing import Sealer
from lambent.control.cognito.senders import Senders
from lambent.control.plain_tags import TAGS, changed
from lambent.kit.clock import Clock
from lambent.model.arn import Arn, Scope
from lambent.model.document import Body, Root
from lambent.model.errors import ApiError
from lambent.store.store import Store, Transaction

_POOLS_MAX = 10_000
_ID_CHARACTERS = string.ascii_letters + string.digits


class Pools:
    """See the module."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        sealer: Sealer,
        keys: PoolKeys,
        senders: Senders,
        messages: Messages,
    ) -> None:
        self._store = store
        self._clock = clock
        self._sealer = sealer
        self._keys = keys
        self._senders = senders
        self._messages = messages

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateUserPool."""
        body = pool_rules.body_of(params)
        pool_rules.check_fixed(params)
        body |= {name: params[name] for name in pool_rules.FIXED if name in params}
        body["SchemaAttributes"] = schema.schema_of(params.get("Schema") or ())
        if body["MfaConfiguration"] != "OFF":
            body |= pool_rules.factors_of(body)
        await self._senders.check_key(scope, body["LambdaConfig"])
        now = self._clock.now()
        tags = changed({}, params.get("UserPoolTags") or {}, code="InvalidParameterException")
        body |= {"Name": params["PoolName"], TAGS: tags, "created": now, "changed": now}
        key = await self._keys.generate()

        def run(tx: Transaction) -> Pool:
            tx.locks.scope(scope)
            if len(tx.documents.list_in(SERVICE, scope, POOL, limit=_POOLS_MAX)) >= _POOLS_MAX:
                raise ApiError("LimitExceededException", "There are too many user pools.")
            id = _new_id(scope)
            while find_pool(tx, id) is not None:
                id = _new_id(scope)
            pool = Pool(_root(scope, id), body)
            self._check_factors(pool)
            tx.documents.put(pool.root, POOL, id, body)
            self._keys.put(tx, pool.root, key)
            return pool

        pool = await self._store.transact(run)
        return {"UserPool": _view(pool, 0, None)}

    async def describe(self, scope: Scope, params: Params) -> Params:
        """DescribeUserPool."""

        def run(tx: Transaction) -> Params:
            pool = require_pool(tx, scope, params["UserPoolId"])
            domains = tx.documents.list_of(pool.root, "domain")
            domain = domains[0].id if domains else None
            return {"UserPool": _view(pool, tx.pool_users.count(pool.id), domain)}

        return await self._store.read(run)

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateUserPool: members that the request does not have get their defaults."""
        wanted = pool_rules.body_of(params)
        await self._senders.check_key(scope, wanted["LambdaConfig"])

        def change(body: Body) -> Body:
            kept = {name: value for name, value in body.items() if name not in pool_rules.KEPT}
            if "MfaConfiguration" not in params:
                wanted["MfaConfiguration"] = body["MfaConfiguration"]
            elif wanted["MfaConfiguration"] != "OFF":
                wanted.update(pool_rules.factors_of({**body, **wanted}))
            if "PoolName" in params:
                kept["Name"] = params["PoolName"]
            if "UserPoolTags" in params:
                kept[TAGS] = changed({}, params["UserPoolTags"], code="InvalidParameterException")
            return {**kept, **wanted}

        await self._change(scope, params["UserPoolId"], change)
        return {}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteUserPool."""

        def run(tx: Transaction) -> None:
            tx.locks.scope(scope)
            pool = require_pool(tx, scope, params["UserPoolId"])
            if pool.body["DeletionProtection"] == "ACTIVE":
                raise invalid(
                    "The user pool cannot be deleted because deletion protection is activated."
                    " Deletion protection must be inactivated first."
                )
            if tx.documents.list_of(pool.root, "domain", limit=1):
                raise invalid(
                    "User pool cannot be deleted. It has a domain configured that should be deleted"
                    " first."
                )
            tx.documents.delete_all(pool.root)
            tx.pool_users.delete_pool(pool.id)

        await self._store.transact(run)
        return {}

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListUserPools, by id."""
        after, limit = self._after(params.get("NextToken")), params["MaxResults"]
        found = await self._store.read(
            lambda tx: tx.documents.list_in(SERVICE, scope, POOL, after=after, limit=limit + 1)
        )
        shown = [
            {
                "Id": each.id,
                "Name": each.body["Name"],
                "LambdaConfig": each.body["LambdaConfig"],
                "CreationDate": instant(each.body["created"]),
                "LastModifiedDate": instant(each.body["changed"]),
            }
            for each in found[:limit]
        ]
        return {"UserPools": shown, **self._more(found, limit)}

    async def add_attributes(self, scope: Scope, params: Params) -> Params:
        """AddCustomAttributes."""

        def change(body: Body) -> Body:
            present = body["SchemaAttributes"]
            names = [each["Name"] for each in present]
            added = schema.custom_schema(names, params["CustomAttributes"])
            return {**body, "SchemaAttributes": [*present, *added]}

        await self._change(scope, params["UserPoolId"], change)
        return {}

    async def get_mfa(self, scope: Scope, params: Params) -> Params:
        """GetUserPoolMfaConfig."""
        pool = await self._store.read(lambda tx: require_pool(tx, scope, params["UserPoolId"]))
        return _mfa_of(pool.body)

    async def set_mfa(self, scope: Scope, params: Params) -> Params:
        """SetUserPoolMfaConfig: which second factors a pool offers, and whether users must have
        one."""
        if params.get("WebAuthnConfiguration"):
            raise not_offered("WebAuthnConfiguration: passkeys")
        mode = params.get("MfaConfiguration", "OFF")
        factors = {
            "software_tokens": (params.get("SoftwareTokenMfaConfiguration") or {}).get("Enabled"),
            "sms_factor": params.get("SmsMfaConfiguration"),
            "email_factor": params.get("EmailMfaConfiguration"),
        }
        if mode != "OFF" and not offered(factors):
            raise invalid("Invalid MFA configuration given, can't turn on MFA and disable all MFAs")

        def change(body: Body) -> Body:
            return {**body, "MfaConfiguration": mode, **factors}

        pool = await self._change(scope, params["UserPoolId"], change)
        return _mfa_of(pool.body)

    async def tag(self, scope: Scope, params: Params) -> Params:
        """TagResource, UntagResource."""

        def change(body: Body) -> Body:
            tags = changed(
                body[TAGS],
                params.get("Tags") or {},
                params.get("TagKeys") or (),
                code="InvalidParameterException",
            )
            return {**body, TAGS: tags}

        await self._change(scope, _id_in(scope, params["ResourceArn"]), change)
        return {}

    async def tags(self, scope: Scope, params: Params) -> Params:
        """ListTagsForResource."""
        id = _id_in(scope, params["ResourceArn"])
        pool = await self._store.read(lambda tx: require_pool(tx, scope, id))
        return {"Tags": pool.body[TAGS]}

    async def _change(self, scope: Scope, id: str, change: Callable[[Body], Body]) -> Pool:
        def run(tx: Transaction) -> Pool:
            tx.locks.scope(scope)
            pool = require_pool(tx, scope, id)
            body = {**change(pool.body), "changed": self._clock.now()}
            self._check_factors(Pool(pool.root, body))
            tx.documents.put(pool.root, POOL, pool.id, body)
            return Pool(pool.root, body)

        return await self._store.transact(run)

    def _check_factors(self, pool: Pool) -> None:
        """Raise `InvalidParameterException` unless codes of second factors can be sent."""
        if mode_of(pool.body) == "OFF" or not pool.body.get("sms_factor"):
            return
        try:
            self._messages.check(pool, PHONE)
        except ApiError as error:
            raise invalid(f"SMS_MFA is not possible: {error.message}") from error

    def _after(self, marker: str | None) -> str:
        after: str = read_marker(self._sealer, marker).get("id", "")
        return after

    def _more(self, found: Any, limit: int) -> Params:
        if len(found) <= limit:
            return {}
        return {"NextToken": self._sealer.seal("page", {"id": found[limit - 1].id})}


def read_marker(sealer: Sealer, marker: str | None) -> Mapping[str, Any]:
    """What a marker of a page says; empty without one. Raises `InvalidParameterException` for one
    that was not made here."""
    if not marker:
        return {}
    value = sealer.open("page", marker)
    if value is None:
        raise invalid("Invalid pagination token")
    return value


def _new_id(scope: Scope) -> str:
    return f"{scope.region}_" + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(9))


def _root(scope: Scope, id: str) -> Root:
    return Root(SERVICE, *scope, id)


def _id_in(scope: Scope, text: str) -> str:
    arn = Arn.try_parse(text)
    id = arn.resource.removeprefix("userpool/") if arn is not None else ""
    if arn is None or text != pool_arn(scope, id):
        raise missing(f"The resource {text} does not exist.")
    return id


def _view(pool: Pool, users: int, domain: str | None) -> Params:
    """`UserPool` of DescribeUserPool."""
    body = {name: value for name, value in pool.body.items() if name[0].isupper()}
    return {
        **body,
        "Id": pool.id,
        "Arn": pool.arn,
        "UserPoolTags": pool.body[TAGS],
        "EstimatedNumberOfUsers": users,
        "CreationDate": instant(pool.body["created"]),
        "LastModifiedDate": instant(pool.body["changed"]),
        **({} if domain is None else {"Domain": domain}),
    }


def _mfa_of(body: Body) -> Params:
    sms, mail = body.get("sms_factor"), body.get("email_factor")
    return {
        "MfaConfiguration": body["MfaConfiguration"],
        "SoftwareTokenMfaConfiguration": {"Enabled": bool(body.get("software_tokens"))},
        **({"SmsMfaConfiguration": sms} if sms else {}),
        **({"EmailMfaConfiguration": mail} if mail else {}),
    }
