"""API keys and usage plans: who may call a stage, how often a second and how often a day.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from lambent.model.arn import Scope
from lambent.model.document import Body
from lambent.model.usage import EXTENSION, UsageId, remaining
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.usage_counts import UsageCounts
from lambent.triggers.apis.throttling import ACCOUNT_BURST, ACCOUNT_RATE, TokenBucket

MakeBucket = Callable[[str, float, float], TokenBucket]
"""Makes a bucket of a name, a rate and a burst."""


@dataclasses.dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that may call stages. Its value is a secret."""

    id: str
    value: str = dataclasses.field(repr=False)
    is_enabled: bool
    plans: Sequence[Body]
    """The usage plans that it is in, each with the key's `extension`."""


class Member(NamedTuple):
    """A key as a member of the plan that counts for a stage."""

    key: ApiKey
    id: UsageId
    plan: Body
    stage: Body
    """The entry of the plan's `apiStages`."""


def keys_by_value(
    keys: Mapping[str, Body], plans: Mapping[str, Body], memberships: Mapping[str, Body]
) -> dict[str, ApiKey]:
    """An account's keys by their values. The ids of memberships are `<plan id>/<key id>`."""
    plans_of: dict[str, list[Body]] = {}
    for id, membership in memberships.items():
        plan_id, _, key_id = id.partition("/")
        if plan_id in plans:
            extension = membership.get(EXTENSION)
            plan = {**plans[plan_id], "id": plan_id, EXTENSION: extension}
            plans_of.setdefault(key_id, []).append(plan)
    return {
        body["value"]: ApiKey(id, body["value"], body.get("enabled", True), plans_of.get(id, ()))
        for id, body in keys.items()
        if body.get("value")
    }


def member_of(key: ApiKey | None, scope: Scope, api_id: str, stage: str) -> Member:
    """The plan of a stage in which a key is. Raises `GatewayError` if there is no such key, or none
    of its plans has the stage."""
    if key is None or not key.is_enabled:
        raise GatewayError("INVALID_API_KEY", "There is no enabled API key of this value.")
    for plan in key.plans:
        for entry in plan.get("apiStages") or ():
            if entry.get("apiId") == api_id and entry.get("stage") == stage:
                return Member(key, UsageId(scope, plan["id"], key.id), plan, entry)
    raise GatewayError("INVALID_API_KEY", "The API key is in no usage plan of the stage.")


class UsagePlans:
    """Counts the requests of keys, and refuses those over a limit."""

    def __init__(self, counts: UsageCounts, make_bucket: MakeBucket) -> None:
        self._counts = counts
        self._make_bucket = make_bucket
        self._buckets: dict[tuple[UsageId, str], tuple[object, TokenBucket]] = {}
        """By key, and the method of a stage; empty for all of a plan."""

    def count_nowait(self, member: Member, method: str) -> bool:
        """Count a request for `/pets/GET` if all it takes is in memory; returns whether it is.
        Raises `GatewayError` for a request over a limit."""
        days = self._counts.get_nowait(member.id)
        if days is None:
            return False
        plan = member.plan
        # The limit of a method goes before the plan's, which is one for all stages.
        limits = (member.stage.get("throttle") or {}).get(method)
        where = f"{member.stage['apiId']}:{member.stage['stage']}{method}" if limits else ""
        limits = limits or plan.get("throttle")
        if limits and not self._bucket(member.id, where, limits).take():
            raise GatewayError("THROTTLED", "The API key is over the rate of its usage plan.")
        quota, today = plan.get("quota"), self._counts.today
        if quota and not remaining(quota, plan[EXTENSION], days, today):
            raise GatewayError("QUOTA_EXCEEDED", "The API key has used its quota.")
        self._counts.add(member.id, today)
        return True

    async def count(self, member: Member, method: str) -> None:
        """As `count_nowait`, reading what is missing."""
        await self._counts.get(member.id)
        self.count_nowait(member, method)

    def _bucket(self, id: UsageId, where: str, limits: Body) -> TokenBucket:
        rate, burst = limits.get("rateLimit"), limits.get("burstLimit")
        known = self._buckets.get((id, where))
        if known is None or known[0] != (rate, burst):
            bucket = self._make_bucket(
                f"{id}{where}",
                ACCOUNT_RATE if rate is None else rate,
                ACCOUNT_BURST if burst is None else burst,
            )
            known = self._buckets[id, where] = (rate, burst), bucket
        return known[1]
