"""Operations on event buses, rules, targets and events."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from lambent.control.events.api_destinations import ApiDestinations
from lambent.control.events.buses import Buses
from lambent.control.events.connections import Connections
from lambent.control.events.naming import validation
from lambent.control.events.rules import Rules, check_pattern
from lambent.control.events.tags import Tags
from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.model.arn import Scope
from lambent.model.events.patterns import matches, read_event, read_pattern

_NEEDED = ("id", "account", "source", "time", "region", "resources", "detail-type")
"""Members of an event to test a pattern with."""


class PutEvents(Protocol):
    """Puts events on buses; `triggers.events.buses` does."""

    async def put_events(self, scope: Scope, params: Members) -> Members:
        """PutEvents. Raises `ApiError`."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class EventsRooms:
    """What the operations use."""

    buses: Buses
    rules: Rules
    connections: Connections
    destinations: ApiDestinations
    tags: Tags
    events: PutEvents | None
    """None on a control plane without a data plane."""


async def _put_events(rooms: EventsRooms, call: Call) -> Members:
    if rooms.events is None:
        raise validation("This platform delivers no events.")
    return await rooms.events.put_events(call.scope, call.params)


async def _test_event_pattern(_: EventsRooms, call: Call) -> Members:
    check_pattern(call.params["EventPattern"])
    try:
        event = read_event(call.params["Event"])
    except ValueError as error:
        raise validation("Parameter Event is not valid.") from error
    if not all(name in event for name in _NEEDED):
        raise validation("Parameter Event is not valid.")
    return {"Result": matches(read_pattern(call.params["EventPattern"]), event)}


async def _enable(rooms: EventsRooms, call: Call) -> Members:
    return await rooms.rules.set_state(call.scope, call.params, "ENABLED")


async def _disable(rooms: EventsRooms, call: Call) -> Members:
    return await rooms.rules.set_state(call.scope, call.params, "DISABLED")


UseCase = Callable[[Scope, Members], Awaitable[Members]]


def _use(choose: Callable[[EventsRooms], UseCase]) -> Operation[EventsRooms]:
    async def operation(rooms: EventsRooms, call: Call) -> Members:
        return await choose(rooms)(call.scope, call.params)

    return operation


OPERATIONS: Mapping[str, Operation[EventsRooms]] = {
    "CreateEventBus": _use(lambda rooms: rooms.buses.create),
    "DeleteEventBus": _use(lambda rooms: rooms.buses.delete),
    "DescribeEventBus": _use(lambda rooms: rooms.buses.describe),
    "ListEventBuses": _use(lambda rooms: rooms.buses.list),
    "UpdateEventBus": _use(lambda rooms: rooms.buses.update),
    "PutPermission": _use(lambda rooms: rooms.buses.put_permission),
    "RemovePermission": _use(lambda rooms: rooms.buses.remove_permission),
    "PutRule": _use(lambda rooms: rooms.rules.put),
    "DescribeRule": _use(lambda rooms: rooms.rules.describe),
    "DeleteRule": _use(lambda rooms: rooms.rules.delete),
    "EnableRule": _enable,
    "DisableRule": _disable,
    "ListRules": _use(lambda rooms: rooms.rules.list),
    "ListRuleNamesByTarget": _use(lambda rooms: rooms.rules.list_names_by_target),
    "PutTargets": _use(lambda rooms: rooms.rules.put_targets),
    "RemoveTargets": _use(lambda rooms: rooms.rules.remove_targets),
    "ListTargetsByRule": _use(lambda rooms: rooms.rules.list_targets),
    "CreateConnection": _use(lambda rooms: rooms.connections.create),
    "UpdateConnection": _use(lambda rooms: rooms.connections.update),
    "DeauthorizeConnection": _use(lambda rooms: rooms.connections.deauthorize),
    "DescribeConnection": _use(lambda rooms: rooms.connections.describe),
    "ListConnections": _use(lambda rooms: rooms.connections.list),
    "DeleteConnection": _use(lambda rooms: rooms.connections.delete),
    "CreateApiDestination": _use(lambda rooms: rooms.destinations.create),
    "UpdateApiDestination": _use(lambda rooms: rooms.destinations.update),
    "DescribeApiDestination": _use(lambda rooms: rooms.destinations.describe),
    "ListApiDestinations": _use(lambda rooms: rooms.destinations.list),
    "DeleteApiDestination": _use(lambda rooms: rooms.destinations.delete),
    "PutEvents": _put_events,
    "TestEventPattern": _test_event_pattern,
    "TagResource": _use(lambda rooms: rooms.tags.change),
    "UntagResource": _use(lambda rooms: rooms.tags.change),
    "ListTagsForResource": _use(lambda rooms: rooms.tags.list),
}
