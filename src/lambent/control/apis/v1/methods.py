"""Methods of resources, and the responses that they declare."""

from collections.abc import Mapping
from typing import Any

from lambent.control.apis.errors import conflict, not_found
from lambent.control.apis.kinds import Params
from lambent.control.apis.v1 import generic
from lambent.control.apis.v1.patch_tables import METHOD_RESPONSE
from lambent.control.apis.v1.patches import read_patches
from lambent.control.apis.v1.paths import check_verb
from lambent.control.apis.v1.rules.methods import check_response
from lambent.control.apis.v1.work import Function, Work
from lambent.model.document import Document

NO_RESPONSE = "Invalid Response status code specified"
_LOCATION = ("restApiId", "resourceId", "httpMethod")


def require(work: Work, params: Params) -> Document:
    """The method that a request names. Raises `NotFoundException`."""
    return work.collection("method", params).require(params["httpMethod"])


def store(work: Work, method: Document, **members: Any) -> None:
    """Set members of a method; those that are None are removed."""
    body = {**method.body, **members}
    work.tx.documents.put(
        method.root,
        "method",
        method.id,
        {name: value for name, value in body.items() if value is not None},
    )


def put(work: Work, params: Params) -> Params:
    """PutMethod."""
    documents = work.collection("method", params)
    documents.require_parents()
    check_verb(params["httpMethod"])
    given = {name: value for name, value in params.items() if name not in _LOCATION}
    return generic.shown(documents.create(params["httpMethod"], given))


def put_response(work: Work, params: Params) -> Params:
    """PutMethodResponse."""
    method = require(work, params)
    responses = dict(method.body.get("methodResponses") or {})
    code = params["statusCode"]
    if code in responses:
        raise conflict("Response already exists for this resource")
    body = {
        name: params[name]
        for name in ("statusCode", "responseParameters", "responseModels")
        if name in params
    }
    check_response(work.tx, method.root, body)
    store(work, method, methodResponses={**responses, code: body})
    return body


def get_response(work: Work, params: Params) -> Params:
    """GetMethodResponse."""
    return _require_response(require(work, params), params["statusCode"])


def update_response(work: Work, params: Params) -> Params:
    """UpdateMethodResponse."""
    method, code = require(work, params), params["statusCode"]
    patches = read_patches(params.get("patchOperations"))
    body = METHOD_RESPONSE.apply(_require_response(method, code), patches)
    check_response(work.tx, method.root, body)
    store(work, method, methodResponses={**method.body["methodResponses"], code: body})
    return body


def delete_response(work: Work, params: Params) -> Params:
    """DeleteMethodResponse."""
    method, code = require(work, params), params["statusCode"]
    _require_response(method, code)
    responses = dict(method.body["methodResponses"])
    del responses[code]
    store(work, method, methodResponses=responses or None)
    return {}


def _require_response(method: Document, code: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = (method.body.get("methodResponses") or {}).get(code)
    if found is None:
        raise not_found(NO_RESPONSE)
    return found


READS: Mapping[str, Function] = {
    "GetMethod": generic.get("method"),
    "GetMethodResponse": get_response,
}
WRITES: Mapping[str, Function] = {
    "PutMethod": put,
    "UpdateMethod": generic.patch("method"),
    "DeleteMethod": generic.delete("method"),
    "PutMethodResponse": put_response,
    "UpdateMethodResponse": update_response,
    "DeleteMethodResponse": delete_response,
}
