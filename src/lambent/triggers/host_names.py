"""Which host names are the platform's own, for programs in boxes and for TLS.

| name | whose |
|---|---|
| `<id>.lambda-url.<region>.<domain>` | function URLs |
| `<id>.execute-api.<region>.<domain>` | APIs |
| `<id>.cloudfront.<domain>` | distributions of CloudFront |
| `<bucket>.s3.<domain>`, `<bucket>.s3.<region>.<domain>` | responses of custom resources |
| `cognito-idp.<region>.<domain>` | the keys and the operations of user pools |
| `<bucket>.s3.…amazonaws.com` | responses of custom resources, in Regions that are used here |
| `cognito-idp.<region>.amazonaws.com` | an account with a user pool here, in its Region |
| `<id>.execute-api.<region>.amazonaws.com` | an API here that has this id: code says it literally |
| a custom domain name, an alias of a distribution | the account that has made it |

Names below the domain are recognised by their form. The others are in memory: what an answer takes
is a look into a dictionary. What changes is read again in the background; a new API is known before
the response to its creation is sent.
"""

import re
from collections.abc import Awaitable, Callable, Iterable

from lambent.kit.backlog import Backlog
from lambent.kit.tls.server_names import Subject
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.changes import Changes
from lambent.model.cloudfront.names import DISTRIBUTION, SERVICE
from lambent.model.custom_resource_hosts import AWS_DOMAIN, PATTERN, hosts_of
from lambent.model.document import Document, Root
from lambent.store.store import Store, Transaction

_API_SERVICES = ("apigateway", "apigatewayv2")
_DOMAIN_SERVICE, _DOMAIN_NAME = "apigateway", "domain_name"
_POOL_SERVICE, _POOL = "cognito-idp", "pool"
_POOLS = re.compile(r"cognito-idp\.([a-z0-9-]{1,32})\.amazonaws\.com")
_LITERAL = re.compile(r"([a-z0-9]{1,64})\.execute-api\.([a-z0-9-]{1,32})\.amazonaws\.com")
_NAME = re.compile(r"(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){1,16}")
_APIS_MAX, _DOMAINS_MAX, _REGIONS_MAX = 100_000, 1_000, 100
"""What is kept in memory; names beyond that do not lead here from boxes."""
_EVERYTHING = Root("", AccountId(""), Region(""), "")


