"""Use cases of policies and of access to origins: five kinds of resources with the same operations.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/Welcome.html
"""

import dataclasses
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lambent.control.cloudfront.common import Params, check_etag, items, moment, page
from lambent.control.cloudfront.policy_checks import (
    check_access_control,
    check_cache_policy,
    check_origin_request_policy,
    check_response_headers_policy,
)
from lambent.kit.clock import Clock
from lambent.model.arn import AccountId, Scope
from lambent.model.cloudfront.managed import MANAGED
from lambent.model.cloudfront.names import (
    ACCESS_CONTROL,
    ACCESS_IDENTITY,
    CACHE_POLICY,
    DISTRIBUTION,
    ORIGIN_REQUEST_POLICY,
    RESPONSE_HEADERS_POLICY,
    SERVICE,
    account_root,
    new_id,
    scope_of,
)
from lambent.model.document import Body
from lambent.model.errors import ApiError
from lambent.store.store import Store, Transaction

_MAX = 100
"""Of each kind in an account."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of resource."""

    name: str
    noun: str
    """What operations, members and errors call it."""
    plural: str
    check: Callable[[Params], None] = lambda _: None
    """Raises `ApiError` for a configuration that is not offered."""
    used_by: Callable[[Body], Iterator[str | None]]
    """The ids that the configuration of a distribution names."""
    is_policy: bool = True
    """Whether there are managed ones, with times and types."""
    path: str = ""
    """In `Location`, if it is not the name of the kind."""

    @property
    def config(self) -> str:
        """The member with the configuration."""
        return f"{self.noun}Config"

    def missing(self) -> ApiError:
        """404."""
        return ApiError(f"NoSuch{self.noun}", f"The {self.name} does not exist.")


def behaviors_of(config: Params) -> Iterator[Mapping[str, Any]]:
    """All cache behaviors of a distribution's configuration, the default one last."""
    yield from items(config.get("CacheBehaviors"))
    yield config["DefaultCacheBehavior"]


def _in_behaviors(member: str) -> Callable[[Body], Iterator[str | None]]:
    return lambda config: (each.get(member) for each in behaviors_of(config))


def _in_origins(config: Body) -> Iterator[str | None]:
    return (origin.get("OriginAccessControlId") for origin in items(config["Origins"]))


def identity_of(origin: Params) -> str | None:
    """The origin access identity that an origin names; None if it names none."""
    path = (origin.get("S3OriginConfig") or {}).get("OriginAccessIdentity")
    return path.rpartition("/")[2] if path else None


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name=CACHE_POLICY,
            noun="CachePolicy",
            plural="CachePolicies",
            check=check_cache_policy,
            used_by=_in_behaviors("CachePolicyId"),
        ),
        Kind(
            name=ORIGIN_REQUEST_POLICY,
            noun="OriginRequestPolicy",
            plural="OriginRequestPolicies",
            check=check_origin_request_policy,
            used_by=_in_behaviors("OriginRequestPolicyId"),
        ),
        Kind(
            name=RESPONSE_HEADERS_POLICY,
            noun="ResponseHeadersPolicy",
            plural="ResponseHeadersPolicies",
            check=check_response_headers_policy,
            used_by=_in_behaviors("ResponseHeadersPolicyId"),
        ),
        Kind(
            name=ACCESS_CONTROL,
            noun="OriginAccessControl",
            plural="OriginAccessControls",
            check=check_access_control,
            used_by=_in_origins,
            is_policy=False,
        ),
        Kind(
            name=ACCESS_IDENTITY,
            noun="CloudFrontOriginAccessIdentity",
            plural="CloudFrontOriginAccessIdentities",
            used_by=lambda config: map(identity_of, items(config["Origins"])),
            is_policy=False,
            path="origin-access-identity/cloudfront",
        ),
    )
}


def find_policy(tx: Transaction, account: AccountId, kind: str, id: str) -> Body | None:
    """The configuration of a policy, own or managed; None if there is none."""
    managed = MANAGED.get(kind, {}).get(id)
    if managed is not None:
        return managed
    found = tx.documents.get(account_root(account), kind, id) if len(id) <= 64 else None
    config: Body | None = None if found is None else found.body["config"]
    return config


