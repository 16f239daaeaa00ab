"""Aliases: create, read, change, delete. An invocation of an alias is routed when it arrives
(`store.route`), so a change applies from the next invocation on."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from lambent.control.configuration import require_text
from lambent.control.lookup import require_function
from lambent.control.paging import NamePage, make_name_page, page_size, read_name_marker
from lambent.control.states import new_id, require_revision
from lambent.model.alias import Alias
from lambent.model.arn import Scope
from lambent.model.errors import (
    conflict,
    invalid_parameter,
    invalid_parameter_untyped,
    not_found,
)
from lambent.model.function import LATEST, FunctionKey, FunctionVersion
from lambent.model.names import parse_unqualified
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]


class Aliases:
    """Use cases of aliases."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateAlias."""
        key = parse_unqualified(params["FunctionName"], scope)
        alias = _changed(
            Alias(key=key, name=params["Name"], version=LATEST, revision_id=""), params
        )

        def run(tx: Transaction) -> Params:
            tx.locks.function(key)
            if alias.weights and tx.functions.get(key) is None:
                raise not_found(f"Function not found: {key.arn}:{alias.version}")
            require_function(tx, key)
            if tx.aliases.get(key, alias.name) is not None:
                raise conflict(f"Alias already exists: {alias.arn}")
            _check_targets(tx, alias)
            tx.aliases.put(alias)
            return _view(alias)

        return await self._store.transact(run)

    async def get(self, scope: Scope, params: Params) -> Params:
        """GetAlias."""
        key = parse_unqualified(params["FunctionName"], scope)

        def run(tx: Transaction) -> Params:
            require_function(tx, key)
            alias = tx.aliases.get(key, params["Name"])
            if alias is None:
                raise not_found(f"Cannot find alias arn: {key.arn}:{params['Name']}")
            return _view(alias)

        return await self._store.read(run)

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListAliases: by name; with `FunctionVersion`, only those that point to it."""
        key = parse_unqualified(params["FunctionName"], scope)
        size = page_size(params.get("MaxItems"))
        after = read_name_marker(params.get("Marker"))
        version = params.get("FunctionVersion")

        def run(tx: Transaction) -> NamePage[Alias]:
            require_function(tx, key)
            if version is None:
                found = tx.aliases.list_of(key, after=after, limit=size + 1)
            else:
                found = [
                    entry for entry in tx.aliases.pointing_to(key, version) if entry.name > after
                ]
            return make_name_page(found, size, lambda alias: alias.name)

        page = await self._store.read(run)
        return page.members("Aliases", [_view(alias) for alias in page.items])

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateAlias: members that are absent stay as they were."""
        key = parse_unqualified(params["FunctionName"], scope)

        def run(tx: Transaction) -> Params:
            tx.locks.function(key)
            require_function(tx, key)
            current = tx.aliases.get(key, params["Name"])
            if current is None:
                raise not_found(f"Alias not found: {key.arn}:{params['Name']}")
            require_revision(current, params.get("RevisionId"))
            changed = _changed(current, params)
            _check_targets(tx, changed)
            tx.aliases.put(changed)
            return _view(changed)

        return await self._store.transact(run)

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteAlias, with what is configured for the alias. Deleting a missing alias is not an
        error."""
        key = parse_unqualified(params["FunctionName"], scope)

        def run(tx: Transaction) -> None:
            tx.locks.function(key)
            require_function(tx, key)
            if tx.aliases.delete(key, params["Name"]):
                tx.settings.delete_qualifier(key, params["Name"])

        await self._store.transact(run)
        return {}


def _changed(alias: Alias, params: Params) -> Alias:
    """`alias` with the members of a request and a new revision id."""
    fields: dict[str, Any] = {"revision_id": new_id()}
    if "FunctionVersion" in params:
        fields["version"] = params["FunctionVersion"]
    if "Description" in params:
        require_text(params["Description"], "description")
        fields["description"] = params["Description"]
    if "RoutingConfig" in params:
        fields["weights"] = dict(params["RoutingConfig"].get("AdditionalVersionWeights") or {})
    return dataclasses.replace(alias, **fields)


def _check_targets(tx: Transaction, alias: Alias) -> None:
    """Every version an alias points to must exist, and the two versions of a pair must be
    compatible."""
    main = _require_target(tx, alias.key, alias.version)
    if not alias.weights:
        return
    if len(alias.weights) > 1:
        raise invalid_parameter(
            "Number of items in AdditionalVersionWeights cannot be greater than 1"
        )
    if alias.version == LATEST:
        raise invalid_parameter_untyped(
            "$LATEST is not supported for an alias pointing to more than 1 version"
        )
    for number in alias.weights:
        if int(number) == int(alias.version):
            raise invalid_parameter(
                f"Invalid function version {number}. Function version {number} is already included"
                " in routing configuration."
            )
        other = _require_target(tx, alias.key, number)
        if other.role != main.role or other.dead_letter_target != main.dead_letter_target:
            raise invalid_parameter(
                f"Versions {main.version} and {other.version} cannot share an alias: they must"
                " have the same execution role and the same dead-letter queue."
            )


def _require_target(tx: Transaction, key: FunctionKey, version: str) -> FunctionVersion:
    if version == "$LATEST.PUBLISHED":
        raise invalid_parameter(
            "$LATEST.PUBLISHED is only there for functions on capacity providers, which Lambent"
            " does not offer yet."
        )
    found = tx.functions.get(key, version)
    if found is None:
        raise not_found(f"Function not found: {key.arn}:{version}")
    return found


def _view(alias: Alias) -> Params:
    members: dict[str, Any] = {
        "AliasArn": alias.arn,
        "Name": alias.name,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision_id,
    }
    if alias.weights:
        members["RoutingConfig"] = {"AdditionalVersionWeights": alias.weights}
    return members
