"""All APIs and custom domain names, in memory as far as they are used.

An API is read when a request first asks for it, and dropped when one of its documents changes. The
result of a read that was under way at that moment is not kept: it may be outdated. That there is no
API with an id is kept, too. Custom domain names are few: all of them are read together.
"""

import enum
from collections.abc import Sequence
from typing import Literal

from lambent.model.changes import Changes
from lambent.store.store import Store
from lambent.triggers.apis.api import Api, DomainMapping
from lambent.triggers.apis.kinds import ApiKind, ServedStage
from lambent.triggers.apis.loading import Domains, load_api, load_domains

_APIS_MAX = 1024
_MISSING_MAX = 8192


class Unread(enum.Enum):
    """What is not in memory: await the method without `_nowait`."""

    UNREAD = enum.auto()


UNREAD: Literal[Unread.UNREAD] = Unread.UNREAD


class ServedApi:
    """An API, and its stages as they run: each is compiled when it is first used."""

    def __init__(self, api: Api, kind: ApiKind) -> None:
        self.api = api
        self.kind = kind
        self._served: dict[str, ServedStage] = {}

    def stage(self, name: str) -> ServedStage | None:
        """What serves a stage; None if there is no such stage, or nothing is deployed to it."""
        served = self._served.get(name)
        if served is None:
            stage = self.api.stages.get(name)
            if stage is None:
                return None
            served = self._served[name] = self.kind.compile(stage)
        return served


class ApiDirectory:
    """See the module."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kinds: dict[str, ApiKind] = {}
        self._apis: dict[str, ServedApi] = {}
        self._missing: set[str] = set()
        """Ids that no API has."""
        self._domains: Domains | None = None
        """None if they have to be read again."""
        self._changes = 0

    def add_kind(self, name: str, kind: ApiKind) -> None:
        """Have `kind` serve the APIs of a kind: `HTTP`, `REST` or `WEBSOCKET`."""
        self._kinds[name] = kind

    # -- APIs ----------------------------------------------------------------------------------

    def get_nowait(self, api_id: str) -> ServedApi | Literal[Unread.UNREAD] | None:
        """The API with this id, None if there is none, as far as it is in memory."""
        api = self._apis.get(api_id)
        if api is not None:
            return api
        return None if api_id in self._missing else UNREAD

    async def get(self, api_id: str) -> ServedApi | None:
        """The API with this id; None if there is none, or its kind is not served."""
        known = self.get_nowait(api_id)
        if not isinstance(known, Unread):
            return known
        changes = self._changes
        api = await self._store.read(lambda tx: load_api(tx, api_id))
        kind = self._kinds.get(api.kind) if api is not None else None
        served = None if api is None or kind is None else ServedApi(api, kind)
        if changes == self._changes:
            self._keep(api_id, served)
        return served

    def _keep(self, api_id: str, served: ServedApi | None) -> None:
        if served is None:
            if len(self._missing) >= _MISSING_MAX:
                self._missing.clear()
            self._missing.add(api_id)
            return
        if len(self._apis) >= _APIS_MAX:
            del self._apis[next(iter(self._apis))]
        self._apis[api_id] = served

    # -- custom domain names -------------------------------------------------------------------

    def domains_nowait(self) -> Domains | None:
        """All custom domain names, in lower case; None if they are not in memory."""
        return self._domains

    async def domains(self) -> Domains:
        """All custom domain names, in lower case."""
        while (domains := self._domains) is None:
            changes = self._changes
            found = await self._store.read(load_domains)
            if changes == self._changes:
                self._domains = found
        return domains

    # -- changes -------------------------------------------------------------------------------

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`."""
        if changes.is_everything:
            self._changes += 1
            self._apis.clear()
            self._missing.clear()
            self._domains = None
        for root in changes.documents:
            if root.service not in ("apigateway", "apigatewayv2"):
                continue
            self._changes += 1
            if root.id:
                self._apis.pop(root.id, None)
                self._missing.discard(root.id)
            else:
                self._domains = None


def mappings_of(domains: Domains, host: str) -> Sequence[DomainMapping] | None:
    """The mappings of a host name without port, in lower case, or of the wildcard above it; None if
    it is no custom domain name."""
    mappings = domains.get(host)
    return domains.get(f"*.{host.partition('.')[2]}") if mappings is None else mappings


def find_mapping(mappings: Sequence[DomainMapping], path: str) -> DomainMapping | None:
    """The mapping whose base path is the longest that `path` begins with; None if there is none."""
    for mapping in mappings:
        key = mapping.key
        if not key or path == f"/{key}" or path.startswith(f"/{key}/"):
            return mapping
    return None
