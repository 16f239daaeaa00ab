"""Models: JSON Schemas of bodies."""

import itertools
import json
from collections.abc import Mapping
from typing import Any

from lambent.control.apis.errors import bad_request
from lambent.control.apis.ids import new_id
from lambent.control.apis.kinds import Params
from lambent.control.apis.model_templates import model_template
from lambent.control.apis.v1 import generic
from lambent.control.apis.v1.rules.models import model_of, references
from lambent.control.apis.v1.work import Function, Work
from lambent.kit import strict_json
from lambent.model.document import Document

_TEMPLATE_VALUES_MAX, _TEMPLATE_DEPTH_MAX = 1000, 40
"""Values of a sample template: references multiply them."""


def create(work: Work, params: Params) -> Params:
    """CreateModel."""
    given = {**params, "id": new_id(6)}
    api, name = given.pop("restApiId"), given["name"]
    if not name:
        raise bad_request("Model name must be non-empty")
    documents = work.collection("model", {"restApiId": api, "modelName": name})
    return generic.shown(documents.create(name, given))


def get(work: Work, params: Params) -> Params:
    """GetModel; `flatten` puts the models that it refers to inside."""
    model = work.collection("model", params).require(params["modelName"])
    members = generic.shown(model)
    if params.get("flatten"):
        members["schema"] = json.dumps(flattened(work, model), indent=2)
    return members


def get_template(work: Work, params: Params) -> Params:
    """GetModelTemplate."""
    model = work.collection("model", params).require(params["modelName"])
    schema = flattened(work, model)
    return {"value": model_template(json.dumps(_resolved(schema)))}


def flattened(work: Work, model: Document) -> Mapping[str, Any]:
    """A model's schema, with the models that it refers to under `definitions`."""
    schema: dict[str, Any] = strict_json.parse_plain(model.body["schema"])
    definitions: dict[str, Any] = {}
    waiting = [name for name in map(model_of, references(schema)) if name]
    while waiting:
        name = waiting.pop()
        if name in definitions:
            continue
        found = work.tx.documents.get(model.root, "model", name)
        definitions[name] = {} if found is None else strict_json.parse_plain(found.body["schema"])
        waiting += [other for other in map(model_of, references(definitions[name])) if other]
    local: dict[str, Any] = _with_local_references(schema)
    if definitions:
        local["definitions"] = {
            **local.get("definitions", {}),
            **{name: _with_local_references(found) for name, found in definitions.items()},
        }
    return local


def _with_local_references(schema: Any) -> Any:
    """A schema whose references lead to `#/definitions`. Schemas are not deep: see
    `rules.models.read_schema`."""
    if isinstance(schema, list):
        return [_with_local_references(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {name: _with_local_references(value) for name, value in schema.items()}
    reference = schema.get("$ref")
    name = model_of(reference) if isinstance(reference, str) else None
    if name:
        changed["$ref"] = f"#/definitions/{name}"
    return changed


def _resolved(whole: Mapping[str, Any]) -> Any:
    """A schema with definitions in place of references, as deep and as large as a template."""
    budget = itertools.count(_TEMPLATE_VALUES_MAX, -1)
    definitions = whole.get("definitions", {})

    def resolve(value: Any, depth: int) -> Any:
        if next(budget) < 0 or depth > _TEMPLATE_DEPTH_MAX:
            return {}
        if isinstance(value, list):
            return [resolve(item, depth + 1) for item in value]
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        if isinstance(reference, str):
            name = reference.removeprefix("#/definitions/")
            return resolve(definitions.get(name, {}), depth + 1)
        return {
            name: resolve(inner, depth + 1)
            for name, inner in value.items()
            if name != "definitions"
        }

    return resolve(whole, 0)


READS: Mapping[str, Function] = {
    "GetModel": get,
    "GetModels": generic.listing("model"),
    "GetModelTemplate": get_template,
}
WRITES: Mapping[str, Function] = {
    "CreateModel": create,
    "UpdateModel": generic.patch("model"),
    "DeleteModel": generic.delete("model"),
}
