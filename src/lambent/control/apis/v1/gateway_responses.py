"""Gateway responses: what clients receive when a request does not reach its integration."""

from collections.abc import Mapping
from typing import Any

from lambent.control.apis.errors import bad_request
from lambent.control.apis.kinds import Params
from lambent.control.apis.v1.patch_tables import GATEWAY_RESPONSE
from lambent.control.apis.v1.patches import read_patches
from lambent.control.apis.v1.rules.integrations import check_templates
from lambent.control.apis.v1.rules.methods import STATUS
from lambent.control.apis.v1.work import Function, Work
from lambent.model.document import Root

STATUSES: Mapping[str, str | None] = {
    "ACCESS_DENIED": "403",
    "API_CONFIGURATION_ERROR": "500",
    "AUTHORIZER_CONFIGURATION_ERROR": "500",
    "AUTHORIZER_FAILURE": "500",
    "BAD_REQUEST_BODY": "400",
    "BAD_REQUEST_PARAMETERS": "400",
    "DEFAULT_4XX": None,
    "DEFAULT_5XX": None,
    "EXPIRED_TOKEN": "403",
    "INTEGRATION_FAILURE": "504",
    "INTEGRATION_TIMEOUT": "504",
    "INVALID_API_KEY": "403",
    "INVALID_SIGNATURE": "403",
    "MISSING_AUTHENTICATION_TOKEN": "403",
    "QUOTA_EXCEEDED": "429",
    "REQUEST_TOO_LARGE": "413",
    "RESOURCE_NOT_FOUND": "404",
    "THROTTLED": "429",
    "UNAUTHORIZED": "401",
    "UNSUPPORTED_MEDIA_TYPE": "415",
    "WAF_FILTERED": "403",
}
"""The status code of each type."""
_TEMPLATES = {"application/json": '{"message":$context.error.messageString}'}
_PARAMETER_PREFIX = "gatewayresponse.header."
_ENTRIES_MAX = 100


def put(work: Work, params: Params) -> Params:
    """PutGatewayResponse: what is not given is as in the type's built-in response."""
    kind = params["responseType"]
    work.collection("gateway_response", params).require_parents()
    body = {**_built_in(kind), "defaultResponse": False}
    for name in ("statusCode", "responseParameters", "responseTemplates"):
        if params.get(name):
            body[name] = params[name]
    return store(work, work.root(params["restApiId"]), body)


def get(work: Work, params: Params) -> Params:
    """GetGatewayResponse: also one that is not configured."""
    work.collection("gateway_response", params).require_parents()
    return effective(_configured(work, params), params["responseType"])


def list_all(work: Work, params: Params) -> Params:
    """GetGatewayResponses: all types."""
    work.collection("gateway_response", params).require_parents()
    configured = _configured(work, params)
    return {"items": [effective(configured, kind) for kind in STATUSES]}


def update(work: Work, params: Params) -> Params:
    """UpdateGatewayResponse."""
    kind = params["responseType"]
    work.collection("gateway_response", params).require_parents()
    before = _configured(work, params).get(kind, _built_in(kind))
    body = GATEWAY_RESPONSE.apply(before, read_patches(params.get("patchOperations")))
    return store(work, work.root(params["restApiId"]), {**body, "defaultResponse": False})


def delete(work: Work, params: Params) -> Params:
    """DeleteGatewayResponse: the type has its built-in response again."""
    work.collection("gateway_response", params).delete(params["responseType"])
    return {}


def store(work: Work, root: Root, body: Mapping[str, Any]) -> Params:
    """Check a response and store it; returns its members."""
    stored = {"responseParameters": {}, "responseTemplates": {}, **body}
    if "statusCode" in stored and not STATUS.fullmatch(stored["statusCode"]):
        raise bad_request(f"Invalid status code specified: {stored['statusCode'][:20]}")
    check_templates(stored["responseTemplates"])
    if max(len(stored["responseTemplates"]), len(stored["responseParameters"])) > _ENTRIES_MAX:
        raise bad_request(f"A gateway response has at most {_ENTRIES_MAX} headers and templates.")
    for name, value in stored["responseParameters"].items():
        if not name.startswith(_PARAMETER_PREFIX) or len(name) > 256 or len(value) > 2048:
            raise bad_request(f"Invalid parameter name or value specified: {name[:256]}")
    work.tx.documents.put(root, "gateway_response", stored["responseType"], stored)
    return stored


def effective(configured: Mapping[str, Mapping[str, Any]], kind: str) -> dict[str, Any]:
    """The response of a type: its own, else that of `DEFAULT_4XX` or `DEFAULT_5XX` with its own
    status code unless that has one, else the built-in one."""
    if kind in configured:
        return dict(configured[kind])
    status = STATUSES[kind]
    fallback = configured.get(f"DEFAULT_{status[0]}XX") if status is not None else None
    if fallback is None:
        return _built_in(kind)
    return {"statusCode": status, **fallback, "responseType": kind, "defaultResponse": True}


def _built_in(kind: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "responseType": kind,
        "responseParameters": {},
        "responseTemplates": dict(_TEMPLATES),
        "defaultResponse": True,
    }
    status = STATUSES[kind]
    return body if status is None else {**body, "statusCode": status}


def _configured(work: Work, params: Params) -> Mapping[str, Mapping[str, Any]]:
    found = work.tx.documents.list_of(work.root(params["restApiId"]), "gateway_response")
    return {document.id: document.body for document in found}


READS: Mapping[str, Function] = {
    "GetGatewayResponse": get,
    "GetGatewayResponses": list_all,
}
WRITES: Mapping[str, Function] = {
    "PutGatewayResponse": put,
    "UpdateGatewayResponse": update,
    "DeleteGatewayResponse": delete,
}
