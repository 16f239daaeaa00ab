"""Reserved and provisioned concurrency: how an account's concurrency is divided.

An account's limit is divided into what functions reserve and the rest, of which a part must remain
for functions that reserve nothing. Provisioned concurrency of a function counts within its
reservation, or else within that rest.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.control.lookup import find_version, require_function, require_published
from lambent.control.paging import make_name_page, page_size, read_name_marker
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.concurrency import ProvisionedState
from lambent.model.errors import (
    ApiError,
    conflict,
    invalid_parameter,
    invalid_parameter_untyped,
    not_found,
)
from lambent.model.function import LATEST, FunctionKey
from lambent.model.names import (
    UNQUALIFIED_ONLY,
    FunctionReference,
    parse_function_name,
    parse_unqualified,
)
from lambent.model.times import iso_seconds
from lambent.store.function_settings import Kind, SettingRow
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

_RESERVED = "ReservedConcurrentExecutions"
_PROVISIONED = "ProvisionedConcurrentExecutions"
_UNPUBLISHED = "Provisioned Concurrency Configs cannot be applied to unpublished function versions."

ObserveProvisioned = Callable[[FunctionKey, str], ProvisionedState]
"""How much of an alias's or a version's provisioned concurrency exists at this moment."""


def nothing_provisioned(_key: FunctionKey, _qualifier: str) -> ProvisionedState:
    """What a control plane without a node observes: nothing."""
    return ProvisionedState(0)


class Concurrency:
    """Use cases of concurrency."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        account_limit: int,
        unreserved_min: int,
        observe: ObserveProvisioned,
    ) -> None:
        self._store = store
        self._clock = clock
        self._account_limit = account_limit
        self._unreserved_min = unreserved_min
        self._observe = observe

    async def reserve(self, scope: Scope, params: Params) -> Params:
        """PutFunctionConcurrency."""
        reference = parse_function_name(params["FunctionName"], scope)
        if reference.qualifier is not None:
            raise invalid_parameter(UNQUALIFIED_ONLY)
        key = reference.key
        wanted: int = params[_RESERVED]

        def run(tx: Transaction) -> None:
            tx.locks.scope(key.scope)
            tx.locks.function(key)
            _require_function(tx, key)
            provisioned = _total(tx.settings.list_of(Kind.PROVISIONED_CONCURRENCY, key))
            if wanted < provisioned:
                raise invalid_parameter_untyped(
                    f" ReservedConcurrentExecutions  {wanted} should not be lower than function's"
                    f" total provisioned concurrency [{provisioned}]."
                )
            if self._unclaimed(tx, key) - wanted < self._unreserved_min:
                raise invalid_parameter_untyped(
                    "Specified ReservedConcurrentExecutions for function decreases account's"
                    " UnreservedConcurrentExecution below its minimum value of"
                    f" [{self._unreserved_min}]."
                )
            tx.settings.put(Kind.CONCURRENCY, key, {_RESERVED: wanted})

        await self._store.transact(run)
        return {_RESERVED: wanted}

    async def get_reserved(self, scope: Scope, params: Params) -> Params:
        """GetFunctionConcurrency: no member if nothing is reserved."""
        key = parse_unqualified(params["FunctionName"], scope)

        def run(tx: Transaction) -> Params:
            require_function(tx, key)
            return tx.settings.get(Kind.CONCURRENCY, key) or {}

        return await self._store.read(run)

    async def release(self, scope: Scope, params: Params) -> Params:
        """DeleteFunctionConcurrency."""
        key = parse_unqualified(params["FunctionName"], scope)

        def run(tx: Transaction) -> None:
            tx.locks.function(key)
            _require_function(tx, key)
            tx.settings.delete(Kind.CONCURRENCY, key)

        await self._store.transact(run)
        return {}

    async def provision(self, scope: Scope, params: Params) -> Params:
        """PutProvisionedConcurrencyConfig, for an alias or a published version."""
        reference = _qualified(params, scope)
        wanted: int = params[_PROVISIONED]
        document = {_PROVISIONED: wanted, "LastModified": iso_seconds(self._clock.now())}

        def run(tx: Transaction) -> None:
            tx.locks.scope(reference.key.scope)
            tx.locks.function(reference.key)
            if reference.qualifier == LATEST:
                raise invalid_parameter(_UNPUBLISHED)
            qualifier = require_published(tx, reference)
            _require_numbered(tx, reference.key, qualifier)
            _require_ordinary(tx, reference.key, qualifier)
            _require_single_claim(tx, reference.key, qualifier)
            self._require_provisionable(tx, reference.key, qualifier, wanted)
            tx.settings.put(
                Kind.PROVISIONED_CONCURRENCY, reference.key, document, qualifier=qualifier
            )

        await self._store.transact(run)
        return {**_view(document, ProvisionedState(0)), "StatusReason": None}

    async def get_provisioned(self, scope: Scope, params: Params) -> Params:
        """GetProvisionedConcurrencyConfig."""
        reference = _qualified(params, scope)

        def run(tx: Transaction) -> Params:
            qualifier = require_published(tx, reference)
            document = tx.settings.get(Kind.PROVISIONED_CONCURRENCY, reference.key, qualifier)
            if document is None:
                raise ApiError(
                    "ProvisionedConcurrencyConfigNotFoundException",
                    "No Provisioned Concurrency Config found for this function",
                    status=404,
                )
            return document

        document = await self._store.read(run)
        assert reference.qualifier is not None
        return _view(document, self._observe(reference.key, reference.qualifier))

    async def list_provisioned(self, scope: Scope, params: Params) -> Params:
        """ListProvisionedConcurrencyConfigs of one function."""
        key = parse_unqualified(params["FunctionName"], scope)
        after = read_name_marker(params.get("Marker"))

        def run(tx: Transaction) -> Sequence[SettingRow]:
            require_function(tx, key)
            found = tx.settings.list_of(Kind.PROVISIONED_CONCURRENCY, key)
            return [row for row in found if row.qualifier > after]

        page = make_name_page(
            await self._store.read(run),
            page_size(params.get("MaxItems")),
            lambda setting: setting.qualifier,
        )
        return page.members(
            "ProvisionedConcurrencyConfigs",
            [
                {
                    "FunctionArn": row.arn,
                    **_view(row.document, self._observe(key, row.qualifier)),
                }
                for row in page.items
            ],
        )

    async def withdraw(self, scope: Scope, params: Params) -> Params:
        """DeleteProvisionedConcurrencyConfig. Deleting a missing one is not an error."""
        reference = _qualified(params, scope)

        def run(tx: Transaction) -> None:
            tx.locks.function(reference.key)
            qualifier = require_published(tx, reference)
            tx.settings.delete(Kind.PROVISIONED_CONCURRENCY, reference.key, qualifier)

        await self._store.transact(run)
        return {}

    def _require_provisionable(
        self, tx: Transaction, key: FunctionKey, qualifier: str, wanted: int
    ) -> None:
        others = [
            row
            for row in tx.settings.list_of(Kind.PROVISIONED_CONCURRENCY, key)
            if row.qualifier != qualifier
        ]
        reserved = tx.settings.get(Kind.CONCURRENCY, key)
        if reserved is not None:
            if _total(others) + wanted > reserved[_RESERVED]:
                raise invalid_parameter_untyped(
                    "Requested Provisioned Concurrency should not be greater than the"
                    " reservedConcurrentExecution for function"
                )
            return
        unreserved = self._unclaimed(tx, key) - _total(others)
        if wanted > unreserved:
            raise invalid_parameter_untyped(
                "Specified ConcurrentExecutions for function is greater than account's unreserved"
                f" concurrency [{unreserved}]."
            )
        if unreserved - wanted < self._unreserved_min:
            raise invalid_parameter_untyped(
                "Specified ConcurrentExecutions for function decreases account's"
                " UnreservedConcurrentExecution below its minimum value of"
                f" [{self._unreserved_min}]."
            )

    def _unclaimed(self, tx: Transaction, key: FunctionKey) -> int:
        """The account's concurrency minus what all other functions reserve."""
        reserved = tx.settings.list_in(Kind.CONCURRENCY, key.scope)
        accounted = {key, *(row.key for row in reserved)}
        provisioned = tx.settings.list_in(Kind.PROVISIONED_CONCURRENCY, key.scope)
        claimed: int = sum(row.document[_RESERVED] for row in reserved if row.key != key)
        claimed += _total([row for row in provisioned if row.key not in accounted])
        return self._account_limit - claimed


