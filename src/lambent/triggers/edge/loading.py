"""Reads distributions from the database."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lambent.model.arn import AccountId, Arn
from lambent.model.cloudfront.managed import MANAGED
from lambent.model.cloudfront.names import (
    ACCESS_CONTROL,
    CACHE_POLICY,
    DISTRIBUTION,
    FUNCTION,
    INVALIDATION,
    LIVE,
    ORIGIN_REQUEST_POLICY,
    RESPONSE_HEADERS_POLICY,
    SERVICE,
    account_root,
    domain_name,
)
from lambent.model.document import Body, Document
from lambent.model.function import FunctionKey
from lambent.store.store import Transaction
from lambent.triggers.edge.distribution import (
    Behavior,
    Distribution,
    EdgeFunction,
    EdgeLambda,
    ErrorPage,
    Origin,
    Origins,
)
from lambent.triggers.edge.lifetimes import Ttls
from lambent.triggers.edge.response_headers import ResponseHeaders
from lambent.triggers.edge.selection import Encodings, ForwardRule, KeyRule, PathPattern, Selection

_DAY, _YEAR = 86_400, 31_536_000


class Loaded(NamedTuple):
    """A distribution, and the paths of its invalidations by id."""

    distribution: Distribution
    invalidations: Mapping[str, Sequence[str]]


def load_distribution(tx: Transaction, id: str, domain: str) -> Loaded | None:
    """The distribution with an id; None if there is none."""
    found = tx.documents.find(SERVICE, DISTRIBUTION, id)
    if found is None:
        return None
    invalidations = {
        each.id: _items(each.body["batch"]["Paths"])
        for each in tx.documents.list_of(found.root, INVALIDATION)
    }
    return Loaded(_Loader(tx, found, domain).load(), invalidations)


def load_aliases(tx: Transaction) -> Mapping[str, tuple[str, AccountId]]:
    """The distribution and the account of each alias, in lower case."""
    return {
        alias.lower(): (each.id, each.root.account)
        for each in tx.documents.everywhere(SERVICE, DISTRIBUTION)
        for alias in _items(each.body["config"]["Aliases"])
    }


class _Loader:
    def __init__(self, tx: Transaction, found: Document, domain: str) -> None:
        self._tx = tx
        self._id = found.id
        self._account = found.root.account
        self._config: Body = found.body["config"]
        self._domain = domain
        self._root = account_root(self._account)

    def load(self) -> Distribution:
        config = self._config
        origins = {each["Id"]: self._origin(each) for each in _items(config["Origins"])}
        targets = {id: Origins(origin) for id, origin in origins.items()}
        for group in _items(config["OriginGroups"]):
            first, second = (origins[each["OriginId"]] for each in _items(group["Members"]))
            codes = frozenset(_items(group["FailoverCriteria"]["StatusCodes"]))
            targets[group["Id"]] = Origins(first, second, codes)
        errors = _items(config["CustomErrorResponses"])
        return Distribution(
            id=self._id,
            account=self._account,
            domain=domain_name(self._id, self._domain),
            is_enabled=config["Enabled"],
            root_object=config["DefaultRootObject"],
            behaviors=[
                (PathPattern(each["PathPattern"]), self._behavior(each, targets))
                for each in _items(config["CacheBehaviors"])
            ],
            default=self._behavior(config["DefaultCacheBehavior"], targets),
            error_pages={
                each["ErrorCode"]: ErrorPage(each["ResponsePagePath"], int(each["ResponseCode"]))
                for each in errors
                if each.get("ResponsePagePath")
            },
            error_ttls={
                each["ErrorCode"]: each["ErrorCachingMinTTL"]
                for each in errors
                if "ErrorCachingMinTTL" in each
            },
        )

    def _origin(self, given: Mapping[str, Any]) -> Origin:
        custom, control = given.get("CustomOriginConfig"), given["OriginAccessControlId"]
        found = self._policy(ACCESS_CONTROL, control) if control else None
        identity = (given.get("S3OriginConfig") or {}).get("OriginAccessIdentity") or ""
        of_server: dict[str, Any] = {}
        if custom is not None:
            of_server = {
                "protocol": custom["OriginProtocolPolicy"],
                "http_port": custom["HTTPPort"],
                "https_port": custom["HTTPSPort"],
                "read_s": custom["OriginReadTimeout"],
            }
        return Origin(
            id=given["Id"],
            domain=given["DomainName"].lower().partition(":")[0],
            path=given["OriginPath"],
            headers=tuple(
                (each["HeaderName"], each["HeaderValue"]) for each in _items(given["CustomHeaders"])
            ),
            is_bucket=custom is None,
            attempts=given["ConnectionAttempts"],
            connect_s=given["ConnectionTimeout"],
            signs="never" if found is None else found["SigningBehavior"],
            has_identity=bool(identity),
            identity=identity.rpartition("/")[2],
            **of_server,
        )

    def _behavior(self, given: Mapping[str, Any], targets: Mapping[str, Origins]) -> Behavior:
        methods = given["AllowedMethods"]
        key, forward, ttls = (
            self._legacy(given) if given.get("ForwardedValues") else self._of_policies(given)
        )
        id = given.get("ResponseHeadersPolicyId")
        policy = self._policy(RESPONSE_HEADERS_POLICY, id) if id else None
        forwards_everything = given.get("ForwardedValues") and forward.kind == "allViewer"
        return Behavior(
            origins=targets[given["TargetOriginId"]],
            protocol=given["ViewerProtocolPolicy"],
            allowed=frozenset(_items(methods)),
            cached=frozenset(_items(methods["CachedMethods"])),
            key=key,
            forward=forward,
            is_legacy=bool(given.get("ForwardedValues")),
            ttls=ttls,
            is_cached=not ttls.is_off and not forwards_everything,
            compresses=bool(given["Compress"]),
            headers=None if policy is None else ResponseHeaders(policy),
            lambdas={
                each["EventType"]: _lambda(each)
                for each in _items(given["LambdaFunctionAssociations"])
            },
            functions={
                each["EventType"]: self._function(each["FunctionARN"])
                for each in _items(given["FunctionAssociations"])
            },
        )

    def _of_policies(self, given: Mapping[str, Any]) -> tuple[KeyRule, ForwardRule, Ttls]:
        policy = self._policy(CACHE_POLICY, given["CachePolicyId"])
        low = policy["MinTTL"]
        usual = policy.get("DefaultTTL", max(low, _DAY))
        ttls = Ttls(low, usual, policy.get("MaxTTL", max(usual, _YEAR)))
        keyed = policy.get("ParametersInCacheKeyAndForwardedToOrigin")
        key = KeyRule()
        # Without caching, what is keyed is not forwarded, either: AWS refuses such policies.
        if keyed is not None:
            key = KeyRule(
                headers=tuple(
                    sorted(name.lower() for name in _items(keyed["HeadersConfig"].get("Headers")))
                ),
                cookies=Selection.of(keyed["CookiesConfig"], "CookieBehavior", "Cookies"),
                queries=Selection.of(
                    keyed["QueryStringsConfig"], "QueryStringBehavior", "QueryStrings"
                ),
                encodings=Encodings(
                    keyed["EnableAcceptEncodingGzip"],
                    keyed.get("EnableAcceptEncodingBrotli", False),
                ),
            )
        id = given.get("OriginRequestPolicyId")
        if not id:
            return key, ForwardRule(), ttls
        request = self._policy(ORIGIN_REQUEST_POLICY, id)
        names = _items(request["HeadersConfig"].get("Headers"))
        forward = ForwardRule(
            kind=request["HeadersConfig"]["HeaderBehavior"],
            names=frozenset(name.lower() for name in names),
            cookies=Selection.of(request["CookiesConfig"], "CookieBehavior", "Cookies"),
            queries=Selection.of(
                request["QueryStringsConfig"], "QueryStringBehavior", "QueryStrings"
            ),
        )
        return key, forward, ttls

    @staticmethod
    def _legacy(given: Mapping[str, Any]) -> tuple[KeyRule, ForwardRule, Ttls]:
        values = given["ForwardedValues"]
        low = given.get("MinTTL", 0)
        usual = given.get("DefaultTTL", max(low, _DAY))
        ttls = Ttls(low, usual, given.get("MaxTTL", max(usual, _YEAR)))
        keys = _items(values.get("QueryStringCacheKeys"))
        cookies = values["Cookies"]
        headers = [name.lower() for name in _items(values.get("Headers"))]
        takes_all = "*" in headers
        key = KeyRule(
            headers=() if takes_all else tuple(sorted(headers)),
            cookies=Selection(
                cookies["Forward"], frozenset(_items(cookies.get("WhitelistedNames")))
            ),
            queries=Selection("whitelist", frozenset(keys))
            if keys and values["QueryString"]
            else Selection("all" if values["QueryString"] else "none"),
            encodings=Encodings(gzip=True, brotli=False),
        )
        forward = ForwardRule(
            kind="allViewer" if takes_all else "none",
            queries=Selection("all" if values["QueryString"] else "none"),
        )
        return key, forward, ttls

    def _policy(self, kind: str, id: str) -> Body:
        managed = MANAGED.get(kind, {}).get(id)
        if managed is not None:
            return managed
        found = self._tx.documents.get(self._root, kind, id)
        assert found is not None, "a policy that is in use cannot be deleted"
        config: Body = found.body["config"]
        return config

    def _function(self, arn: str) -> EdgeFunction:
        name = arn.rpartition("/")[2]
        found = self._tx.documents.get(self._root, FUNCTION, name)
        assert found is not None, "a function that is in use cannot be deleted"
        return EdgeFunction(name, found.body["stages"][LIVE]["code"])


def _lambda(association: Mapping[str, Any]) -> EdgeLambda:
    arn = Arn.parse(association["LambdaFunctionARN"])
    _, name, version = arn.resource.split(":")
    key = FunctionKey(arn.account, arn.region, name)
    return EdgeLambda(key, version, bool(association.get("IncludeBody")))


def _items(structure: Mapping[str, Any] | None) -> tuple[Any, ...]:
    return tuple((structure or {}).get("Items") or ())
