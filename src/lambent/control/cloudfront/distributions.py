"""Use cases of distributions and of their tags.

A change is in force when its response is sent; `Status` is `InProgress` in that response, as in
AWS, and `Deployed` afterwards.
https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_Operations.html
"""

from collections.abc import Callable, Sequence
from typing import Any

from lambent.control import plain_tags
from lambent.control.cloudfront.common import (
    Params,
    check_etag,
    invalid,
    items,
    listed,
    moment,
    page,
)
from lambent.control.cloudfront.distribution_checks import check_distribution, complete
from lambent.kit.clock import Clock
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.cloudfront.names import (
    DISTRIBUTION,
    FUNCTION,
    ID,
    SERVICE,
    account_root,
    arn_of,
    distribution_root,
    domain_name,
    new_id,
    parse_cloudfront_arn,
    scope_of,
)
from lambent.model.document import Body, Document
from lambent.model.errors import ApiError
from lambent.model.policy import ResourcePolicy
from lambent.store.store import Store, Transaction

_MAX = 500
_EVERY_ACCOUNT = AccountId("*")
_SUMMARY = (
    *("Aliases", "Origins", "OriginGroups", "DefaultCacheBehavior", "CacheBehaviors"),
    *("CustomErrorResponses", "Comment", "PriceClass", "Enabled", "ViewerCertificate"),
    *("Restrictions", "WebACLId", "HttpVersion", "IsIPV6Enabled", "Staging"),
)