def reserved_total(tx: Transaction, scope: Scope) -> int:
    """What the functions of an account and region reserve in total."""
    settings = tx.settings.list_in(Kind.CONCURRENCY, scope)
    return sum(row.document[_RESERVED] for row in settings)


def _qualified(params: Params, scope: Scope) -> FunctionReference:
    return parse_function_name(params["FunctionName"], scope, qualifier=params.get("Qualifier"))


def _require_function(tx: Transaction, key: FunctionKey) -> None:
    if tx.functions.get(key) is None:
        raise not_found(f"Function not found: {key.arn}:$LATEST")


def _require_numbered(tx: Transaction, key: FunctionKey, qualifier: str) -> None:
    """The alias must not point to `$LATEST`."""
    alias = tx.aliases.get(key, qualifier)
    if alias is not None and alias.version == LATEST:
        raise invalid_parameter(_UNPUBLISHED)


def _require_ordinary(tx: Transaction, key: FunctionKey, qualifier: str) -> None:
    """Environments of tenants, and those from snapshots, are not provisioned."""
    version = find_version(tx, key, qualifier)
    if version is not None and version.isolates_tenants:
        raise invalid_parameter(
            "Provisioned Concurrency is not supported for functions with tenancy enabled."
        )
    if version is not None and version.snap_starts:
        raise invalid_parameter(
            "Provisioned Concurrency is not supported for functions enabled with SnapStart."
        )


def _require_single_claim(tx: Transaction, key: FunctionKey, qualifier: str) -> None:
    """A version may be provisioned directly or through one alias, not both."""
    claimed = {row.qualifier for row in tx.settings.list_of(Kind.PROVISIONED_CONCURRENCY, key)}
    alias = tx.aliases.get(key, qualifier)
    if alias is None:
        if any(row.name in claimed for row in tx.aliases.pointing_to(key, qualifier)):
            raise conflict("Version is pointed by a Provisioned Concurrency alias")
    elif alias.version in claimed:
        raise conflict(
            "Alias can't be used for Provisioned Concurrency configuration on an already"
            " Provisioned version"
        )


def _total(settings: Sequence[SettingRow]) -> int:
    return sum(row.document[_PROVISIONED] for row in settings)


def _view(document: Params, state: ProvisionedState) -> dict[str, Any]:
    wanted: int = document[_PROVISIONED]
    ready = min(state.ready, wanted)
    members = {
        "RequestedProvisionedConcurrentExecutions": wanted,
        "AvailableProvisionedConcurrentExecutions": ready,
        "AllocatedProvisionedConcurrentExecutions": ready,
        "Status": "READY" if ready == wanted else "IN_PROGRESS",
        "LastModified": document["LastModified"],
    }
    if ready < wanted and state.failure is not None:
        members |= {"Status": "FAILED", "StatusReason": state.failure}
    return members
