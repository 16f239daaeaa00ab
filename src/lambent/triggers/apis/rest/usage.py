"""API keys and usage plans: who may call a stage, how often a second and how often a day.

Requests are counted in memory: a quota begins again when the platform starts.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
"""

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence

from lambent.kit.clock import Clock
from lambent.model.document import Body
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.throttling import ACCOUNT_BURST, ACCOUNT_RATE, TokenBucket

MakeBucket = Callable[[float, float], TokenBucket]
"""Makes a bucket of a rate and a burst."""
_EPOCH = datetime.date(1970, 1, 1)
_MONDAY = datetime.date(1970, 1, 5)


@dataclasses.dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that may call stages. Its value is a secret."""

    id: str
    value: str = dataclasses.field(repr=False)
    is_enabled: bool
    plans: Sequence[Body]
    """The usage plans that it is in."""


def keys_by_value(
    keys: Mapping[str, Body], plans: Mapping[str, Body], memberships: Iterable[str]
) -> dict[str, ApiKey]:
    """An account's keys by their values. `memberships` are `<plan id>/<key id>`."""
    plans_of: dict[str, list[Body]] = {}
    for membership in memberships:
        plan_id, _, key_id = membership.partition("/")
        if plan_id in plans:
            plans_of.setdefault(key_id, []).append({**plans[plan_id], "id": plan_id})
    return {
        body["value"]: ApiKey(id, body["value"], body.get("enabled", True), plans_of.get(id, ()))
        for id, body in keys.items()
        if body.get("value")
    }


def period_start(period: str, offset: int, today: datetime.date) -> datetime.date:
    """The first day of the period that contains a day. The offset is in days: of the month from its
    first day, of the week from its Monday."""
    if period == "MONTH":
        first = today.replace(day=1)
        start = first + datetime.timedelta(days=offset)
        if start > today:
            previous = (first - datetime.timedelta(days=1)).replace(day=1)
            start = previous + datetime.timedelta(days=offset)
        return start
    if period == "WEEK":
        days = (today - _MONDAY).days - offset
        return today - datetime.timedelta(days=days % 7)
    return today


class UsageCounter:
    """Counts the requests of keys by plan."""

    def __init__(self, clock: Clock, make_bucket: MakeBucket) -> None:
        self._clock = clock
        self._make_bucket = make_bucket
        self._buckets: dict[tuple[str, str, str], tuple[object, TokenBucket]] = {}
        self._used: dict[tuple[str, str], dict[datetime.date, int]] = {}
        """By plan and key, requests of each day."""

    def count(self, key: ApiKey | None, api_id: str, stage: str, method: str) -> None:
        """Count a request to `GET /pets`, of a stage. Raises `GatewayError` if there is no such
        key, it is in no plan of the stage, or it is over a limit."""
        if key is None or not key.is_enabled:
            raise GatewayError("INVALID_API_KEY", "There is no enabled API key of this value.")
        for plan in key.plans:
            for entry in plan.get("apiStages") or ():
                if entry.get("apiId") == api_id and entry.get("stage") == stage:
                    self._check(key, plan, entry, method)
                    return
        raise GatewayError("INVALID_API_KEY", "The API key is in no usage plan of the stage.")

    def _check(self, key: ApiKey, plan: Body, entry: Body, method: str) -> None:
        limits = (entry.get("throttle") or {}).get(method) or plan.get("throttle")
        if limits and not self._bucket(plan["id"], key.id, method, limits).take():
            raise GatewayError("THROTTLED")
        used = self._used.setdefault((plan["id"], key.id), {})
        today = _EPOCH + datetime.timedelta(days=int(self._clock.now() // 86_400))
        quota = plan.get("quota")
        if quota and quota.get("limit") is not None:
            start = period_start(quota.get("period") or "DAY", quota.get("offset") or 0, today)
            if sum(count for day, count in used.items() if day >= start) >= quota["limit"]:
                raise GatewayError("QUOTA_EXCEEDED")
        used[today] = used.get(today, 0) + 1

    def _bucket(self, plan_id: str, key_id: str, method: str, limits: Body) -> TokenBucket:
        rate, burst = limits.get("rateLimit"), limits.get("burstLimit")
        known = self._buckets.get((plan_id, key_id, method))
        if known is None or known[0] != (rate, burst):
            bucket = self._make_bucket(
                ACCOUNT_RATE if rate is None else rate, ACCOUNT_BURST if burst is None else burst
            )
            known = self._buckets[plan_id, key_id, method] = (rate, burst), bucket
        return known[1]
