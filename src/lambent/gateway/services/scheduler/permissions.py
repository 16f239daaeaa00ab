"""What each operation of EventBridge Scheduler needs permission for."""

from collections.abc import Mapping, Sequence

from lambent.control.schedules.groups import DEFAULT, group_arn, root_of
from lambent.control.schedules.schedules import schedule_arn
from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import (
    NOTHING,
    TAG_KEYS,
    TAGS,
    Need,
    Needs,
    Resource,
    Values,
    each,
)
from lambent.gateway.permissions.passed_roles import passing_to
from lambent.model.arn import Arn
from lambent.model.errors import ApiError
from lambent.model.events.targets import SCHEDULER


def _arn_of(asked: Asked) -> str:
    group = asked.params.get("GroupName") or DEFAULT
    return schedule_arn(root_of(asked.scope, group), asked.params["Name"])


async def _schedule(asked: Asked) -> Sequence[Target]:
    return [Target(_arn_of(asked), asked.scope.account)]


async def _group(asked: Asked) -> Sequence[Target]:
    return [Target(group_arn(asked.scope, asked.params["Name"]), asked.scope.account)]


async def _all_schedules(asked: Asked) -> Sequence[Target]:
    """Those of the group."""
    arn = schedule_arn(root_of(asked.scope, asked.params["Name"]), "*")
    return [Target(arn, asked.scope.account)]


async def _by_arn(asked: Asked) -> Sequence[Target]:
    text = asked.params["ResourceArn"]
    arn = Arn.try_parse(text)
    if arn is None or (arn.partition, arn.service) != ("aws", "scheduler"):
        raise ApiError("ValidationException", "ResourceArn is not the ARN of a schedule group.")
    return [Target(text, arn.account)]


async def _role(asked: Asked) -> Sequence[str]:
    return [asked.params["Target"]["RoleArn"]]


async def _about_schedule(asked: Asked) -> Values:
    return {"iam:associatedresourcearn": [_arn_of(asked)]}


_SCHEDULE = Resource(("schedule",), _schedule)
_GROUP = Resource(("schedule-group",), _group)
_TAGGED = Resource(("schedule-group",), _by_arn)
_PASSING = passing_to(SCHEDULER, _role, _about_schedule)

PERMISSIONS: Mapping[str, Needs] = {
    "CreateSchedule": (Need("scheduler:CreateSchedule", _SCHEDULE), _PASSING),
    "UpdateSchedule": (Need("scheduler:UpdateSchedule", _SCHEDULE), _PASSING),
    **each("scheduler", ("DeleteSchedule", "GetSchedule"), _SCHEDULE),
    "CreateScheduleGroup": (
        Need("scheduler:CreateScheduleGroup", _GROUP, TAGS),
        Need("scheduler:TagResource", _GROUP, TAGS, only_with="Tags"),
    ),
    "DeleteScheduleGroup": (
        Need("scheduler:DeleteScheduleGroup", _GROUP),
        Need("scheduler:DeleteSchedule", Resource(("schedule",), _all_schedules)),
    ),
    **each("scheduler", ("GetScheduleGroup",), _GROUP),
    **each("scheduler", ("ListScheduleGroups", "ListSchedules"), NOTHING),
    **each("scheduler", ("ListTagsForResource",), _TAGGED),
    **each("scheduler", ("TagResource",), _TAGGED, *TAGS),
    **each("scheduler", ("UntagResource",), _TAGGED, TAG_KEYS),
}
RESOURCE_NAMES = (
    ("schedule", "`arn:aws:scheduler:REGION:ACCOUNT:schedule/GROUP/NAME`"),
    ("schedule-group", "`arn:aws:scheduler:REGION:ACCOUNT:schedule-group/NAME`"),
)
