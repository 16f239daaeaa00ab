"""Operations on schedules and their groups."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping

from lambent.control.schedules.groups import Groups
from lambent.control.schedules.schedules import Schedules
from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.model.arn import Scope


@dataclasses.dataclass(frozen=True, slots=True)
class SchedulerRooms:
    """What the operations use."""

    groups: Groups
    schedules: Schedules


UseCase = Callable[[Scope, Members], Awaitable[Members]]


def _use(choose: Callable[[SchedulerRooms], UseCase]) -> Operation[SchedulerRooms]:
    async def operation(rooms: SchedulerRooms, call: Call) -> Members:
        return await choose(rooms)(call.scope, call.params)

    return operation


OPERATIONS: Mapping[str, Operation[SchedulerRooms]] = {
    "CreateSchedule": _use(lambda rooms: rooms.schedules.create),
    "UpdateSchedule": _use(lambda rooms: rooms.schedules.update),
    "GetSchedule": _use(lambda rooms: rooms.schedules.get),
    "ListSchedules": _use(lambda rooms: rooms.schedules.list),
    "DeleteSchedule": _use(lambda rooms: rooms.schedules.delete),
    "CreateScheduleGroup": _use(lambda rooms: rooms.groups.create),
    "GetScheduleGroup": _use(lambda rooms: rooms.groups.get),
    "ListScheduleGroups": _use(lambda rooms: rooms.groups.list),
    "DeleteScheduleGroup": _use(lambda rooms: rooms.groups.delete),
    "TagResource": _use(lambda rooms: rooms.groups.change_tags),
    "UntagResource": _use(lambda rooms: rooms.groups.change_tags),
    "ListTagsForResource": _use(lambda rooms: rooms.groups.list_tags),
}
