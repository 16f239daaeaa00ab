"""Event source mappings: create, read, update, delete.

A change writes a transitional state (`Creating`, `Updating`, …). The store notifies `polling` of
the change; polling applies it to what it reads, and writes the following state.
"""

import dataclasses
import datetime
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lambent.control.lookup import find_version
from lambent.control.mapping_configuration import configure, find_source, reconfigure
from lambent.control.paging import make_name_page, read_name_marker
from lambent.control.tags import check_tags
from lambent.identity.execution_roles import ExecutionRoles
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.errors import ApiError, conflict, invalid_parameter, not_found
from lambent.model.function import FunctionVersion
from lambent.model.limits import MAPPINGS_PAGE_MAX
from lambent.model.mapping import CONCLUSIONS, EventSourceMapping, MappingState
from lambent.model.names import FunctionReference, parse_function_name
from lambent.model.sources.kind import SourceKind
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

CheckSource = Callable[[EventSourceMapping, FunctionVersion], Awaitable[None]]
"""Checks that a mapping's source exists and the function's role may read it. Raises `ApiError`."""

_NOTHING_YET = "No records processed"


class Mappings:
    """Use cases of event source mappings."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        roles: ExecutionRoles,
        check_source: CheckSource | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._roles = roles
        self._check_source = check_source

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateEventSourceMapping."""
        kind, source_id = find_source(params)
        reference = _function(params["FunctionName"], scope)
        mapping_id = str(uuid.uuid4())
        tags = params.get("Tags") or {}
        check_tags(tags)
        mapping = EventSourceMapping(
            uuid=mapping_id,
            scope=scope,
            kind=kind,
            source_id=source_id,
            function_arn=reference.arn,
            function_name=reference.key.name,
            state=MappingState.CREATING if params.get("Enabled", True) else MappingState.DISABLED,
            state_reason=kind.state_reason,
            last_modified=self._clock.now(),
            last_result=_NOTHING_YET if kind.shows_success else None,
            configuration=configure(kind, source_id, params, uuid=mapping_id),
        )
        await self._check(mapping, reference)

        def run(tx: Transaction) -> None:
            tx.locks.scope(scope)
            _require_function(tx, reference, kind)
            _require_new(tx, mapping)
            tx.mappings.put(mapping)
            tx.tags.replace(mapping.arn, tags)

        await self._store.transact(run)
        return _view(mapping)

    async def get(self, scope: Scope, params: Params) -> Params:
        """GetEventSourceMapping."""
        return _view(await self._store.read(lambda tx: _require(tx, scope, params["UUID"])))

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListEventSourceMappings: of a function, a source, both, or all."""
        after = read_name_marker(params.get("Marker"))
        size = min(params.get("MaxItems") or MAPPINGS_PAGE_MAX, MAPPINGS_PAGE_MAX)
        name = params.get("FunctionName")
        reference = None if name is None else parse_function_name(name, scope)

        def run(tx: Transaction) -> "list[EventSourceMapping]":
            found = tx.mappings.list_in(
                scope,
                function_name=reference.key.name if reference else None,
                source_id=params.get("EventSourceArn"),
                after=after,
            )
            if reference is not None and reference.qualifier is not None:
                found = [mapping for mapping in found if mapping.function_arn == reference.arn]
            return found

        page = make_name_page(await self._store.read(run), size, lambda mapping: mapping.uuid)
        return page.members("EventSourceMappings", list(map(_listed, page.items)))

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateEventSourceMapping: members that are absent stay as they were."""
        name = params.get("FunctionName")
        reference = None if name is None else _function(name, scope)

        def change(tx: Transaction) -> EventSourceMapping:
            current = _require_settled(tx, scope, params["UUID"])
            changed = dataclasses.replace(
                current,
                configuration=reconfigure(
                    current.kind, current.source_id, current.configuration, params
                ),
                state=_next_state(current.state, params.get("Enabled")),
                last_modified=self._clock.now(),
            )
            if reference is not None:
                _require_function(tx, reference, current.kind)
                changed = dataclasses.replace(
                    changed, function_arn=reference.arn, function_name=reference.key.name
                )
                _require_new(tx, changed)
            return changed

        def run(tx: Transaction) -> EventSourceMapping:
            tx.locks.scope(scope)
            tx.locks.mapping(params["UUID"])
            changed = change(tx)
            tx.mappings.put(changed)
            return changed

        wanted = await self._store.transact(change)
        await self._check(wanted, _function(wanted.function_arn, scope))
        changed = await self._store.transact(run)
        return _view(changed)

    async def _check(self, mapping: EventSourceMapping, reference: FunctionReference) -> None:
        """Check that the function's role may read the source and write to the destination."""
        version = await self._store.read(
            lambda tx: find_version(tx, reference.key, reference.qualifier)
        )
        if version is None:
            return
        if self._check_source is not None:
            await self._check_source(mapping, version)
        target = mapping.options.on_failure
        if target.startswith("arn:"):
            await self._roles.require_delivery(
                reference.key, version.role, target, mapping.object_prefix
            )

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteEventSourceMapping."""

        def run(tx: Transaction) -> EventSourceMapping:
            tx.locks.scope(scope)
            tx.locks.mapping(params["UUID"])
            current = _require_settled(tx, scope, params["UUID"])
            deleting = dataclasses.replace(current, state=MappingState.DELETING)
            tx.mappings.put(deleting)
            tx.tags.replace(current.arn, {})
            return deleting

        deleting = await self._store.transact(run)
        return _view(deleting)


def _next_state(state: MappingState, enabled: bool | None) -> MappingState:
    """The state of a settled mapping after an update."""
    if enabled is None:
        return MappingState.UPDATING if state is MappingState.ENABLED else state
    if enabled:
        return MappingState.ENABLING if state is MappingState.DISABLED else MappingState.UPDATING
    return MappingState.DISABLING if state is MappingState.ENABLED else state


def _function(name: str, scope: Scope) -> FunctionReference:
    """The function that a mapping calls, which must belong to the same account."""
    reference = parse_function_name(name, scope)
    if reference.key.account != scope.account:
        raise invalid_parameter("Function does not exist")
    return reference


def _require_function(tx: Transaction, reference: FunctionReference, kind: SourceKind) -> None:
    version = find_version(tx, reference.key, reference.qualifier)
    if version is None:
        raise invalid_parameter("Function does not exist")
    if version.isolates_tenants:
        raise invalid_parameter(
            "Event source mappings are not supported for functions with tenancy enabled."
        )
    longest_s = kind.function_timeout_max_s
    if longest_s is not None and version.timeout_s > longest_s:
        raise invalid_parameter(
            f"The function's timeout of {version.timeout_s} seconds is too long for this event"
            f" source: it may be {longest_s} seconds at most."
        )


def _require_new(tx: Transaction, mapping: EventSourceMapping) -> None:
    """Raises `ResourceConflictException` if the function has a mapping for the same source."""
    for other in tx.mappings.list_in(
        mapping.scope, function_name=mapping.function_name, source_id=mapping.source_id
    ):
        is_same_function = other.function_arn == mapping.function_arn
        if other.uuid == mapping.uuid or not is_same_function or _part(mapping) != _part(other):
            continue
        found = mapping.kind.conflict.format(
            source=mapping.source_id,
            function=mapping.function_name,
            function_arn=mapping.function_arn,
            topics=",".join(mapping.options.topics),
        )
        raise conflict(
            f"{found} Please update or delete the existing mapping with UUID {other.uuid}"
        )


def _part(mapping: EventSourceMapping) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The part of a source that a mapping reads, if the source can be divided."""
    return mapping.options.topics, mapping.options.queues


