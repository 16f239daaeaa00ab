"""Usage plans of API keys: what is counted, and how much of a quota is left.

A quota is a number of requests in a period: a day, a week or a month, in UTC. UpdateUsage replaces
it for the period that it is called in: the membership of the key in the plan has the new limit.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
"""

import datetime
from collections.abc import Mapping
from typing import Any, NamedTuple

from lambent.model.arn import Scope

Days = Mapping[datetime.date, int]
"""Numbers of requests."""
EXTENSION = "extension"
"""The member of a key's membership that replaces a plan's limit for a period."""
PERIOD_DAYS_MAX = 31
"""The longest period."""
_EPOCH = datetime.date(1970, 1, 1)
_SUNDAY = datetime.date(1970, 1, 4)
_DAY_S = 86_400


class UsageId(NamedTuple):
    """What is counted: the requests of a key by a plan."""

    scope: Scope
    plan: str
    key: str


def day_of(seconds: float) -> datetime.date:
    """The day of a time in epoch seconds."""
    return _EPOCH + datetime.timedelta(days=int(seconds // _DAY_S))


def period_start(period: str, offset: int, today: datetime.date) -> datetime.date:
    """The first day of the period that contains a day. The offset is in days: of the month from its
    first day, of the week from its Sunday."""
    if period == "MONTH":
        first = today.replace(day=1)
        start = first + datetime.timedelta(days=offset)
        if start > today:
            previous = (first - datetime.timedelta(days=1)).replace(day=1)
            start = previous + datetime.timedelta(days=offset)
        return start
    if period == "WEEK":
        days = (today - _SUNDAY).days - offset
        return today - datetime.timedelta(days=days % 7)
    return today


def start_of(quota: Mapping[str, Any], day: datetime.date) -> datetime.date:
    """The first day of a quota's period that contains a day."""
    return period_start(quota.get("period") or "DAY", quota.get("offset") or 0, day)


def used(quota: Mapping[str, Any], days: Days, day: datetime.date) -> int:
    """The requests of a quota's period, up to the end of a day of it."""
    start = start_of(quota, day)
    return sum(count for each, count in days.items() if start <= each <= day)


def remaining(
    quota: Mapping[str, Any], extension: Mapping[str, Any] | None, days: Days, day: datetime.date
) -> int:
    """What is left of a quota at the end of a day: never below zero."""
    start, limit = start_of(quota, day), int(quota["limit"])
    if extension is not None and extension["start"] == start.isoformat():
        limit = int(extension["limit"])
    return max(0, limit - used(quota, days, day))


def extended(
    quota: Mapping[str, Any], days: Days, day: datetime.date, left: int
) -> Mapping[str, Any]:
    """The extension after which `left` requests are left in the period that contains a day."""
    limit = used(quota, days, day) + left
    return {"start": start_of(quota, day).isoformat(), "limit": limit}
