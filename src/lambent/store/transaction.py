"""The tables within one transaction, and reads that combine them."""

import dataclasses
from collections.abc import Mapping

import sqlalchemy as sa

from lambent.model.alias import Route
from lambent.model.arn import Scope
from lambent.model.changes import Changes
from lambent.model.concurrency import Claim, Reservation
from lambent.model.function import FunctionKey
from lambent.store.aliases import AliasRows
from lambent.store.async_events import AsyncEvents
from lambent.store.changes import ChangeRows, Touched
from lambent.store.code_signing import CodeSigningConfigs
from lambent.store.deliveries import DeliveryRows
from lambent.store.documents import DocumentRows
from lambent.store.event_deliveries import EventDeliveryRows
from lambent.store.function_settings import FunctionSettings, Kind
from lambent.store.functions import FunctionRows
from lambent.store.identities import IdentityRows
from lambent.store.layers import LayerRows
from lambent.store.lex_sessions import LexSessionRows
from lambent.store.locks import Locks
from lambent.store.mappings import MappingRows
from lambent.store.nodes import NodeRows
from lambent.store.objects import ObjectRows
from lambent.store.pool_users import PoolUserRows
from lambent.store.positions import Positions
from lambent.store.shares import ShareRows
from lambent.store.tags import TagRows
from lambent.store.ticks import TickRows
from lambent.store.unused_packages import UnusedPackages
from lambent.store.usage import UsageRows


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """The tables, within one transaction."""

    functions: FunctionRows
    aliases: AliasRows
    settings: FunctionSettings
    layers: LayerRows
    code_signing: CodeSigningConfigs
    tags: TagRows
    identities: IdentityRows
    mappings: MappingRows
    positions: Positions
    documents: DocumentRows
    usage: UsageRows
    objects: ObjectRows
    pool_users: PoolUserRows
    lex_sessions: LexSessionRows
    async_events: AsyncEvents
    deliveries: DeliveryRows
    event_deliveries: EventDeliveryRows
    ticks: TickRows
    unused_packages: UnusedPackages
    nodes: NodeRows
    shares: ShareRows
    changes: ChangeRows
    locks: Locks

    def code_keys(self) -> set[str]:
        """The blobs that any version of a function or layer, or any object in a bucket, refers
        to."""
        return self.functions.code_keys() | self.layers.code_keys() | self.objects.code_keys()

    def is_code_used(self, code_key: str) -> bool:
        """Whether any function, layer or object refers to this blob."""
        return any(
            rows.is_code_used(code_key) for rows in (self.functions, self.layers, self.objects)
        )

    def code_size_total(self, scope: Scope) -> int:
        """Bytes of all packages in one account and region; each version counts its full copy."""
        return self.functions.code_size_total(scope) + self.layers.code_size_total(scope)

    def route(self, key: FunctionKey, qualifier: str) -> Route | None:
        """The version, or the two versions, that an invocation runs; None if there is none."""
        recursion = self.settings.get(Kind.RECURSION, key) or {}
        may_loop = recursion.get("RecursiveLoop") == "Allow"
        version = self.functions.serving(key, qualifier)
        if version is not None:
            return Route(version, may_loop=may_loop)
        alias = self.aliases.get(key, qualifier)
        if alias is None:
            return None
        version = self.functions.serving(key, alias.version)
        if version is None:
            return None
        for number, share in alias.weights.items():
            other = self.functions.serving(key, number)
            return Route(version, other, share, may_loop=may_loop)
        return Route(version, may_loop=may_loop)

    def reservation(self, key: FunctionKey) -> Reservation:
        """The concurrency that is reserved for a function."""
        reserved = self.settings.get(Kind.CONCURRENCY, key)
        claims = []
        for setting in self.settings.list_of(Kind.PROVISIONED_CONCURRENCY, key):
            route = self.route(key, setting.qualifier)
            if route is not None:
                wanted: int = setting.document["ProvisionedConcurrentExecutions"]
                claims.append(Claim(setting.qualifier, route.split(wanted)))
        return Reservation(
            None if reserved is None else reserved["ReservedConcurrentExecutions"], tuple(claims)
        )

    def reservations(self) -> Mapping[FunctionKey, Reservation]:
        """The reservations of all functions that have one."""
        kinds = (Kind.CONCURRENCY, Kind.PROVISIONED_CONCURRENCY)
        keys = {row.key for kind in kinds for row in self.settings.list_everywhere(kind)}
        return {key: self.reservation(key) for key in keys}

    def describe(self, touched: Touched | None) -> Changes:
        """What listeners are sent about the changes; None stands for everything."""
        if touched is None:
            return Changes(
                functions=self.reservations(),
                mappings={mapping.uuid for mapping in self.mappings.everywhere()},
                directory=self.identities.directory(),
                is_everything=True,
            )
        return Changes(
            functions={key: self.reservation(key) for key in touched.functions},
            mappings=frozenset(touched.mappings),
            directory=self.identities.directory() if touched.identities else None,
            documents=frozenset(touched.documents),
        )


def tables_of(connection: sa.Connection, touched: Touched) -> Transaction:
    """The tables. Writes through them are recorded in `touched`."""
    return Transaction(
        functions=FunctionRows(connection, touched.functions),
        aliases=AliasRows(connection, touched.functions),
        settings=FunctionSettings(connection, touched.functions),
        layers=LayerRows(connection),
        code_signing=CodeSigningConfigs(connection),
        tags=TagRows(connection),
        identities=IdentityRows(connection, touched.identities),
        mappings=MappingRows(connection, touched.mappings),
        positions=Positions(connection),
        documents=DocumentRows(connection, touched.documents),
        usage=UsageRows(connection),
        objects=ObjectRows(connection),
        pool_users=PoolUserRows(connection),
        lex_sessions=LexSessionRows(connection),
        async_events=AsyncEvents(connection),
        deliveries=DeliveryRows(connection),
        event_deliveries=EventDeliveryRows(connection),
        ticks=TickRows(connection),
        unused_packages=UnusedPackages(connection),
        nodes=NodeRows(connection, touched.mappings),
        shares=ShareRows(connection),
        changes=ChangeRows(connection),
        locks=Locks(connection),
    )