class HostNames:
    """See the module. It is a `ChangeListener`."""

    def __init__(
        self,
        domain: str,
        region: Region,
        store: Store,
        certify: Callable[[frozenset[str]], Awaitable[None]],
    ) -> None:
        """`region` is the platform's own. `certify` is awaited with the names that certificates may
        be needed for, and all below them, when something has changed."""
        self._store = store
        self._certify = certify
        self._domain = domain.lower().strip(".")
        self._region = region
        labels = re.escape(self._domain)
        self._ours = re.compile(
            r"[a-z0-9]{1,64}\.((?:(?:lambda-url|execute-api)\.[a-z0-9-]{1,32}|cloudfront)"
            rf"\.{labels})|{PATTERN}\.{labels}|cognito-idp\.[a-z0-9-]{{1,32}}\.{labels}"
        )
        self._apis: dict[str, Region] = {}
        """The Region of each API, by its id."""
        self._regions: dict[Region, None] = {}
        """The platform's own, and those in which there are APIs."""
        self._buckets: frozenset[str] = frozenset()
        """AWS's host names of the buckets in these."""
        self._look_at_regions()
        self._pools: frozenset[Scope] = frozenset()
        """Where there are user pools."""
        self._domains: dict[str, set[AccountId]] = {}
        """The accounts that have each custom domain name."""
        self._changed = Backlog[Root]()
        self._is_reading = False

    def is_ours(self, name: str, account: str) -> bool:
        """Whether a host name, in lower case, leads to the platform from a box of an account. A
        custom domain name does so for the account that has made it, as Lambent does not verify that
        it is that account's: it must not take away the traffic of others. So does the name of user
        pools, for accounts that have some."""
        if self._ours.fullmatch(name) is not None or self._is_literal(name):
            return True
        if (match := _POOLS.fullmatch(name)) is not None:
            return Scope(AccountId(account), Region(match[1])) in self._pools
        domain = self._domain_of(name)
        return domain is not None and account in self._domains[domain]

    def subject_of(self, name: str) -> Subject | None:
        """The certificate for a host name, in lower case; None if the name is none of ours. All
        function URLs of a Region share one, and so do its APIs."""
        if (match := self._ours.fullmatch(name)) is not None:
            return Subject((f"*.{match[1]}" if match[1] else name,))
        if self._is_api(name):
            return Subject(("*." + name.partition(".")[2],))
        if self._is_bucket(name) or self._is_of_pools(name):
            return Subject((name,))
        domain = self._domain_of(name)
        return Subject((domain,)) if domain is not None else None

    def _is_literal(self, name: str) -> bool:
        """Whether it is a name of AWS's own that leads here."""
        return self._is_api(name) or self._is_bucket(name)

    def _is_bucket(self, name: str) -> bool:
        return name in self._buckets

    def _is_of_pools(self, name: str) -> bool:
        match = _POOLS.fullmatch(name)
        return match is not None and any(scope.region == match[1] for scope in self._pools)

    def _is_api(self, name: str) -> bool:
        match = _LITERAL.fullmatch(name)
        return match is not None and self._apis.get(match[1]) == match[2]

    def _domain_of(self, name: str) -> str | None:
        """The custom domain name that a host name is, or is covered by."""
        for candidate in (name, "*." + name.partition(".")[2]):
            if candidate in self._domains:
                return candidate
        return None

    @property
    def certified(self) -> frozenset[str]:
        """The names that certificates may be needed for, with all names below them: never more of
        `amazonaws.com` than the APIs, the buckets for responses and the user pools of Regions that
        are used here."""
        names = {self._domain, *(domain.removeprefix("*.") for domain in self._domains)}
        for region in self._regions:
            names |= {f"execute-api.{region}.{AWS_DOMAIN}", *hosts_of(region, AWS_DOMAIN)}
        names |= {f"cognito-idp.{scope.region}.{AWS_DOMAIN}" for scope in self._pools}
        return frozenset(names)

    @property
    def is_behind(self) -> bool:
        """Whether something has changed that is not in force yet."""
        return self._is_reading or len(self._changed) > 0

    # -- what is in memory ---------------------------------------------------------------------

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`."""
        for root in changes.documents:
            if root.service in _API_SERVICES:
                if root.id:
                    self._add_api(root.id, root.region)
                self._changed.add(root)
            elif root.service == _POOL_SERVICE:
                if len(self._pools) < _REGIONS_MAX:
                    self._pools |= {root.scope}
                self._changed.add(root)
            elif root.service == SERVICE and root.id:
                self._changed.add(root)
        if changes.is_everything:
            self._changed.add(_EVERYTHING)

    async def follow_changes(self) -> None:
        """Read what has changed, until cancelled."""
        await self._changed.work_off(self._look_at)

    async def _look_at(self, root: Root) -> None:
        self._is_reading = True
        try:
            await self._read(root)
            await self._certify(self.certified)
        finally:
            self._is_reading = False

    async def _read(self, root: Root) -> None:
        read = self._store.read
        if root == _EVERYTHING:
            apis = await read(_all_apis)
            self._apis.clear()
            for api in apis:
                self._add_api(api.id, api.root.region)
            await self._read_pools()
        elif root.service == _POOL_SERVICE:
            if await read(lambda tx: tx.documents.get(root, _POOL, root.id)) is None:
                await self._read_pools()
            return
        elif root.service == SERVICE:
            pass  # Aliases are read below.
        elif root.id and await read(lambda tx: tx.documents.get(root, "api", root.id)) is None:
            self._apis.pop(root.id, None)
        self._look_at_regions()
        if not root.id or root.service == SERVICE:
            self._take_domains(await read(_all_names))

    async def _read_pools(self) -> None:
        found = await self._store.read(lambda tx: tx.documents.everywhere(_POOL_SERVICE, _POOL))
        scopes = sorted({pool.root.scope for pool in found})
        self._pools = frozenset(scopes[:_REGIONS_MAX])

    def _add_api(self, id: str, region: Region) -> None:
        if len(self._apis) < _APIS_MAX:
            self._apis[id] = region
            if region not in self._regions:
                self._look_at_regions()

    def _look_at_regions(self) -> None:
        regions = list(dict.fromkeys([self._region, *self._apis.values()]))[:_REGIONS_MAX]
        self._regions = dict.fromkeys(regions)
        self._buckets = frozenset(
            host for region in regions for host in hosts_of(region, AWS_DOMAIN)
        )

    def _take_domains(self, found: Iterable[tuple[str, AccountId]]) -> None:
        domains: dict[str, set[AccountId]] = {}
        for name, account in found:
            if _NAME.fullmatch(name) is not None and (
                name in domains or len(domains) < _DOMAINS_MAX
            ):
                domains.setdefault(name, set()).add(account)
        self._domains = domains


def _all_apis(tx: Transaction) -> list[Document]:
    found: list[Document] = []
    for service in _API_SERVICES:
        found += tx.documents.everywhere(service, "api")
    return found


def _all_names(tx: Transaction) -> list[tuple[str, AccountId]]:
    """Custom domain names and aliases, in lower case, and whose they are."""
    found = [
        (document.id.lower(), document.root.account)
        for document in tx.documents.everywhere(_DOMAIN_SERVICE, _DOMAIN_NAME)
    ]
    for document in tx.documents.everywhere(SERVICE, DISTRIBUTION):
        aliases = document.body["config"]["Aliases"].get("Items") or ()
        found += [(alias.lower(), document.root.account) for alias in aliases]
    return found
