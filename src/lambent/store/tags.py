"""Tags of all kinds of resources, by ARN."""

from collections.abc import Mapping

import sqlalchemy as sa

from lambent.store.tables import tags as table


class TagRows:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def get(self, arn: str) -> dict[str, str]:
        """The resource's tags, by key."""
        rows = self._connection.execute(
            sa.select(table.c.key, table.c.value).where(table.c.arn == arn).order_by(table.c.key)
        )
        return {row.key: row.value for row in rows}

    def replace(self, arn: str, tags: Mapping[str, str]) -> None:
        """Replace the resource's tags; `tags` is empty when it is deleted."""
        self._connection.execute(sa.delete(table).where(table.c.arn == arn))
        if tags:
            self._connection.execute(
                sa.insert(table),
                [{"arn": arn, "key": name, "value": value} for name, value in tags.items()],
            )
