"""The change feed: a row for each thing that a transaction changed, written by that transaction.

Numbers are assigned at the end of the transaction, under a lock on the single row of `platform`
that lasts until the commit. So they have no gaps and follow the order of the commits: a reader that
has seen number n has seen everything up to n. Only transactions that change something listeners
keep in memory take a number; queues and positions do not.
"""

import dataclasses
import enum
from collections.abc import Iterable

import sqlalchemy as sa

from lambent.model.arn import AccountId, Region
from lambent.model.document import Root
from lambent.model.function import FunctionKey
from lambent.store.tables import changes, platform

CHANNEL = "lambent_changes"
"""PostgreSQL's notification channel: signalled at each commit that changed something."""
KEPT = 10_000
"""Changes that stay in the table. A reader that is further behind discards everything it knows."""


class Kind(enum.StrEnum):
    """The subject of a change. The values are in the database."""

    FUNCTION = "function"
    MAPPING = "mapping"
    IDENTITY = "identity"
    DOCUMENT = "document"


@dataclasses.dataclass(slots=True)
class Touched:
    """What a transaction has changed so far; its writers add to it."""

    functions: set[FunctionKey] = dataclasses.field(default_factory=set)
    mappings: set[str] = dataclasses.field(default_factory=set)
    identities: set[str] = dataclasses.field(default_factory=set)
    """Users and roles by account, kind and name; keys by id."""
    documents: set[Root] = dataclasses.field(default_factory=set)
    """The roots of documents."""

    def __bool__(self) -> bool:
        return bool(self.functions or self.mappings or self.identities or self.documents)

    def rows(self) -> Iterable[tuple[Kind, str]]:
        """As stored in the table."""
        for key in self.functions:
            yield Kind.FUNCTION, ":".join(key)
        for uuid in self.mappings:
            yield Kind.MAPPING, uuid
        for which in self.identities:
            yield Kind.IDENTITY, which
        for root in self.documents:
            yield Kind.DOCUMENT, ":".join(root)

    def add(self, kind: Kind, key: str) -> None:
        """Add the content of a row."""
        if kind is Kind.FUNCTION:
            account, region, name = key.split(":")
            self.functions.add(FunctionKey(AccountId(account), Region(region), name))
        elif kind is Kind.MAPPING:
            self.mappings.add(key)
        elif kind is Kind.DOCUMENT:
            service, account, region, id = key.split(":", 3)
            self.documents.add(Root(service, AccountId(account), Region(region), id))
        else:
            self.identities.add(key)


class ChangeRows:
    """The table, in one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def last(self) -> int:
        """The number of the last change."""
        number: int = self._connection.execute(sa.select(platform.c.last_change)).scalar_one()
        return number

    def write(self, touched: Touched, *, rings: bool) -> tuple[int, int]:
        """Write down what the transaction changed, as its last step before the commit. `rings` says
        whether to notify other platforms. Returns the first and the last number."""
        rows = list(touched.rows())
        self._connection.execute(
            sa.update(platform).values(last_change=platform.c.last_change + len(rows))
        )
        last = self.last()
        first = last - len(rows) + 1
        self._connection.execute(
            sa.insert(changes),
            [
                {"seq": number, "kind": kind.value, "key": key}
                for number, (kind, key) in enumerate(rows, first)
            ],
        )
        self._connection.execute(sa.delete(changes).where(changes.c.seq <= last - KEPT))
        if rings and self._connection.dialect.name == "postgresql":
            self._connection.exec_driver_sql(f"NOTIFY {CHANNEL}")
        return first, last

    def read(self, after: int) -> tuple[int, Touched | None]:
        """The highest number, and what changed after the number `after`; None in place of the
        changes if the table no longer has all of them."""
        last = self.last()
        touched = Touched()
        if last == after:
            return last, touched
        found = self._connection.execute(
            sa.select(changes).where(changes.c.seq > after, changes.c.seq <= last)
        ).all()
        if last < after or len(found) < last - after:
            return last, None
        for row in found:
            touched.add(Kind(row.kind), row.key)
        return last, touched