class Distributions:
    """See the module. All use cases raise `ApiError`."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        domain: str,
        reserved: Sequence[str],
        is_strict: bool,
    ) -> None:
        """Distributions get host names in `domain`. No alias is one of the `reserved` names."""
        self._store = store
        self._clock = clock
        self._domain = domain
        self._reserved = frozenset(name.lower().strip(".") for name in reserved)
        self._is_strict = is_strict

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateDistribution."""
        return await self._create(scope, params["DistributionConfig"], {})

    async def create_with_tags(self, scope: Scope, params: Params) -> Params:
        """CreateDistributionWithTags."""
        given = params["DistributionConfigWithTags"]
        tags = plain_tags.from_list(items(given["Tags"]))
        return await self._create(
            scope, given["DistributionConfig"], plain_tags.changed({}, tags, code="InvalidTagging")
        )

    async def _create(self, scope: Scope, given: Params, tags: Params) -> Params:
        config, account = complete(given), scope.account
        id = new_id("E")
        body = {
            "config": config,
            "etag": new_id("E"),
            "modified": self._clock.now(),
            plain_tags.TAGS: tags,
        }

        def run(tx: Transaction) -> Document:
            self._lock(tx, account)
            others = tx.documents.list_in(SERVICE, scope_of(account), DISTRIBUTION)
            for other in others:
                known = other.body["config"]
                if known["CallerReference"] == config["CallerReference"]:
                    if known == config:
                        return other
                    raise ApiError(
                        "DistributionAlreadyExists",
                        "The caller reference that you are using to create a distribution is"
                        " associated with another distribution. Already exists:"
                        f" {other.id}",
                    )
            if len(others) >= _MAX:
                raise ApiError("TooManyDistributions", f"There can be at most {_MAX}.")
            self._check(tx, account, config, id)
            return tx.documents.put(distribution_root(account, id), DISTRIBUTION, id, body)

        made = await self._store.transact(run)
        return {
            "Distribution": self._view(made, "InProgress"),
            "Location": f"https://cloudfront.amazonaws.com/2020-05-31/distribution/{made.id}",
            "ETag": made.body["etag"],
        }

    async def get(self, scope: Scope, params: Params) -> Params:
        """GetDistribution."""
        found = await self._find(scope, params["Id"])
        return {"Distribution": self._view(found), "ETag": found.body["etag"]}

    async def get_config(self, scope: Scope, params: Params) -> Params:
        """GetDistributionConfig."""
        found = await self._find(scope, params["Id"])
        return {"DistributionConfig": found.body["config"], "ETag": found.body["etag"]}

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateDistribution."""
        config, now = complete(params["DistributionConfig"]), self._clock.now()

        def run(tx: Transaction) -> Document:
            self._lock(tx, scope.account)
            before = require_distribution(tx, scope.account, params["Id"])
            check_etag(before.body, params.get("IfMatch"))
            if config["CallerReference"] != before.body["config"]["CallerReference"]:
                raise ApiError("IllegalUpdate", "The CallerReference cannot be changed.")
            self._check(tx, scope.account, config, before.id)
            body = {**before.body, "config": config, "etag": new_id("E"), "modified": now}
            return tx.documents.put(before.root, DISTRIBUTION, before.id, body)

        made = await self._store.transact(run)
        return {"Distribution": self._view(made, "InProgress"), "ETag": made.body["etag"]}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteDistribution: of one that is disabled."""

        def run(tx: Transaction) -> None:
            self._lock(tx, scope.account)
            found = require_distribution(tx, scope.account, params["Id"])
            check_etag(found.body, params.get("IfMatch"))
            if found.body["config"]["Enabled"]:
                raise ApiError(
                    "DistributionNotDisabled",
                    "The distribution you are trying to delete has not been disabled.",
                )
            tx.documents.delete_all(found.root)

        await self._store.transact(run)
        return {}

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListDistributions."""
        place = scope_of(scope.account)
        found = await self._store.read(
            lambda tx: tx.documents.list_in(SERVICE, place, DISTRIBUTION)
        )
        shown = [(each.id, self._summary(each)) for each in found]
        return {"DistributionList": page(shown, params)}

    # -- tags ----------------------------------------------------------------------------------

    async def list_tags(self, scope: Scope, params: Params) -> Params:
        """ListTagsForResource."""
        found = await self._store.read(lambda tx: _tagged(tx, scope, params["Resource"]))
        tags = plain_tags.to_list(found.body.get(plain_tags.TAGS, {}))
        return {"Tags": {"Items": tags}}

    async def tag(self, scope: Scope, params: Params) -> Params:
        """TagResource."""
        added = plain_tags.from_list(items(params["Tags"]))
        return await self._retag(
            scope,
            params["Resource"],
            lambda tags: plain_tags.changed(tags, added, code="InvalidTagging"),
        )

    async def untag(self, scope: Scope, params: Params) -> Params:
        """UntagResource."""
        keys = items(params["TagKeys"])
        return await self._retag(
            scope, params["Resource"], lambda tags: plain_tags.changed(tags, {}, keys)
        )

    async def _retag(self, scope: Scope, arn: str, change: Callable[[Params], Params]) -> Params:
        def run(tx: Transaction) -> None:
            self._lock(tx, scope.account)
            found = _tagged(tx, scope, arn)
            body = {**found.body, plain_tags.TAGS: change(found.body.get(plain_tags.TAGS, {}))}
            tx.documents.put(found.root, found.kind, found.id, body)

        await self._store.transact(run)
        return {}

    # -- parts ---------------------------------------------------------------------------------

    def _lock(self, tx: Transaction, account: AccountId) -> None:
        """Aliases are unique across accounts, and policies must not go meanwhile."""
        tx.locks.account(_EVERY_ACCOUNT, Region(SERVICE))
        tx.locks.root(account_root(account))

    def _check(self, tx: Transaction, account: AccountId, config: Params, id: str) -> None:
        check_distribution(tx, account, config, self._domain, is_strict=self._is_strict)
        wanted = {alias.lower() for alias in items(config["Aliases"])}
        if not wanted:
            return
        if wanted & self._reserved:
            raise invalid("An alias is the name of this platform.")
        for other in tx.documents.everywhere(SERVICE, DISTRIBUTION):
            taken = {alias.lower() for alias in items(other.body["config"]["Aliases"])}
            if other.id != id and wanted & taken:
                raise ApiError(
                    "CNAMEAlreadyExists",
                    "One or more of the CNAMEs you provided are already associated with a"
                    " different resource.",
                )

    async def _find(self, scope: Scope, id: str) -> Document:
        return await self._store.read(lambda tx: require_distribution(tx, scope.account, id))

    def _view(self, found: Document, status: str = "Deployed") -> dict[str, Any]:
        """`Distribution` of the API."""
        account = found.root.account
        return {
            "Id": found.id,
            "ARN": arn_of(account, DISTRIBUTION, found.id),
            "Status": status,
            "LastModifiedTime": moment(found.body["modified"]),
            "InProgressInvalidationBatches": 0,
            "DomainName": domain_name(found.id, self._domain),
            "ActiveTrustedSigners": {"Enabled": False, "Quantity": 0},
            "ActiveTrustedKeyGroups": {"Enabled": False, "Quantity": 0},
            "DistributionConfig": found.body["config"],
        }

    def _summary(self, found: Document) -> dict[str, Any]:
        view = self._view(found)
        config = found.body["config"]
        shown = ("Id", "ARN", "Status", "LastModifiedTime", "DomainName")
        return {
            **{name: view[name] for name in shown},
            "ETag": found.body["etag"],
            **{name: config.get(name, listed(())) for name in _SUMMARY},
        }


def require_distribution(tx: Transaction, account: AccountId, id: str) -> Document:
    """A distribution of an account. Raises `NoSuchDistribution`."""
    found = None
    if ID.fullmatch(id):
        found = tx.documents.get(distribution_root(account, id), DISTRIBUTION, id)
    if found is None:
        raise ApiError("NoSuchDistribution", "The specified distribution does not exist.")
    return found


def _tagged(tx: Transaction, scope: Scope, arn: str) -> Document:
    named = parse_cloudfront_arn(arn)
    if named is not None and named[0] == scope.account:
        found = _document(tx, *named)
        if found is not None:
            return found
    raise ApiError("NoSuchResource", f"The resource {arn[:256]} does not exist.")


def _document(tx: Transaction, account: AccountId, kind: str, id: str) -> Document | None:
    if kind == DISTRIBUTION and ID.fullmatch(id):
        return tx.documents.get(distribution_root(account, id), kind, id)
    if kind == FUNCTION and len(id) <= 64:
        return tx.documents.get(account_root(account), kind, id)
    return None


def policy_of(tx: Transaction, arn: str) -> ResourcePolicy | None:
    """The tags of a resource, as authorization reads them; None for other ARNs."""
    named = parse_cloudfront_arn(arn)
    if named is None:
        return None
    found = _document(tx, *named)
    body: Body = {} if found is None else found.body
    return ResourcePolicy(tags=body.get(plain_tags.TAGS, {}))
