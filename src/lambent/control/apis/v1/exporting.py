"""GetExport: a stage as an OpenAPI document."""

import datetime
import json
from collections.abc import Mapping
from typing import Any

import yaml

from lambent.control.apis.errors import bad_request
from lambent.control.apis.kinds import Params
from lambent.control.apis.v1.export_methods import Exported, operation_of
from lambent.control.apis.v1.kinds import SNAPSHOT
from lambent.control.apis.v1.rules.models import model_of
from lambent.control.apis.v1.work import Function, Work
from lambent.kit import strict_json
from lambent.model.document import Document

_TYPES = ("oas30", "swagger")
_EXTENSIONS = frozenset({"apigateway", "integrations", "authorizers"})
_PREFIX = "x-amazon-apigateway-"
_ANY = _PREFIX + "any-method"


def export(work: Work, params: Params) -> Params:
    """GetExport. `parameters` may have `extensions`: `apigateway`, or `integrations` and
    `authorizers`."""
    kind = params["exportType"]
    if kind not in _TYPES:
        raise bad_request(f"Export type must be one of {', '.join(_TYPES)}")
    asked = (params.get("parameters") or {}).get("extensions", "")
    extensions = frozenset(filter(None, asked.split(",")))
    if not extensions <= _EXTENSIONS:
        raise bad_request(f"Lambent does not export the extensions {asked[:100]}.")
    api = work.collection("api", params).require(params["restApiId"])
    stage = work.collection("stage", params).require(params["stageName"])
    deployment = work.tx.documents.get(api.root, "deployment", stage.body["deploymentId"])
    assert deployment is not None, "a stage's deployment stays"
    host = f"{api.id}.execute-api.{work.scope.region}.{work.domain}"
    document = _document(deployment, stage, host, kind == "swagger", extensions)
    is_yaml = "yaml" in (params.get("accepts") or "")
    text = yaml.safe_dump(document, sort_keys=False) if is_yaml else json.dumps(document, indent=2)
    moment = _moment(deployment)
    return {
        "contentType": "application/octet-stream",
        "contentDisposition": f'attachment; filename="{kind}_{moment}.'
        f'{"yaml" if is_yaml else "json"}"',
        "body": text.encode(),
    }


def _document(
    deployment: Document, stage: Document, host: str, is_2: bool, extensions: frozenset[str]
) -> dict[str, Any]:
    exported = Exported.of(deployment.body[SNAPSHOT], is_2=is_2, extensions=extensions)
    api = exported.api
    info = {
        "title": api["name"],
        "version": api.get("version") or _moment(deployment),
        **({"description": api["description"]} if "description" in api else {}),
    }
    document: dict[str, Any] = {"swagger": "2.0"} if is_2 else {"openapi": "3.0.1"}
    document["info"] = info
    if is_2:
        document |= {"host": host, "basePath": f"/{stage.id}", "schemes": ["https"]}
    else:
        variables = {"basePath": {"default": stage.id}}
        document["servers"] = [{"url": f"https://{host}/{{basePath}}", "variables": variables}]
    document["paths"] = _paths(exported)
    schemas = {
        name: _local(strict_json.parse_plain(model["schema"]), is_2)
        for name, model in sorted(exported.models.items())
    }
    schemes = exported.security_schemes()
    if is_2:
        document |= {
            name: value
            for name, value in (("securityDefinitions", schemes), ("definitions", schemas))
            if value
        }
    elif schemas or schemes:
        document["components"] = {
            name: value
            for name, value in (("schemas", schemas), ("securitySchemes", schemes))
            if value
        }
    if "apigateway" in extensions:
        document |= _extensions(exported)
    return document


def _paths(exported: Exported) -> Mapping[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for id, method in sorted(exported.methods.items()):
        resource, _, verb = id.partition("/")
        path = exported.paths[resource]
        name = _ANY if verb == "ANY" else verb.lower()
        paths.setdefault(path, {})[name] = operation_of(exported, path, method)
    return dict(sorted(paths.items()))


def _extensions(exported: Exported) -> Mapping[str, Any]:
    """What else a document says of an API."""
    api = exported.api
    members = {
        "binary-media-types": api.get("binaryMediaTypes"),
        "api-key-source": api["apiKeySource"] if api["apiKeySource"] != "HEADER" else None,
        "policy": strict_json.parse_plain(api["policy"]) if "policy" in api else None,
        "request-validators": {
            validator["name"]: {
                name: validator[name]
                for name in ("validateRequestParameters", "validateRequestBody")
            }
            for validator in exported.validators.values()
        },
        "gateway-responses": {
            kind: {
                name: response[name]
                for name in ("statusCode", "responseParameters", "responseTemplates")
                if response.get(name)
            }
            for kind, response in sorted(exported.gateway_responses.items())
        },
    }
    return {_PREFIX + name: value for name, value in members.items() if value}


def _local(schema: Any, is_2: bool) -> Any:
    """A schema whose references lead to others of the document."""
    if isinstance(schema, list):
        return [_local(item, is_2) for item in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {name: _local(value, is_2) for name, value in schema.items() if name != "$schema"}
    reference = schema.get("$ref")
    name = model_of(reference) if isinstance(reference, str) else None
    if name:
        changed["$ref"] = f"#/{'definitions' if is_2 else 'components/schemas'}/{name}"
    return changed


def _moment(deployment: Document) -> str:
    moment = datetime.datetime.fromtimestamp(deployment.body["createdDate"], datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


READS: Mapping[str, Function] = {"GetExport": export}
WRITES: Mapping[str, Function] = {}
