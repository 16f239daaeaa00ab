"""The schedule in a document: of a rule of EventBridge, of a schedule of EventBridge Scheduler."""

from typing import NamedTuple

from lambent.model.document import Body, Root
from lambent.model.schedules.expressions import Schedule, delay_in_window, parse, zone_of

RULES, SCHEDULER = "events", "scheduler"
"""Services of the roots."""
ENABLED = "ENABLED"
_UTC = "UTC"


class Due(NamedTuple):
    """When a schedule is due next, in epoch seconds."""

    scheduled_at: float
    """What the expression says."""
    due_at: float
    """When the event is sent."""


def is_on(body: Body) -> bool:
    """Whether a rule or schedule is enabled and has a schedule."""
    return body["State"] == ENABLED and bool(body.get("ScheduleExpression"))


def schedule_of(root: Root, body: Body, *, anchor: float) -> Schedule:
    """The schedule in a body that was checked when it was stored. `anchor` is when a rate of a rule
    begins; a schedule of EventBridge Scheduler knows its own."""
    if root.service == RULES:
        return Schedule(parse(body["ScheduleExpression"]), anchor)
    expression = parse(body["ScheduleExpression"], is_loose=True)
    schedule = Schedule(
        expression, body["anchor"], zone_of(body.get("ScheduleExpressionTimezone", _UTC))
    )
    if not schedule.is_recurring:
        return schedule
    bounds = {
        name: body[member]
        for name, member in (("start", "StartDate"), ("end", "EndDate"))
        if member in body
    }
    return schedule._replace(**bounds)


def due_after(root: Root, id: str, body: Body, moment: float, *, anchor: float) -> Due | None:
    """When it is due after a moment; None if never."""
    scheduled_at = schedule_of(root, body, anchor=anchor).next_after(moment)
    if scheduled_at is None:
        return None
    minutes = (body.get("FlexibleTimeWindow") or {}).get("MaximumWindowInMinutes", 0)
    return Due(scheduled_at, scheduled_at + delay_in_window(id, scheduled_at, minutes))
