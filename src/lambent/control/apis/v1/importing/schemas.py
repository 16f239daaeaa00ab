"""Models of an OpenAPI document: its named schemas, and those that stand where they are used."""

import json
import re
from collections.abc import Mapping
from typing import Any

from lambent.control.apis.errors import bad_request
from lambent.control.apis.ids import new_id
from lambent.control.apis.openapi.document import Node, OpenApi
from lambent.control.apis.v1.rules.models import REFERENCE

_LOCAL = re.compile(r"#/(?:definitions|components/schemas)/(.+)")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]")
_JSON = "application/json"


class Schemas:
    """Collects the models of a document. References become those of API Gateway when the id of the
    API is known: see `written`."""

    def __init__(self, openapi: OpenApi) -> None:
        self.models: dict[str, Mapping[str, Any]] = {}
        """Members of CreateModel without the schema's text, by name: `schema` is an object."""
        for name, schema in openapi.schemas.items():
            if isinstance(schema, Mapping):
                self._add(model_name(name), schema, _JSON)

    def name_of(self, schema: Any, content_type: str) -> str | None:
        """The name of the model for a schema; None if there is none."""
        if not isinstance(schema, Mapping) or not schema:
            return None
        reference = schema.get("$ref")
        if isinstance(reference, str):
            found = _LOCAL.fullmatch(reference)
            if found is None:
                raise bad_request(f"Unable to resolve {reference[:200]!r} in a schema.")
            return model_name(found[1])
        name = f"MODEL{new_id(6)}"
        self._add(name, schema, content_type)
        return name

    def _add(self, name: str, schema: Node, content_type: str) -> None:
        members: dict[str, Any] = {"name": name, "contentType": content_type, "schema": schema}
        self.models[name] = members


def model_name(name: str) -> str:
    """The name of the model for a named schema: models have letters and digits only."""
    return _NOT_IN_NAMES.sub("", name)[:128]


def written(schema: Mapping[str, Any], api: str) -> str:
    """The text of a model's schema, in an API with this id."""

    def changed(value: Any) -> Any:
        if isinstance(value, list):
            return [changed(item) for item in value]
        if not isinstance(value, dict):
            return value
        members = {name: changed(inner) for name, inner in value.items()}
        reference = value.get("$ref")
        found = _LOCAL.fullmatch(reference) if isinstance(reference, str) else None
        if found is not None:
            members["$ref"] = REFERENCE.format(api=api, name=model_name(found[1]))
        return members

    return json.dumps(changed(schema), indent=2)
