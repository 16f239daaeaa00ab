"""ImportRestApi, PutRestApi, ImportDocumentationParts: what is done with an OpenAPI document that
was read."""

from collections.abc import Mapping
from typing import Any

from lambent.control.apis.errors import bad_request
from lambent.control.apis.kinds import Params
from lambent.control.apis.v1 import documentation, rest_apis
from lambent.control.apis.v1.importing import applying
from lambent.control.apis.v1.importing.plan import Plan, documentation_parts, make_plan
from lambent.control.apis.v1.work import Function, Work

DOCUMENT = "document"
"""The member of the input in which a use case finds the document; `body` is how it was sent."""


def import_api(work: Work, params: Params) -> Params:
    """ImportRestApi."""
    plan = _plan(params)
    kinds = (params.get("parameters") or {}).get("endpointConfigurationTypes")
    endpoint = {"types": kinds.split(",")} if kinds else {}
    api = applying.create(work, plan, endpoint)
    return {**rest_apis.shown(api, is_listed=True), **_warnings(plan)}


def put_api(work: Work, params: Params) -> Params:
    """PutRestApi: by default, merges."""
    api = work.collection("api", params).require(params["restApiId"])
    plan = _plan(params)
    applied = applying.Applying(work, api, plan)
    changed = applied.overwrite() if params.get("mode") == "overwrite" else applied.merge()
    return {**rest_apis.shown(changed), **_warnings(plan)}


def import_parts(work: Work, params: Params) -> Params:
    """ImportDocumentationParts: by default, merges."""
    api = work.collection("api", params).require(params["restApiId"])
    parts = documentation_parts(params[DOCUMENT])
    keeps = params.get("mode") != "overwrite"
    return {"ids": documentation.put_parts(work, api.root, parts, keeps=keeps)}


def _plan(params: Params) -> Plan:
    parameters: Mapping[str, Any] = params.get("parameters") or {}
    plan = make_plan(params[DOCUMENT], parameters.get("basepath", "ignore"))
    if plan.warnings and params.get("failOnWarnings"):
        raise bad_request(f"Warnings found during import: {'; '.join(plan.warnings)[:2000]}")
    return plan


def _warnings(plan: Plan) -> Mapping[str, Any]:
    return {"warnings": list(plan.warnings)[:100]} if plan.warnings else {}


READS: Mapping[str, Function] = {}
WRITES: Mapping[str, Function] = {
    "ImportRestApi": import_api,
    "PutRestApi": put_api,
    "ImportDocumentationParts": import_parts,
}
