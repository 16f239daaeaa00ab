"""Event source mappings: create, read, change, delete.

Changing one writes where it is going (`Creating`, `Updating`, …); the store's bell tells `polling`,
which reads the sources, and takes it there.
"""

import dataclasses
import datetime
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
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
from lambent.model.limits import MAPPINGS_PAGE_MAX, POLLED_TIMEOUT_S_MAX
from lambent.model.mapping import CONCLUSIONS, DEFAULTS, EventSourceMapping, MappingState, Source
from lambent.model.names import FunctionReference, parse_function_name
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

CheckSource = Callable[[Source, str, Sequence[str], FunctionVersion], Awaitable[None]]
"""Checks that a source, by ARN or bootstrap servers, with secrets, by ARN, can be read for a
function. Raises `ApiError`."""

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
        source, source_id = find_source(params)
        reference = _function(params["FunctionName"], scope)
        mapping_id = str(uuid.uuid4())
        tags = params.get("Tags") or {}
        check_tags(tags)
        mapping = EventSourceMapping(
            uuid=mapping_id,
            scope=scope,
            source=source,
            source_id=source_id,
            function_arn=reference.arn,
            function_name=reference.key.name,
            state=MappingState.CREATING if params.get("Enabled", True) else MappingState.DISABLED,
            state_reason="User action" if source.is_stream else "USER_INITIATED",
            last_modified=self._clock.now(),
            last_result=None if source in (Source.SQS, Source.SQS_FIFO) else _NOTHING_YET,
            configuration=configure(source, params, uuid=mapping_id),
        )

        await self._check(mapping, reference)

        def run(tx: Transaction) -> None:
            tx.locks.scope(scope)
            _require_function(tx, reference, source)
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
                found = [one for one in found if one.function_arn == reference.arn]
            return found

        page = make_name_page(await self._store.read(run), size, lambda one: one.uuid)
        return page.members("EventSourceMappings", [_listed(one) for one in page.items])

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateEventSourceMapping: members that are absent stay as they were."""
        name = params.get("FunctionName")
        reference = None if name is None else _function(name, scope)

        def change(tx: Transaction) -> EventSourceMapping:
            current = _require_settled(tx, scope, params["UUID"])
            changed = dataclasses.replace(
                current,
                configuration=reconfigure(current.source, current.configuration, params),
                state=_next_state(current.state, params.get("Enabled")),
                last_modified=self._clock.now(),
            )
            if reference is not None:
                _require_function(tx, reference, current.source)
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
        """Ask whether the source can be read, and the destination be told, for the function."""
        version = await self._store.read(
            lambda tx: find_version(tx, reference.key, reference.qualifier)
        )
        if version is None:
            return
        found = mapping.configuration
        if self._check_source is not None:
            secrets = [
                one["URI"]
                for one in found.get("SourceAccessConfigurations") or ()
                if one.get("URI", "").startswith("arn:")
            ]
            await self._check_source(mapping.source, mapping.source_id, secrets, version)
        on_failure = (found.get("DestinationConfig") or {}).get("OnFailure") or {}
        target = on_failure.get("Destination", "")
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
    """What an update makes of a settled mapping, for the time being."""
    if enabled is None:
        return MappingState.UPDATING if state is MappingState.ENABLED else state
    if enabled:
        return MappingState.ENABLING if state is MappingState.DISABLED else MappingState.UPDATING
    return MappingState.DISABLING if state is MappingState.ENABLED else state


def _function(name: str, scope: Scope) -> FunctionReference:
    """The function a mapping calls, which must be of the same account."""
    reference = parse_function_name(name, scope)
    if reference.key.account != scope.account:
        raise invalid_parameter("Function does not exist")
    return reference


def _require_function(tx: Transaction, reference: FunctionReference, source: Source) -> None:
    version = find_version(tx, reference.key, reference.qualifier)
    if version is None:
        raise invalid_parameter("Function does not exist")
    if version.isolates_tenants:
        raise invalid_parameter(
            "Event source mappings are not supported for functions with tenancy enabled."
        )
    has_limit = source.is_kafka or source is Source.MQ
    if has_limit and version.timeout_s > POLLED_TIMEOUT_S_MAX:
        raise invalid_parameter(
            f"The function's timeout of {version.timeout_s} seconds is too long for this event"
            f" source: it may be {POLLED_TIMEOUT_S_MAX} seconds at most."
        )


def _require_new(tx: Transaction, mapping: EventSourceMapping) -> None:
    """Raises `ResourceConflictException` if the source feeds the function already."""
    for other in tx.mappings.list_in(
        mapping.scope, function_name=mapping.function_name, source_id=mapping.source_id
    ):
        same_function = other.function_arn == mapping.function_arn
        topics = mapping.configuration.get("Topics")
        if other.uuid == mapping.uuid or not same_function or _part(mapping) != _part(other):
            continue
        if mapping.source is Source.KAFKA:
            what = (
                f'An event source mapping with event source ("{mapping.source_id}"), function'
                f' ("{mapping.function_arn}"), topics ("{",".join(topics or [])}") already exists.'
            )
        elif mapping.source.is_stream:
            what = (
                f'The event source arn (" {mapping.source_id} ") and function ("'
                f' {mapping.function_name} ") provided mapping already exists.'
            )
        elif mapping.source not in (Source.SQS, Source.SQS_FIFO):
            what = (
                f'An event source mapping with event source ("{mapping.source_id}") and function'
                f' ("{mapping.function_arn}") already exists.'
            )
        else:
            what = (
                f'An event source mapping with SQS arn (" {mapping.source_id} ") and function ("'
                f' {mapping.function_name} ") already exists.'
            )
        raise conflict(
            f"{what} Please update or delete the existing mapping with UUID {other.uuid}"
        )


def _part(mapping: EventSourceMapping) -> Any:
    """Which part of a source a mapping reads, if it can be divided."""
    return [mapping.configuration.get(member) for member in ("Topics", "Queues")]


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
        # Those that were made before a default was shown have none.
        **DEFAULTS[mapping.source],
        **mapping.configuration,
        "UUID": mapping.uuid,
        "EventSourceMappingArn": mapping.arn,
        "FunctionArn": mapping.function_arn,
        "State": mapping.state.value,
        "StateTransitionReason": mapping.state_reason,
        "LastModified": _instant(mapping.last_modified),
        "LastProcessingResult": mapping.last_result,
    }
    if mapping.source is not Source.KAFKA:
        members["EventSourceArn"] = mapping.source_id
    if "StartingPositionTimestamp" in members:
        members["StartingPositionTimestamp"] = _instant(members["StartingPositionTimestamp"])
    return {name: value for name, value in members.items() if value is not None}


def _listed(mapping: EventSourceMapping) -> Params:
    """As lists show it: encrypted filters are left out."""
    members = dict(_view(mapping))
    if "KMSKeyArn" in members:
        members.pop("FilterCriteria", None)
    return members


def _instant(epoch_s: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC)
