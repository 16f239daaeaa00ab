"""Usage of API keys: the requests of each day, and what is left of quotas."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control.apis.errors import bad_request
from lambent.control.apis.kinds import Params
from lambent.control.apis.v1 import generic
from lambent.control.apis.v1.changes import read_whole
from lambent.control.apis.v1.patch_tables import COUNT_MAX
from lambent.control.apis.v1.patches import read_patches
from lambent.control.apis.v1.usage_plans import members_of
from lambent.control.apis.v1.work import Function, Work
from lambent.model.document import Body, Document
from lambent.model.usage import EXTENSION, Days, day_of, extended, remaining, start_of

_DAYS_MAX = 90
_PATH = "/remaining"
_NO_QUOTA = -1
"""What is left of no quota."""


def get(work: Work, params: Params) -> Params:
    """GetUsage: of each day the requests, and what is left of the quota then."""
    plan = work.collection("usage_plan", params).require(params["usagePlanId"])
    first, last = _date(params, "startDate"), _date(params, "endDate")
    if not 0 <= (last - first).days < _DAYS_MAX:
        raise bad_request(f"The interval must have between 1 and {_DAYS_MAX} days.")
    members = members_of(work, plan.id)
    if params.get("keyId"):
        members = [work.collection("usage_plan_key", params).require(params["keyId"])]
    quota = plan.body.get("quota")
    # A period that contains the first day begins before it.
    since = first if quota is None else start_of(quota, first)
    counts = work.tx.usage.of_plan(work.scope, plan.id, since)
    page = generic.page(members, params, show=lambda member: {"member": member})
    shown = [item["member"] for item in page.pop("items")]
    days = [first + datetime.timedelta(days=number) for number in range((last - first).days + 1)]
    items = {
        member.body["id"]: _log(quota, member.body, counts.get(member.body["id"], {}), days)
        for member in shown
    }
    return {**_head(plan, first, last), "items": items, **page}


def update(work: Work, params: Params) -> Params:
    """UpdateUsage: says what is left of the quota in the period that is now."""
    plan = work.collection("usage_plan", params).require(params["usagePlanId"])
    member = work.collection("usage_plan_key", params).require(params["keyId"])
    quota, today = plan.body.get("quota"), day_of(work.now)
    if not quota:
        raise bad_request(f"Usage Plan {plan.id} does not have a quota.")
    since = start_of(quota, today)
    days = work.tx.usage.of_plan(work.scope, plan.id, since).get(params["keyId"], {})
    body = dict(member.body)
    for patch in read_patches(params.get("patchOperations")):
        if patch.path != _PATH or patch.op != "replace":
            raise bad_request(
                f"Invalid patch path  '{patch.path}' specified for op '{patch.op}'. Must be one of:"
                f" [{_PATH}]"
            )
        left = read_whole(patch.text)
        if left is None or not 0 <= left <= COUNT_MAX:
            raise bad_request(f"Invalid value for {patch.path}: {patch.text[:100]}")
        body[EXTENSION] = extended(quota, days, today, left)
    if body != member.body:
        work.tx.documents.put(member.root, member.kind, member.id, body)
    items = {params["keyId"]: _log(quota, body, days, [today])}
    return {**_head(plan, today, today), "items": items}


def _log(
    quota: Mapping[str, Any] | None, member: Body, counts: Days, days: Sequence[datetime.date]
) -> list[list[int]]:
    """Of each day the requests, and what was left at its end."""
    return [
        [
            counts.get(day, 0),
            _NO_QUOTA if quota is None else remaining(quota, member.get(EXTENSION), counts, day),
        ]
        for day in days
    ]


def _head(plan: Document, first: datetime.date, last: datetime.date) -> dict[str, Any]:
    dates = {"startDate": first.isoformat(), "endDate": last.isoformat()}
    return {"usagePlanId": plan.id, **dates}


def _date(params: Params, member: str) -> datetime.date:
    text = params[member]
    try:
        if len(text) != len("2026-11-29"):
            raise ValueError("other formats of ISO 8601")
        date = datetime.date.fromisoformat(text)
    except ValueError:
        raise bad_request(f"Invalid {member}: {text[:32]!r}. Use YYYY-MM-DD.") from None
    if not 2000 <= date.year < 9999:
        raise bad_request(f"Invalid {member}: {text}.")
    return date


READS: Mapping[str, Function] = {"GetUsage": get}
WRITES: Mapping[str, Function] = {"UpdateUsage": update}
