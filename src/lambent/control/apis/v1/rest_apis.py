"""REST APIs themselves."""

from collections.abc import Mapping
from typing import Any

from lambent.control.apis.errors import bad_request
from lambent.control.apis.ids import new_id
from lambent.control.apis.kinds import Params
from lambent.control.apis.tags import check_tags
from lambent.control.apis.v1 import generic, usage_plans
from lambent.control.apis.v1.errors import limit_exceeded
from lambent.control.apis.v1.limits import APIS_MAX
from lambent.control.apis.v1.rules.apis import shown_policy
from lambent.control.apis.v1.rules.models import DEFAULTS as DEFAULT_MODELS
from lambent.control.apis.v1.rules.models import REFERENCE
from lambent.control.apis.v1.work import Function, Work
from lambent.model.document import Document

ID_LENGTH = 6
"""Of ids inside an API."""
_CLONED = frozenset(
    {
        *("resource", "method", "model", "request_validator", "authorizer", "gateway_response"),
        "documentation_part",
    }
)
_NOT_CLONED = frozenset({"id", "createdDate", "name", "tags", "rootResourceId", "warnings"})


def shown(document: Document, *, is_listed: bool = False) -> dict[str, Any]:
    """The output members of an API."""
    members = generic.shown(document, is_listed=is_listed)
    if "policy" in members:
        members["policy"] = shown_policy(members["policy"])
    return members


def create(work: Work, params: Params) -> Params:
    """CreateRestApi: also makes the root resource and two models, or copies another API."""
    if params.get("description") == "":
        raise bad_request("Description cannot be an empty string")
    given = dict(params)
    source = given.pop("cloneFrom", None)
    if not source:
        return shown(make(work, given, DEFAULT_MODELS), is_listed=True)
    original = work.collection("api", {"restApiId": source}).require(source)
    copied = {name: value for name, value in original.body.items() if name not in _NOT_CLONED}
    api = make(work, {**copied, **given})
    work.tx.documents.delete(api.root, "resource", api.body["rootResourceId"])
    _clone(work, original, api)
    root_id = original.body["rootResourceId"]
    return shown(
        work.tx.documents.put(api.root, "api", api.id, {**api.body, "rootResourceId": root_id}),
        is_listed=True,
    )


def make(
    work: Work, given: Mapping[str, Any], models: tuple[Mapping[str, Any], ...] = ()
) -> Document:
    """A new API with a root resource and models."""
    existing = work.tx.documents.list_in("apigateway", work.scope, "api", limit=APIS_MAX + 1)
    if len(existing) >= APIS_MAX:
        raise limit_exceeded("Maximum number of APIs has been reached.")
    check_tags(given.get("tags") or {})
    root_id = new_id(10)
    api = work.collection("api", {}).create(
        None, {**given, "createdDate": work.now, "rootResourceId": root_id}
    )
    work.tx.documents.put(api.root, "resource", root_id, {"id": root_id, "path": "/"})
    for model in models:
        work.tx.documents.put(api.root, "model", model["name"], {**model, "id": new_id(ID_LENGTH)})
    return api


def get(work: Work, params: Params) -> Params:
    """GetRestApi."""
    return shown(work.collection("api", params).require(params["restApiId"]))


def list_all(work: Work, params: Params) -> Params:
    """GetRestApis: by id."""
    found = work.tx.documents.list_in("apigateway", work.scope, "api")
    return generic.page(found, params, show=lambda api: shown(api, is_listed=True))


def update(work: Work, params: Params) -> Params:
    """UpdateRestApi."""
    return shown(generic.patched(work, "api", params))


def delete(work: Work, params: Params) -> Params:
    """DeleteRestApi, with everything in it. Usage plans lose its stages."""
    work.collection("api", params).delete(params["restApiId"])
    usage_plans.forget_stages(work, params["restApiId"])
    return {}


def _clone(work: Work, original: Document, api: Document) -> None:
    """Copy what an API consists of. Ids inside an API may be the same as inside another."""
    theirs = REFERENCE.format(api=original.id, name="")
    ours = REFERENCE.format(api=api.id, name="")
    for document in work.tx.documents.all_of(original.root):
        if document.kind not in _CLONED:
            continue
        body = dict(document.body)
        if document.kind == "model":
            body["schema"] = body["schema"].replace(theirs, ours)
        work.tx.documents.put(api.root, document.kind, document.id, body)


READS: Mapping[str, Function] = {"GetRestApi": get, "GetRestApis": list_all}
WRITES: Mapping[str, Function] = {
    "CreateRestApi": create,
    "UpdateRestApi": update,
    "DeleteRestApi": delete,
}