class Policies:
    """The use cases of one kind. All raise `ApiError`."""

    def __init__(self, kind: Kind, store: Store, clock: Clock) -> None:
        self._kind = kind
        self._store = store
        self._clock = clock

    async def create(self, scope: Scope, params: Params) -> Params:
        """Create…"""
        kind, config = self._kind, params[self._kind.config]
        kind.check(config)
        id = str(uuid.uuid4()) if kind.is_policy else new_id("E")
        body = {"config": config, "etag": new_id("E"), "modified": self._clock.now()}
        root = account_root(scope.account)

        def run(tx: Transaction) -> str:
            tx.locks.root(root)
            others = tx.documents.list_of(root, kind.name)
            reference = config.get("CallerReference")
            for other in others:
                known = other.body["config"]
                if reference is not None and known["CallerReference"] == reference:
                    if known == config:
                        return other.id
                    raise self._exists()
                if "Name" in config and known["Name"] == config["Name"]:
                    raise self._exists()
            if len(others) >= _MAX:
                raise ApiError(f"TooMany{kind.plural}", f"There can be at most {_MAX}.")
            tx.documents.put(root, kind.name, id, body)
            return id

        id = await self._store.transact(run)
        path = kind.path or kind.name
        view = self._view(scope.account, id, body)
        return {kind.noun: view, "Location": _location(path, id), "ETag": body["etag"]}

    async def get(self, scope: Scope, params: Params) -> Params:
        """Get…"""
        body = await self._store.read(lambda tx: self._require(tx, scope, params["Id"]))
        view = self._view(scope.account, params["Id"], body)
        return {self._kind.noun: view, "ETag": body["etag"]}

    async def get_config(self, scope: Scope, params: Params) -> Params:
        """Get…Config."""
        body = await self._store.read(lambda tx: self._require(tx, scope, params["Id"]))
        return {self._kind.config: body["config"], "ETag": body["etag"]}

    async def update(self, scope: Scope, params: Params) -> Params:
        """Update…"""
        kind, id, config = self._kind, params["Id"], params[self._kind.config]
        kind.check(config)
        body = {"config": config, "etag": new_id("E"), "modified": self._clock.now()}
        root = account_root(scope.account)

        def run(tx: Transaction) -> None:
            tx.locks.root(root)
            before = self._require_own(tx, scope, id)
            check_etag(before, params.get("IfMatch"))
            for other in tx.documents.list_of(root, kind.name):
                known = other.body["config"]
                if other.id != id and "Name" in config and known["Name"] == config["Name"]:
                    raise self._exists()
            if config.get("CallerReference") != before["config"].get("CallerReference"):
                raise ApiError("IllegalUpdate", "The CallerReference cannot be changed.")
            tx.documents.put(root, kind.name, id, body)

        await self._store.transact(run)
        return {kind.noun: self._view(scope.account, id, body), "ETag": body["etag"]}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """Delete…"""
        kind, id, root = self._kind, params["Id"], account_root(scope.account)

        def run(tx: Transaction) -> None:
            tx.locks.root(root)
            check_etag(self._require_own(tx, scope, id), params.get("IfMatch"))
            place = scope_of(scope.account)
            for distribution in tx.documents.list_in(SERVICE, place, DISTRIBUTION):
                if id in kind.used_by(distribution.body["config"]):
                    raise ApiError(
                        f"{kind.noun}InUse",
                        f"The {kind.name} is attached to the distribution {distribution.id}.",
                    )
            tx.documents.delete(root, kind.name, id)

        await self._store.transact(run)
        return {}

    async def list(self, scope: Scope, params: Params) -> Params:
        """List…"""
        kind, wanted = self._kind, params.get("Type")
        root = account_root(scope.account)
        own = await self._store.read(lambda tx: tx.documents.list_of(root, kind.name))
        found = []
        if wanted != "custom":
            for id, config in MANAGED.get(kind.name, {}).items():
                found.append((id, ("managed", _managed(config))))
        if wanted != "managed":
            found += [(each.id, ("custom", each.body)) for each in own]
        shown = [(id, self._listed(scope.account, id, *each)) for id, each in sorted(found)]
        listing = page(shown, params, has_marker=not kind.is_policy)
        return {f"{kind.noun}List": listing}

    def _listed(self, account: AccountId, id: str, type: str, body: Body) -> Params:
        kind = self._kind
        if kind.is_policy:
            return {"Type": type, kind.noun: self._view(account, id, body)}
        config = body["config"]
        if kind.name == ACCESS_IDENTITY:
            return {"Id": id, "S3CanonicalUserId": canonical_id(id), "Comment": config["Comment"]}
        return {"Id": id, "Description": "", **config}

    def _view(self, account: AccountId, id: str, body: Body) -> dict[str, Any]:
        kind = self._kind
        view = {"Id": id, kind.config: body["config"]}
        if kind.is_policy:
            view["LastModifiedTime"] = moment(body["modified"])
        if kind.name == ACCESS_IDENTITY:
            view["S3CanonicalUserId"] = canonical_id(id)
        return view

    def _require(self, tx: Transaction, scope: Scope, id: str) -> Body:
        managed = MANAGED.get(self._kind.name, {}).get(id)
        return self._require_own(tx, scope, id) if managed is None else _managed(managed)

    def _require_own(self, tx: Transaction, scope: Scope, id: str) -> Body:
        if id in MANAGED.get(self._kind.name, {}):
            raise ApiError("IllegalUpdate", "A managed policy cannot be changed or deleted.")
        root = account_root(scope.account)
        found = tx.documents.get(root, self._kind.name, id) if len(id) <= 64 else None
        if found is None:
            raise self._kind.missing()
        return found.body

    def _exists(self) -> ApiError:
        noun = self._kind.noun
        return ApiError(f"{noun}AlreadyExists", f"A {self._kind.name} with this name exists.")


def canonical_id(id: str) -> str:
    """The canonical user of an origin access identity, as it stands in policies of buckets."""
    return uuid.uuid5(uuid.NAMESPACE_OID, id).hex * 2


def _managed(config: Body) -> Body:
    return {"config": config, "etag": "E23ZP02F085DFQ", "modified": 1_577_836_800.0}


def _location(path: str, id: str) -> str:
    return f"https://cloudfront.amazonaws.com/2020-05-31/{path}/{id}"
