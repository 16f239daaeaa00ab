"""How a version of a function is stored: its fields as one JSON document.

`SnapStart`, `Layers`, `DeadLetterConfig` and `TenancyConfig` are stored among the members in API
form, as they always were, so that data directories and fingerprints of published versions stay
valid. Nothing outside of this file knows that.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from lambent.model.function import AttachedLayer, LoggingConfiguration, SnapStart
from lambent.model.function import FunctionVersion as Version

_TYPED = ("snap_start", "layers", "dead_letter_target", "tenant_isolation", "other")
_IDENTITY = ("key", "version")
_DERIVED = ("is_traced",)


def to_document(version: Version) -> dict[str, Any]:
    """All of a version but which one it is."""
    fields = dataclasses.asdict(version)
    for name in (*_IDENTITY, *_TYPED, *_DERIVED):
        del fields[name]
    return {**fields, "layer_keys": list(version.layer_keys), "other": _members(version)}


def fields_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `FunctionVersion` that a document holds."""
    fields = {name: value for name, value in document.items() if name != "layer_keys"}
    members = dict(document.get("other", {}))
    snap_start = members.pop("SnapStart", {})
    layers = zip(members.pop("Layers", ()), document.get("layer_keys", ()), strict=True)
    return {
        **fields,
        "logging": LoggingConfiguration(**document["logging"]),
        "snap_start": SnapStart(
            snap_start.get("ApplyOn", "None"), snap_start.get("OptimizationStatus", "Off")
        ),
        "layers": tuple(
            AttachedLayer(layer["Arn"], layer["CodeSize"], code_key) for layer, code_key in layers
        ),
        "dead_letter_target": members.pop("DeadLetterConfig", {}).get("TargetArn"),
        "tenant_isolation": members.pop("TenancyConfig", {}).get("TenantIsolationMode"),
        "other": members,
    }


def _members(version: Version) -> dict[str, Any]:
    members = dict(version.other)
    members["SnapStart"] = {
        "ApplyOn": version.snap_start.apply_on,
        "OptimizationStatus": version.snap_start.optimization_status,
    }
    if version.layers:
        members["Layers"] = [
            {"Arn": layer.arn, "CodeSize": layer.code_size} for layer in version.layers
        ]
    if version.dead_letter_target is not None:
        members["DeadLetterConfig"] = {"TargetArn": version.dead_letter_target}
    if version.tenant_isolation is not None:
        members["TenancyConfig"] = {"TenantIsolationMode": version.tenant_isolation}
    return members
