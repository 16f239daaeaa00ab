"""Layers and their versions in the database."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from lambent.model.arn import Scope
from lambent.model.layer import LayerKey, LayerVersion
from lambent.store.tables import function_versions, layer_versions, layers

_versions = layer_versions.c
_COLUMNS = {"key", "number", "code_key", "code_size"}


class LayerRows:
    """Reads and writes of one transaction. Every method blocks; see `Store.transact`."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def get(
        self, key: LayerKey, number: int, *, include_deleted: bool = False, keeps: bool = False
    ) -> LayerVersion | None:
        """One version, or None if there is none. Functions that use a version may keep it after it
        is deleted. `keeps` says that the transaction is about to refer to it: then it cannot be
        deleted in the meantime."""
        where = _is(key, number)
        if not include_deleted:
            where = sa.and_(where, _versions.is_deleted.is_(False))
        query = sa.select(layer_versions).where(where)
        if keeps:
            query = query.with_for_update(read=True, key_share=True)
        row = self._connection.execute(query).first()
        return None if row is None else _to_version(row)

    def list_versions(self, key: LayerKey, *, below: int | None = None) -> list[LayerVersion]:
        """The layer's versions with numbers below `below`, the newest first."""
        where = sa.and_(_belongs_to(key), _versions.is_deleted.is_(False))
        if below is not None:
            where = sa.and_(where, _versions.number < below)
        rows = self._connection.execute(
            sa.select(layer_versions).where(where).order_by(_versions.number.desc())
        )
        return [_to_version(row) for row in rows]

    def list_in(self, scope: Scope, *, after: str = "") -> list[LayerVersion]:
        """All versions of all layers whose names sort after `after`: by name, the newest first."""
        rows = self._connection.execute(
            sa.select(layer_versions)
            .where(
                _versions.account == scope.account,
                _versions.region == scope.region,
                _versions.name > after,
                _versions.is_deleted.is_(False),
            )
            .order_by(_versions.name, _versions.number.desc())
        )
        return [_to_version(row) for row in rows]

    def take_version_number(self, key: LayerKey) -> int:
        """The next version number, which is never assigned again; creates the layer if
        necessary."""
        is_layer = sa.and_(
            layers.c.account == key.account,
            layers.c.region == key.region,
            layers.c.name == key.name,
        )
        number: int | None = self._connection.execute(
            sa.select(layers.c.next_version).where(is_layer)
        ).scalar()
        if number is None:
            self._connection.execute(sa.insert(layers).values(**key._asdict(), next_version=2))
            return 1
        self._connection.execute(sa.update(layers).where(is_layer).values(next_version=number + 1))
        return number

    def add(self, version: LayerVersion) -> None:
        """Add a version with the number from `next_number`."""
        document = {
            name: value
            for name, value in dataclasses.asdict(version).items()
            if name not in _COLUMNS
        }
        self._connection.execute(
            sa.insert(layer_versions).values(
                **version.key._asdict(),
                number=version.number,
                code_key=version.code_key,
                code_size=version.code_size,
                is_deleted=False,
                document=document,
            )
        )

    def delete(self, key: LayerKey, number: int) -> None:
        """Delete a version for all but the functions that use it; see `forget_unused`."""
        self._connection.execute(
            sa.update(layer_versions).where(_is(key, number)).values(is_deleted=True, policy=None)
        )

    def forget_unused(self) -> set[str]:
        """Delete the deleted versions that no function uses any more; returns the packages they
        referred to."""
        forgotten = set[str]()
        deleted = self._connection.execute(
            sa.select(layer_versions)
            .where(_versions.is_deleted.is_(True))
            .with_for_update(skip_locked=True)
        )
        for version in [_to_version(row) for row in deleted]:
            if not self._is_used(version.arn):
                self._connection.execute(
                    sa.delete(layer_versions).where(_is(version.key, version.number))
                )
                forgotten.add(version.code_key)
        return forgotten

    def policy(self, key: LayerKey, number: int) -> Mapping[str, Any] | None:
        """The version's policy, which says who else may use it; None if there is none."""
        policy: Mapping[str, Any] | None = self._connection.execute(
            sa.select(_versions.policy).where(_is(key, number))
        ).scalar()
        return policy

    def set_policy(self, key: LayerKey, number: int, policy: Mapping[str, Any] | None) -> None:
        """Replace a version's policy."""
        self._connection.execute(
            sa.update(layer_versions).where(_is(key, number)).values(policy=policy)
        )

    def code_keys(self) -> set[str]:
        """Every package any version refers to."""
        return set(self._connection.execute(sa.select(_versions.code_key)).scalars())

    def is_code_used(self, code_key: str) -> bool:
        """Whether any version refers to this package."""
        uses = sa.select(_versions.number).where(_versions.code_key == code_key).limit(1)
        return self._connection.execute(uses).first() is not None

    def code_size_total(self, scope: Scope) -> int:
        """Bytes of all versions' packages."""
        total = sa.select(sa.func.coalesce(sa.func.sum(_versions.code_size), 0)).where(
            _versions.account == scope.account,
            _versions.region == scope.region,
            _versions.is_deleted.is_(False),
        )
        return int(self._connection.execute(total).scalar_one())

    def _is_used(self, arn: str) -> bool:
        """Whether a function's configuration names the version, quoted as in JSON."""
        uses = sa.select(function_versions.c.number).where(
            sa.or_(
                *(
                    sa.cast(column, sa.Text).contains(f'"{arn}"', autoescape=True)
                    for column in (function_versions.c.configuration, function_versions.c.serving)
                )
            )
        )
        return self._connection.execute(uses.limit(1)).first() is not None


def _belongs_to(key: LayerKey) -> sa.ColumnElement[bool]:
    return sa.and_(
        _versions.account == key.account,
        _versions.region == key.region,
        _versions.name == key.name,
    )


def _is(key: LayerKey, number: int) -> sa.ColumnElement[bool]:
    return sa.and_(_belongs_to(key), _versions.number == number)


def _to_version(row: sa.Row[Any]) -> LayerVersion:
    document = dict(row.document)
    for name in ("runtimes", "architectures"):
        if document[name] is not None:
            document[name] = tuple(document[name])
    return LayerVersion(
        key=LayerKey(row.account, row.region, row.name),
        number=row.number,
        code_key=row.code_key,
        code_size=row.code_size,
        **document,
    )
