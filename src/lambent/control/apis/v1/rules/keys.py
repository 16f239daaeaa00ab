"""What API keys and usage plans may be. The values of API keys are secrets: no error shows one."""

import re
from collections.abc import Mapping
from typing import Any

from lambent.control.apis.errors import bad_request, conflict, not_found
from lambent.control.apis.kinds import Draft
from lambent.control.apis.v1.limits import (
    API_KEY_LENGTH_MAX,
    API_KEY_LENGTH_MIN,
    NAME_LENGTH_MAX,
)
from lambent.control.apis.v1.rules.apis import without_unset
from lambent.model.document import Body, Root

_LAST_OFFSETS = {"DAY": 0, "WEEK": 6, "MONTH": 27}
_THROTTLED = re.compile(r"/[^/]*(?:/.*)?/[A-Z*]+", re.S)
_STAGES_MAX = 100
_METHODS_MAX = 100


def check_key(draft: Draft) -> Body:
    """The check of API keys: values are unique in an account and region."""
    body = without_unset(draft.body)
    value = body["value"]
    if len(value) < API_KEY_LENGTH_MIN:
        raise bad_request(f"API Key value should be at least {API_KEY_LENGTH_MIN} characters")
    if len(value) > API_KEY_LENGTH_MAX:
        raise bad_request(f"API Key value exceeds maximum size of {API_KEY_LENGTH_MAX} characters")
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise bad_request("API Key value must consist of printable ASCII characters")
    for member in ("name", "description", "customerId"):
        if len(body.get(member, "")) > NAME_LENGTH_MAX:
            raise bad_request(f"API Key {member} is longer than {NAME_LENGTH_MAX} characters")
    if draft.before is None or draft.before["value"] != value:
        for other in draft.tx.documents.list_of(draft.root, "api_key"):
            if other.id != draft.id and other.body["value"] == value:
                raise conflict("API Key already exists")
    return body


def check_plan(draft: Draft) -> Body:
    """The check of usage plans."""
    body = without_unset(draft.body)
    if not body.get("name") or len(body["name"]) > NAME_LENGTH_MAX:
        raise bad_request("Usage Plan name cannot be blank")
    check_throttle(body.get("throttle") or {})
    if "quota" in body:
        body["quota"] = _check_quota(body["quota"])
    stages = body.get("apiStages") or []
    if len(stages) > _STAGES_MAX:
        raise bad_request(f"A usage plan must not have more than {_STAGES_MAX} stages.")
    known = (draft.before or {}).get("apiStages") or []
    seen = set()
    for stage in stages:
        named = stage.get("apiId", ""), stage.get("stage", "")
        if named in seen:
            raise conflict(f"API Stage is already in the usage plan: {named[0]}:{named[1]}")
        seen.add(named)
        if stage not in known:
            _check_stage(draft, stage)
    return body


def check_throttle(throttle: Mapping[str, Any]) -> None:
    """Raises `BadRequestException` for limits that are negative."""
    if throttle.get("burstLimit", 0) < 0 or throttle.get("rateLimit", 0) < 0:
        raise bad_request("Usage Plan throttle limits must not be negative.")


def _check_quota(quota: Mapping[str, Any]) -> Mapping[str, Any]:
    whole = {"offset": 0, **quota}
    period = whole.get("period")
    if period not in _LAST_OFFSETS:
        raise bad_request("Usage Plan quota period must be one of [DAY, WEEK, MONTH]")
    if whole.get("limit", 0) <= 0:
        raise bad_request("Usage Plan quota limit must be positive")
    if not 0 <= whole["offset"] <= _LAST_OFFSETS[period]:
        raise bad_request(
            f"Usage Plan quota start day must be between 0 and {_LAST_OFFSETS[period]} for the"
            f" period {period}"
        )
    return whole


def _check_stage(draft: Draft, stage: Mapping[str, Any]) -> None:
    api, name = stage.get("apiId", ""), stage.get("stage", "")
    root = Root(draft.root.service, draft.root.account, draft.root.region, api)
    is_fit = 0 < len(api) <= 64 and 0 < len(name) <= 128
    if not is_fit or draft.tx.documents.get(root, "stage", name) is None:
        raise not_found(f"API Stage not found: {api[:64]}:{name[:128]}")
    methods = stage.get("throttle") or {}
    if len(methods) > _METHODS_MAX:
        raise bad_request(f"A stage must not have more than {_METHODS_MAX} throttled methods.")
    for method, throttle in methods.items():
        if not _THROTTLED.fullmatch(method):
            raise bad_request(f"Invalid method in throttle settings: {method[:200]}")
        check_throttle(throttle)
