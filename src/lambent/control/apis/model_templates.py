"""Mapping templates made from a model's schema: what GetModelTemplate returns."""

import json
from collections.abc import Mapping
from typing import Any

from lambent.kit import strict_json

_DEPTH_MAX = 20
_SAMPLES = {"string": '"foo"', "integer": "42", "number": "42", "boolean": "true", "null": "null"}


def model_template(schema: str) -> str:
    """A template that copies what fits the schema, to be edited. `schema` is JSON Schema of an
    object."""
    document = strict_json.parse_plain(schema)
    body = _render(document, "$inputRoot", 0)
    return f"#set($inputRoot = $input.path('$'))\n{body}"


def _render(schema: Any, path: str, depth: int) -> str:
    if not isinstance(schema, Mapping) or depth > _DEPTH_MAX:
        return '"foo"'
    indent = "  " * (depth + 1)
    kind = schema.get("type")
    properties = schema.get("properties")
    if kind == "object" or isinstance(properties, Mapping):
        members = [
            f"{indent}{json.dumps(name)} : {_render(below, f'{path}.{name}', depth + 1)}"
            for name, below in (properties or {}).items()
        ]
        return "{\n" + ",\n".join(members) + f"\n{'  ' * depth}}}"
    if kind == "array":
        item = _render(schema.get("items"), "$elem", depth + 1)
        return (
            f"[\n#foreach($elem in {path})\n{indent}{item}#if($foreach.hasNext),#end\n#end\n"
            f"{'  ' * depth}]"
        )
    return _SAMPLES.get(kind, '"foo"') if isinstance(kind, str) else '"foo"'
