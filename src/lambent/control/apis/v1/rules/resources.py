"""What resources may be."""

from lambent.control.apis.errors import bad_request, not_found
from lambent.control.apis.kinds import Draft
from lambent.control.apis.v1.paths import below, check_path_part, check_place, join
from lambent.model.document import Body

_DEPTH_MAX = 100


def check_resource(draft: Draft) -> Body:
    """The check of resources. Also sets `path`; of what is below, that is up to the caller."""
    body, before = dict(draft.body), draft.before
    if before is not None and "parentId" not in before:
        _check_root(body)
        return before
    if "parentId" not in body:
        return {**body, "path": "/"}
    resources = {
        document.id: document.body
        for document in draft.tx.documents.list_of(draft.root, "resource")
    }
    parent = resources.get(body["parentId"])
    if parent is None:
        raise not_found("Invalid Resource identifier specified")
    check_path_part(body["pathPart"])
    if before is not None:
        under = {resource["id"] for resource in below(draft.id, resources.values())}
        if parent["id"] in under or parent["id"] == draft.id:
            raise bad_request("Resources cannot be cyclical.")
    check_place(body, parent, list(resources.values()))
    body["path"] = join(parent["path"], body["pathPart"])
    if body["path"].count("/") > _DEPTH_MAX:
        raise bad_request(f"A path must not have more than {_DEPTH_MAX} segments.")
    return body


def _check_root(body: Body) -> None:
    for member in ("pathPart", "parentId"):
        if member in body:
            raise bad_request(f"Root resource cannot update its {member}.")
