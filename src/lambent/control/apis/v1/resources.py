"""Resources: the paths of an API."""

from collections.abc import Mapping
from typing import Any

from lambent.control.apis.errors import bad_request
from lambent.control.apis.kinds import Params
from lambent.control.apis.v1 import generic
from lambent.control.apis.v1.paths import below, join
from lambent.control.apis.v1.work import Function, Work
from lambent.model.document import Document, Root


def create(work: Work, params: Params) -> Params:
    """CreateResource."""
    given = {"parentId": params["parentId"], "pathPart": params["pathPart"]}
    return generic.shown(work.collection("resource", params).create(None, given))


def get(work: Work, params: Params) -> Params:
    """GetResource; with `embed=methods`, all of its methods."""
    resource = work.collection("resource", params).require(params["resourceId"])
    return _shown(resource, _methods(work, resource.root), params)


def list_all(work: Work, params: Params) -> Params:
    """GetResources: by path."""
    found = work.collection("resource", params).list()
    methods = _methods(work, found[0].root) if found else {}
    return generic.page(
        found,
        params,
        key=lambda resource: str(resource.body["path"]),
        show=lambda resource: _shown(resource, methods, params),
    )


def update(work: Work, params: Params) -> Params:
    """UpdateResource: what is below moves along."""
    resource = generic.patched(work, "resource", params)
    documents = work.tx.documents
    bodies = {
        document.id: dict(document.body)
        for document in documents.list_of(resource.root, "resource")
    }
    for child in below(resource.id, bodies.values()):
        path = join(bodies[child["parentId"]]["path"], child["pathPart"])
        bodies[child["id"]]["path"] = path
        documents.put(resource.root, "resource", child["id"], bodies[child["id"]])
    return _shown(resource, _methods(work, resource.root), params)


def delete(work: Work, params: Params) -> Params:
    """DeleteResource, with everything below it."""
    resource = work.collection("resource", params).require(params["resourceId"])
    if "parentId" not in resource.body:
        raise bad_request("Root resource cannot be deleted.")
    remove(work, resource)
    return {}


def remove(work: Work, resource: Document) -> None:
    """Delete a resource with its methods and what is below it."""
    documents, root = work.tx.documents, resource.root
    bodies = [document.body for document in documents.list_of(root, "resource")]
    gone = {resource.id, *(child["id"] for child in below(resource.id, bodies))}
    for id in gone:
        documents.delete(root, "resource", id)
    for method in documents.list_of(root, "method"):
        if method.id.partition("/")[0] in gone:
            documents.delete(root, "method", method.id)


def _methods(work: Work, root: Root) -> Mapping[str, Mapping[str, Any]]:
    """All methods of an API, by resource and verb."""
    found: dict[str, dict[str, Any]] = {}
    for method in work.tx.documents.list_of(root, "method"):
        id, _, verb = method.id.partition("/")
        found.setdefault(id, {})[verb] = method.body
    return found


def _shown(
    resource: Document, methods: Mapping[str, Mapping[str, Any]], params: Params
) -> dict[str, Any]:
    members = generic.shown(resource)
    own = methods.get(resource.id)
    if own:
        is_embedded = "methods" in (params.get("embed") or ())
        members["resourceMethods"] = {
            verb: dict(body) if is_embedded else {} for verb, body in own.items()
        }
    return members


READS: Mapping[str, Function] = {"GetResource": get, "GetResources": list_all}
WRITES: Mapping[str, Function] = {
    "CreateResource": create,
    "UpdateResource": update,
    "DeleteResource": delete,
}
