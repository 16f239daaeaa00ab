"""Usage plans: which API keys may call which stages, and how often."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control.apis.errors import bad_request, conflict, not_found
from lambent.control.apis.kinds import Params
from lambent.control.apis.tags import check_tags
from lambent.control.apis.v1 import generic
from lambent.control.apis.v1.changes import read_number, read_whole
from lambent.control.apis.v1.patch_tables import COUNT_MAX, USAGE_PLAN
from lambent.control.apis.v1.patches import Patch, read_patches
from lambent.control.apis.v1.work import Function, Work
from lambent.model.document import Document

_THROTTLE = re.compile(
    r"/apiStages/(?P<stage>[^/]+)/throttle(?P<method>/.+?)?(?:/(?P<name>rateLimit|burstLimit))?",
    re.S,
)


def create(work: Work, params: Params) -> Params:
    """CreateUsagePlan."""
    check_tags(params.get("tags") or {})
    return generic.shown(work.collection("usage_plan", {}).create(None, params), is_listed=True)


def list_all(work: Work, params: Params) -> Params:
    """GetUsagePlans; those of a key if one is named."""
    found: Sequence[Document] = work.collection("usage_plan", params).list()
    if params.get("keyId"):
        plans = plans_of(work, params["keyId"])
        found = [plan for plan in found if plan.id in plans]
    return generic.page(found, params)


def update(work: Work, params: Params) -> Params:
    """UpdateUsagePlan. Stages are added and removed by `API_ID:STAGE`."""
    plans, id = work.collection("usage_plan", params), params["usagePlanId"]
    body: dict[str, Any] = dict(plans.require(id).body)
    for patch in read_patches(params.get("patchOperations")):
        if patch.path == "/apiStages":
            body["apiStages"] = _changed_stages(body.get("apiStages") or [], patch)
        elif (found := _THROTTLE.fullmatch(patch.path)) is not None:
            body["apiStages"] = _throttled(body.get("apiStages") or [], patch, found)
        else:
            body = USAGE_PLAN.apply(body, [patch])
    stored = plans.replace(id, body)
    for member in members_of(work, id):
        _check_one_plan(work, stored, member.id.rpartition("/")[2])
    return generic.shown(stored)


def delete(work: Work, params: Params) -> Params:
    """DeleteUsagePlan, which must have no stages."""
    plans, id = work.collection("usage_plan", params), params["usagePlanId"]
    if plans.require(id).body.get("apiStages"):
        raise bad_request(
            f"Cannot delete Usage Plan '{id}' because it is associated with API stages. Please"
            " disassociate all stages from it and try again."
        )
    plans.delete(id)
    return {}


def add_key(work: Work, params: Params) -> Params:
    """CreateUsagePlanKey."""
    if params["keyType"] != "API_KEY":
        raise bad_request("Usage plan key type must be API_KEY")
    documents = work.collection("usage_plan_key", params)
    documents.require_parents()
    key = work.collection("api_key", {}).require(params["keyId"])
    plan = work.collection("usage_plan", params).require(params["usagePlanId"])
    _check_one_plan(work, plan, key.id)
    return _shown_key(documents.create(key.id, {"type": "API_KEY"}), key)


def get_key(work: Work, params: Params) -> Params:
    """GetUsagePlanKey, with its value."""
    member = work.collection("usage_plan_key", params).require(params["keyId"])
    return _shown_key(member, work.collection("api_key", {}).require(params["keyId"]))


def list_keys(work: Work, params: Params) -> Params:
    """GetUsagePlanKeys: those whose names begin with `nameQuery`."""
    prefix = params.get("nameQuery") or ""
    keys = {key.id: key for key in work.tx.documents.list_of(work.root(), "api_key")}
    found = [
        member
        for member in work.collection("usage_plan_key", params).list()
        if keys[member.body["id"]].body.get("name", "").startswith(prefix)
    ]
    return generic.page(
        found, params, show=lambda member: _shown_key(member, keys[member.body["id"]])
    )


def forget_stages(work: Work, api: str, stage: str | None = None) -> None:
    """Remove a stage that is deleted, or all of an API, from usage plans."""
    root = work.root()
    work.tx.locks.root(root)
    for plan in work.tx.documents.list_of(root, "usage_plan"):
        stages = plan.body.get("apiStages") or []
        kept = [
            entry
            for entry in stages
            if entry["apiId"] != api or stage not in (None, entry["stage"])
        ]
        if len(kept) < len(stages):
            work.tx.documents.put(root, "usage_plan", plan.id, {**plan.body, "apiStages": kept})


def plans_of(work: Work, key: str) -> set[str]:
    """The ids of the usage plans that have a key."""
    members = work.tx.documents.list_of(work.root(), "usage_plan_key")
    return {plan for plan, _, id in (member.id.partition("/") for member in members) if id == key}


def members_of(work: Work, plan: str) -> list[Document]:
    """The keys of a usage plan."""
    members = work.tx.documents.list_of(work.root(), "usage_plan_key")
    return [member for member in members if member.id.startswith(f"{plan}/")]


def _check_one_plan(work: Work, plan: Document, key: str) -> None:
    """Raises `ConflictException` if another plan of a key has one of the stages too."""
    own = {(entry["apiId"], entry["stage"]) for entry in plan.body.get("apiStages") or []}
    for id in plans_of(work, key) - {plan.id}:
        other = work.tx.documents.get(work.root(), "usage_plan", id)
        for entry in (other.body.get("apiStages") or []) if other is not None else []:
            if (entry["apiId"], entry["stage"]) in own:
                raise conflict(
                    "An API key can be in one usage plan of a stage. It is in"
                    f" {id}, which has the stage {entry['apiId']}:{entry['stage']}."
                )


def _shown_key(member: Document, key: Document) -> dict[str, Any]:
    shown = {"id": key.id, "type": member.body["type"], "value": key.body["value"]}
    return {**shown, "name": key.body["name"]} if "name" in key.body else shown


def _named(text: str) -> tuple[str, str]:
    api, colon, stage = text.partition(":")
    if not (api and colon and stage):
        raise bad_request(f"Invalid API Stage: {text[:200]}. It must be API_ID:STAGE.")
    return api, stage


def _changed_stages(stages: Sequence[Mapping[str, Any]], patch: Patch) -> list[Mapping[str, Any]]:
    api, name = _named(patch.text)
    rest = [entry for entry in stages if (entry["apiId"], entry["stage"]) != (api, name)]
    if patch.op == "add":
        return [*stages, {"apiId": api, "stage": name}]
    if patch.op != "remove":
        raise bad_request("Invalid patch operation specified. Must be one of: [add, remove]")
    if len(rest) == len(stages):
        raise not_found(f"API Stage not found: {patch.text[:200]}")
    return rest


def _throttled(
    stages: Sequence[Mapping[str, Any]], patch: Patch, found: re.Match[str]
) -> list[Mapping[str, Any]]:
    """The stages after a change of the limits of a method. A patch's path is
    `/apiStages/API:STAGE/throttle/PATH/VERB/rateLimit`, with the slashes of PATH written `~1`."""
    wanted = _named(found["stage"])
    entry = next((each for each in stages if (each["apiId"], each["stage"]) == wanted), None)
    if entry is None:
        raise not_found(f"API Stage not found: {found['stage'][:200]}")
    throttle = {name: dict(limits) for name, limits in (entry.get("throttle") or {}).items()}
    method = (found["method"] or "")[1:].replace("~1", "/").replace("~0", "~")
    if patch.op == "remove" and not method:
        throttle = {}
    elif patch.op == "remove" and not found["name"]:
        throttle.pop(method, None)
    elif patch.op in ("add", "replace") and method and found["name"]:
        is_whole = found["name"] == "burstLimit"
        value = read_whole(patch.text) if is_whole else read_number(patch.text)
        if value is None or not 0 <= value <= COUNT_MAX:
            raise bad_request(f"Invalid value for {patch.path}: {patch.text[:100]}")
        throttle.setdefault(method, {})[found["name"]] = value
    else:
        raise bad_request(f"Invalid patch path {patch.path}")
    changed = {name: value for name, value in entry.items() if name != "throttle"}
    if throttle:
        changed["throttle"] = throttle
    return [changed if each is entry else each for each in stages]


READS: Mapping[str, Function] = {
    "GetUsagePlan": generic.get("usage_plan"),
    "GetUsagePlans": list_all,
    "GetUsagePlanKey": get_key,
    "GetUsagePlanKeys": list_keys,
}
WRITES: Mapping[str, Function] = {
    "CreateUsagePlan": create,
    "UpdateUsagePlan": update,
    "DeleteUsagePlan": delete,
    "CreateUsagePlanKey": add_key,
    "DeleteUsagePlanKey": generic.delete("usage_plan_key"),
}
