"""Writes what is published of the resource types that stacks offer: src/lambent/stacks/resources.

`facts.json` comes from the schemas that cfn-lint has (MIT-0), `shapes.json` from botocore's models.
Run it after a row names another type or operation: `make docs` does. A test fails when the files do
not cover the rows.
"""

import importlib.resources
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lambent.gateway.models import Shape, load_model
from lambent.stacks.resources.operations import named_operations
from lambent.stacks.resources.registry import ROWS

_TARGET = Path("src/lambent/stacks/resources")
_REGION = "us-east-1"
_FIELDS = {
    "createOnlyProperties": "create_only",
    "conditionalCreateOnlyProperties": "conditional",
    "readOnlyProperties": "read_only",
    "writeOnlyProperties": "write_only",
    "primaryIdentifier": "primary",
}
_SCALARS = {
    "string": "s",
    "character": "s",
    "integer": "i",
    "long": "i",
    "float": "f",
    "double": "f",
    "boolean": "b",
    "blob": "B",
    "timestamp": "t",
}


def schemas() -> Mapping[str, Any]:
    """The published schemas of the types, by name."""
    stored = importlib.resources.files("cfnlint.data.schemas")
    index = json.loads(stored.joinpath("providers", f"{_REGION}.json").read_bytes())
    return {
        name: json.loads(stored.joinpath("resources", f"{index[name]}.json").read_bytes())
        for name in sorted(ROWS)
    }


def facts(schema: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
    """What the platform uses of a schema; empty lists are left out."""
    found = {
        "properties": sorted(schema["properties"]),
        "required": sorted(schema.get("required", ())),
    }
    for theirs, ours in _FIELDS.items():
        paths = [path.removeprefix("/properties/") for path in schema.get(theirs, ())]
        # The order of the primary identifier is that of its values in Cloud Control.
        found[ours] = paths if ours == "primary" else sorted(paths)
    for kind, ours in (("array", "lists"), ("object", "objects")):
        found[ours] = sorted(
            name for name, inner in schema["properties"].items() if kind_of(inner, schema) == kind
        )
    return {name: values for name, values in found.items() if values}


def kind_of(property: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """The type of a property, or several types."""
    if "$ref" in property:
        property = schema["definitions"][property["$ref"].rpartition("/")[2]]
    return property.get("type")


def compact(shape: Shape | None, outer: tuple[str, ...] = ()) -> Any:
    """A shape as `conversion` describes it. A shape inside itself takes anything."""
    if shape is None:
        return {}
    if shape.name in outer or getattr(shape, "is_document_type", False):
        return "x"
    inner = (*outer, shape.name)
    if shape.type_name == "structure":
        return {name: compact(member, inner) for name, member in shape.members.items()}
    if shape.type_name == "list":
        return ["list", compact(shape.member, inner)]
    if shape.type_name == "map":
        return ["map", compact(shape.value, inner)]
    return _SCALARS[shape.type_name]


def shapes() -> Mapping[str, Mapping[str, Any]]:
    """The inputs of all operations that rows name, by service."""
    found: dict[str, dict[str, Any]] = {}
    for row in ROWS.values():
        if row.is_stored:
            continue
        model = load_model(row.service)
        for name in named_operations(row):
            known = found.setdefault(row.service, {})
            known[name] = compact(model.operation_model(name).input_shape)
    return found


def write(name: str, content: Any) -> None:
    """A line for each entry, so that changes are seen."""
    lines = [f"{json.dumps(key)}: {_line(content[key])}" for key in sorted(content)]
    (_TARGET / name).write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


if __name__ == "__main__":
    write("shapes.json", shapes())
    write("facts.json", {name: facts(schema) for name, schema in schemas().items()})
