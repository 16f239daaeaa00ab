"""How many requests API keys made, by usage plan and day."""

import datetime
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from lambent.model.arn import AccountId, Region, Scope
from lambent.model.usage import UsageId
from lambent.store.tables import api_usage

Counts = Mapping[tuple[UsageId, datetime.date], int]
_columns = api_usage.c
_KEY = tuple(_columns[name] for name in ("account", "region", "usage_plan", "api_key", "day"))


class UsageRows:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, counts: Counts) -> Counts:
        """Add to what is counted; returns the sums, which contain what other platforms counted."""
        # Always in the same order, so that two platforms do not wait for each other.
        rows = [
            {
                "account": id.scope.account,
                "region": id.scope.region,
                "usage_plan": id.plan,
                "api_key": id.key,
                "day": day,
                "requests": count,
            }
            for (id, day), count in sorted(counts.items())
        ]
        if not rows:
            return {}
        is_sqlite = self._connection.dialect.name == "sqlite"
        adding: Any = (sqlite if is_sqlite else postgresql).insert(api_usage)
        total = _columns.requests + adding.excluded.requests
        adding = adding.on_conflict_do_update(index_elements=_KEY, set_={"requests": total})
        found = self._connection.execute(adding.returning(api_usage), rows)
        return {(_id(row), row.day): row.requests for row in found}

    def of_key(self, id: UsageId, since: datetime.date) -> Mapping[datetime.date, int]:
        """The requests of a key from a day on."""
        rows = self._connection.execute(
            sa.select(api_usage).where(
                *_is_of(id.scope, id.plan), _columns.api_key == id.key, _columns.day >= since
            )
        )
        return {row.day: row.requests for row in rows}

    def of_plan(
        self, scope: Scope, plan: str, since: datetime.date
    ) -> Mapping[str, dict[datetime.date, int]]:
        """The requests of each key of a plan from a day on. Keys without any are not there."""
        rows = self._connection.execute(
            sa.select(api_usage).where(*_is_of(scope, plan), _columns.day >= since)
        )
        found: dict[str, dict[datetime.date, int]] = {}
        for row in rows:
            found.setdefault(row.api_key, {})[row.day] = row.requests
        return found

    def forget(self, before: datetime.date) -> None:
        """Delete what was counted before a day."""
        self._connection.execute(sa.delete(api_usage).where(_columns.day < before))


def _is_of(scope: Scope, plan: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _columns.account == scope.account,
        _columns.region == scope.region,
        _columns.usage_plan == plan,
    )


def _id(row: sa.Row[Any]) -> UsageId:
    return UsageId(Scope(AccountId(row.account), Region(row.region)), row.usage_plan, row.api_key)
