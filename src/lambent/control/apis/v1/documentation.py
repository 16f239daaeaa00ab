"""Documentation: parts that describe places in an API, and versions that name them all. Both are
stored; nothing is made of them."""

import json
from collections.abc import Mapping
from typing import Any

from lambent.control.apis.errors import bad_request
from lambent.control.apis.kinds import Params
from lambent.control.apis.v1 import generic
from lambent.control.apis.v1.work import Function, Work
from lambent.model.document import Document, Root


def list_parts(work: Work, params: Params) -> Params:
    """GetDocumentationParts, filtered by type, name and path."""
    wanted = {
        name: params[member]
        for name, member in (("type", "type"), ("name", "nameQuery"), ("path", "path"))
        if params.get(member)
    }
    is_undocumented = params.get("locationStatus") == "UNDOCUMENTED"
    found = [
        part
        for part in work.collection("documentation_part", params).list()
        if not is_undocumented
        and all(part.body["location"].get(name) == value for name, value in wanted.items())
    ]
    return generic.page(found, params)


def create_version(work: Work, params: Params) -> Params:
    """CreateDocumentationVersion; with a stage's name, the stage has it."""
    version = params["documentationVersion"]
    given: dict[str, Any] = {"createdDate": work.now}
    if params.get("description"):
        given["description"] = params["description"]
    made = work.collection("documentation_version", params).create(version, given)
    name = params.get("stageName")
    if name:
        stages = work.collection("stage", params)
        stage = stages.require(name)
        body = {**stage.body, "documentationVersion": version, "lastUpdatedDate": work.now}
        stages.replace(name, body)
    return generic.shown(made)


def delete_version(work: Work, params: Params) -> Params:
    """DeleteDocumentationVersion; no stage may have it."""
    versions = work.collection("documentation_version", params)
    version = versions.require(params["documentationVersion"])
    for stage in work.tx.documents.list_of(version.root, "stage"):
        if stage.body.get("documentationVersion") == version.id:
            raise bad_request(f"The documentation version is used by the stage {stage.id}.")
    versions.delete(version.id)
    return {}


def put_parts(work: Work, root: Root, parts: list[Mapping[str, Any]], *, keeps: bool) -> list[str]:
    """Store parts of an OpenAPI document; returns their ids. `keeps` says whether other parts
    stay."""
    documents = work.tx.documents
    existing = documents.list_of(root, "documentation_part")
    known = {_place(document.body): document for document in existing}
    if not keeps:
        for document in existing:
            documents.delete(root, "documentation_part", document.id)
        known = {}
    collection = work.collection(
        "documentation_part", {"restApiId": root.id, "documentationPartId": ""}
    )
    ids = []
    for part in parts:
        same: Document | None = known.get(_place(part))
        if same is not None:
            collection.replace(same.id, {**same.body, **part})
            ids.append(same.id)
        else:
            added = collection.create(None, part)
            known[_place(part)] = added
            ids.append(added.id)
    return ids


def _place(body: Mapping[str, Any]) -> str:
    return json.dumps(body["location"], sort_keys=True)


READS: Mapping[str, Function] = {
    "GetDocumentationPart": generic.get("documentation_part"),
    "GetDocumentationParts": list_parts,
    "GetDocumentationVersion": generic.get("documentation_version"),
    "GetDocumentationVersions": generic.listing("documentation_version"),
}
WRITES: Mapping[str, Function] = {
    "CreateDocumentationPart": generic.create("documentation_part"),
    "UpdateDocumentationPart": generic.patch("documentation_part"),
    "DeleteDocumentationPart": generic.delete("documentation_part"),
    "CreateDocumentationVersion": create_version,
    "UpdateDocumentationVersion": generic.patch("documentation_version"),
    "DeleteDocumentationVersion": delete_version,
}
