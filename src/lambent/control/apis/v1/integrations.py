"""Integrations: what methods call, and how they map the responses."""

from collections.abc import Mapping
from typing import Any

from lambent.control.apis.errors import not_found
from lambent.control.apis.kinds import Params
from lambent.control.apis.v1.methods import NO_RESPONSE, require, store
from lambent.control.apis.v1.patch_tables import INTEGRATION, INTEGRATION_RESPONSE
from lambent.control.apis.v1.patches import read_patches
from lambent.control.apis.v1.rules.integrations import (
    check_integration,
    check_integration_response,
)
from lambent.control.apis.v1.work import Function, Work
from lambent.model.document import Document

_LOCATION = ("restApiId", "resourceId", "httpMethod", "integrationHttpMethod")


def put(work: Work, params: Params) -> Params:
    """PutIntegration: replaces the one that is there, with its responses."""
    method = require(work, params)
    given = {name: value for name, value in params.items() if name not in _LOCATION}
    if "integrationHttpMethod" in params:
        given["httpMethod"] = params["integrationHttpMethod"]
    body = check_integration(given, params["resourceId"])
    store(work, method, methodIntegration=body)
    return body


def get(work: Work, params: Params) -> Params:
    """GetIntegration."""
    return _require(require(work, params))


def update(work: Work, params: Params) -> Params:
    """UpdateIntegration."""
    method = require(work, params)
    patches = read_patches(params.get("patchOperations"))
    body = check_integration(INTEGRATION.apply(_require(method), patches), params["resourceId"])
    store(work, method, methodIntegration=body)
    return body


def delete(work: Work, params: Params) -> Params:
    """DeleteIntegration."""
    method = require(work, params)
    _require(method)
    store(work, method, methodIntegration=None)
    return {}


def put_response(work: Work, params: Params) -> Params:
    """PutIntegrationResponse: replaces the one with the same status code."""
    method = require(work, params)
    given = {name: value for name, value in params.items() if name not in _LOCATION}
    body = check_integration_response(given)
    _store_response(work, method, params["statusCode"], body)
    return body


def get_response(work: Work, params: Params) -> Params:
    """GetIntegrationResponse."""
    return _require_response(require(work, params), params["statusCode"])


def update_response(work: Work, params: Params) -> Params:
    """UpdateIntegrationResponse."""
    method, code = require(work, params), params["statusCode"]
    patches = read_patches(params.get("patchOperations"))
    before = _require_response(method, code)
    body = check_integration_response(INTEGRATION_RESPONSE.apply(before, patches))
    _store_response(work, method, code, body)
    return body


def delete_response(work: Work, params: Params) -> Params:
    """DeleteIntegrationResponse."""
    method, code = require(work, params), params["statusCode"]
    _require_response(method, code)
    _store_response(work, method, code, None)
    return {}


def _require(method: Document) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = method.body.get("methodIntegration")
    if found is None:
        raise not_found("Invalid Integration identifier specified")
    return found


def _require_response(method: Document, code: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = (_require(method).get("integrationResponses") or {}).get(code)
    if found is None:
        raise not_found(NO_RESPONSE)
    return found


def _store_response(
    work: Work, method: Document, code: str, body: Mapping[str, Any] | None
) -> None:
    integration = dict(_require(method))
    responses = {**(integration.get("integrationResponses") or {}), code: body}
    kept = {name: value for name, value in responses.items() if value is not None}
    integration.pop("integrationResponses", None)
    if kept:
        integration["integrationResponses"] = kept
    store(work, method, methodIntegration=integration)


READS: Mapping[str, Function] = {
    "GetIntegration": get,
    "GetIntegrationResponse": get_response,
}
WRITES: Mapping[str, Function] = {
    "PutIntegration": put,
    "UpdateIntegration": update,
    "DeleteIntegration": delete,
    "PutIntegrationResponse": put_response,
    "UpdateIntegrationResponse": update_response,
    "DeleteIntegrationResponse": delete_response,
}