def _require(tx: Transaction, scope: Scope, mapping_id: str) -> EventSourceMapping:
    mapping = tx.mappings.get(scope, mapping_id)
    if mapping is None:
        raise not_found("The resource you requested does not exist.")
    return mapping


def _require_settled(tx: Transaction, scope: Scope, mapping_id: str) -> EventSourceMapping:
    mapping = _require(tx, scope, mapping_id)
    if mapping.state in CONCLUSIONS:
        raise ApiError(
            "ResourceInUseException",
            "Cannot update the event source mapping because it is in use.",
            status=400,
        )
    return mapping


def _view(mapping: EventSourceMapping) -> Params:
    members: dict[str, Any] = {
        # A mapping in the database may be older than one of these defaults.
        **mapping.kind.defaults,
        **mapping.configuration,
        "UUID": mapping.uuid,
        "EventSourceMappingArn": mapping.arn,
        "FunctionArn": mapping.function_arn,
        "State": mapping.state.value,
        "StateTransitionReason": mapping.state_reason,
        "LastModified": _instant(mapping.last_modified),
        "LastProcessingResult": mapping.last_result,
    }
    if mapping.kind.has_arn:
        members["EventSourceArn"] = mapping.source_id
    if "StartingPositionTimestamp" in members:
        members["StartingPositionTimestamp"] = _instant(members["StartingPositionTimestamp"])
    return {name: value for name, value in members.items() if value is not None}


def _listed(mapping: EventSourceMapping) -> Params:
    """The members in a list, without encrypted filters."""
    members = dict(_view(mapping))
    if "KMSKeyArn" in members:
        members.pop("FilterCriteria", None)
    return members


def _instant(epoch_s: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC)
