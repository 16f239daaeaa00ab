"""What models may be: JSON Schemas of bodies, draft 4."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lambent.control.apis.errors import bad_request, conflict
from lambent.control.apis.kinds import Draft
from lambent.control.apis.v1.rules.apis import without_unset
from lambent.kit import strict_json
from lambent.model.document import Body, Document
from lambent.store.store import Transaction

NO_SCHEMA = "Model schema must have at least 1 property or array items defined"
SCHEMA_BYTES_MAX = 400 * 1024
DEPTH_MAX = 100
REFERENCE = "https://apigateway.amazonaws.com/restapis/{api}/models/{name}"
_REFERENCE = re.compile(
    r"https?://apigateway\.amazonaws\.com/restapis/([^/]{1,64})/models/([A-Za-z0-9]{1,128})",
    re.ASCII,
)
_NAME = re.compile(r"[A-Za-z0-9]{1,128}", re.ASCII)
_DRAFT_4 = "http://json-schema.org/draft-04/schema#"

DEFAULTS: tuple[Body, ...] = (
    {
        "name": "Empty",
        "description": "This is a default empty schema model",
        "schema": json.dumps(
            {"$schema": _DRAFT_4, "title": "Empty Schema", "type": "object"}, indent=2
        ),
        "contentType": "application/json",
    },
    {
        "name": "Error",
        "description": "This is a default error schema model",
        "schema": json.dumps(
            {
                "$schema": _DRAFT_4,
                "title": "Error Schema",
                "type": "object",
                "properties": {"message": {"type": "string"}},
            },
            indent=2,
        ),
        "contentType": "application/json",
    },
)
"""The models of new APIs."""


def check_model(draft: Draft) -> Body:
    """The check of models. Models that refer to each other in a circle are allowed."""
    body = without_unset(draft.body)
    if not _NAME.fullmatch(body["name"]):
        raise bad_request(f"Model name must be alphanumeric: {body['name'][:100]}")
    schema = read_schema(body.get("schema", ""))
    for target in references(schema):
        found = _REFERENCE.fullmatch(target)
        is_self = found is not None and found[2] == body["name"]
        if found is not None and found[1] == draft.root.id and not is_self:
            if draft.tx.documents.get(draft.root, "model", found[2]) is None:
                raise bad_request(f"Invalid model identifier specified: {found[2]}")
        elif not is_self and not target.startswith("#"):
            raise bad_request(
                "Invalid model specified: Validation Result: warnings : [], errors : [Invalid"
                f" model schema specified. Unsupported reference: {target[:200]}]"
            )
    return body


def read_schema(text: str) -> Mapping[str, Any]:
    """A schema. Raises `BadRequestException` if it is none."""
    if not text.strip():
        raise bad_request(NO_SCHEMA)
    if len(text.encode(errors="surrogatepass")) > SCHEMA_BYTES_MAX:
        raise bad_request(f"A model schema must not have more than {SCHEMA_BYTES_MAX} bytes.")
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError):
        schema = None
    if not isinstance(schema, dict) or depth_of(schema) > DEPTH_MAX:
        raise bad_request(
            "Invalid model specified: Validation Result: warnings : [], errors : [Invalid model"
            " schema specified]"
        )
    return schema


def depth_of(value: Any) -> int:
    """How deeply objects and lists are nested."""
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        current, depth = waiting.pop()
        deepest = max(deepest, depth)
        inner = current.values() if isinstance(current, dict) else current
        if isinstance(current, dict | list):
            waiting += [(child, depth + 1) for child in inner]
    return deepest


def references(schema: Any) -> Iterator[str]:
    """The targets of all `$ref` in a schema."""
    waiting = [schema]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            if isinstance(current.get("$ref"), str):
                yield current["$ref"]
            waiting += current.values()
        elif isinstance(current, list):
            waiting += current


def model_of(reference: str) -> str | None:
    """The name of the model that a `$ref` leads to; None if it leads elsewhere."""
    found = _REFERENCE.fullmatch(reference)
    return found[2] if found else None


def check_unused(tx: Transaction, model: Document) -> None:
    """Raises `ConflictException` if a method or another model uses a model."""
    name, documents = model.id, tx.documents
    paths = {
        resource.id: resource.body["path"] for resource in documents.list_of(model.root, "resource")
    }
    for method in documents.list_of(model.root, "method"):
        resource, _, verb = method.id.partition("/")
        where = f"{paths.get(resource, '')}/{verb}"
        if name in (method.body.get("requestModels") or {}).values():
            raise conflict(
                f"Cannot delete model '{name}', is referenced in method request: {where}"
            )
        for response in (method.body.get("methodResponses") or {}).values():
            if name in (response.get("responseModels") or {}).values():
                raise conflict(
                    f"Cannot delete model '{name}', is referenced in method response: {where}"
                )
    for other in documents.list_of(model.root, "model"):
        targets = map(model_of, references(strict_json.parse_plain(other.body["schema"])))
        if other.id != name and name in targets:
            raise conflict(f"Cannot delete model '{name}', is referenced in model: {other.id}")
