"""The files of this machine that a template names: they are built, packed and uploaded, and the
template names the objects in S3 instead, as `aws cloudformation package` does."""

import copy
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lambent.cli.build import Progress, build
from lambent.cli.output import UsageError
from lambent.cli.package import pack
from lambent.stacks.template.reading import read_template

Upload = Callable[[str, bytes], str]
"""Uploads an object under a key; returns the bucket."""


class _Place(NamedTuple):
    """A property that may name a local file."""

    property: str
    names: tuple[str, str] | None
    """The names of bucket and key in the object that replaces it; None for an `s3://` URI."""


_CODE = ("S3Bucket", "S3Key")
_PLACES: Mapping[str, _Place] = {
    "AWS::ApiGateway::RestApi": _Place("BodyS3Location", ("Bucket", "Key")),
    "AWS::Lambda::Function": _Place("Code", _CODE),
    "AWS::Lambda::LayerVersion": _Place("Content", _CODE),
    "AWS::Serverless::Api": _Place("DefinitionUri", None),
    "AWS::Serverless::Function": _Place("CodeUri", None),
    "AWS::Serverless::HttpApi": _Place("DefinitionUri", None),
    "AWS::Serverless::LayerVersion": _Place("ContentUri", None),
    "AWS::Serverless::StateMachine": _Place("DefinitionUri", None),
    "AWS::StepFunctions::StateMachine": _Place("DefinitionS3Location", ("Bucket", "Key")),
}
_FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")
_NESTED = "AWS::CloudFormation::Stack"


def send_local_files(template: Path, upload: Upload, progress: Progress) -> str:
    """The text of a template whose local files are in S3. Raises `UsageError` for files that do not
    exist, `CliError` if a package cannot be built."""
    document: dict[str, Any] = copy.deepcopy(dict(read_template(_text_of(template))))
    functions = (document.get("Globals") or {}).get("Function") or {}
    for logical_id, resource in _resources(document):
        kind = str(resource.get("Type"))
        place = _PLACES.get(kind)
        if place is None and kind != _NESTED:
            continue
        properties = resource.setdefault("Properties", {})
        if place is None:
            _send_nested(template, properties, upload, progress)
            continue
        shared = functions if kind == "AWS::Serverless::Function" else {}
        named = properties.get(place.property, shared.get(place.property))
        if not isinstance(named, str) or "://" in named:
            continue
        path = (template.parent / named).resolve()
        if not path.exists():
            raise UsageError(f"{template}: {logical_id} names {named}, which does not exist")
        runtime = properties.get("Runtime") or shared.get("Runtime") or ""
        metadata = resource.get("Metadata") or {}
        content = _packed(path, kind, logical_id, str(runtime), metadata, progress)
        suffix = path.suffix if path.is_file() else ".zip"
        key = f"{hashlib.sha256(content).hexdigest()}{suffix}"
        progress(f"uploading {logical_id} ({len(content):,} bytes)")
        bucket = upload(key, content)
        properties[place.property] = (
            f"s3://{bucket}/{key}"
            if place.names is None
            else dict(zip(place.names, (bucket, key), strict=True))
        )
    return json.dumps(document, indent=2)


def _send_nested(
    template: Path, properties: dict[str, Any], upload: Upload, progress: Progress
) -> None:
    named = properties.get("TemplateURL")
    if not isinstance(named, str) or "://" in named:
        return
    text = send_local_files((template.parent / named).resolve(), upload, progress).encode()
    key = f"{hashlib.sha256(text).hexdigest()}.template"
    properties["TemplateURL"] = f"https://s3.amazonaws.com/{upload(key, text)}/{key}"


def _packed(
    path: Path,
    kind: str,
    logical_id: str,
    runtime: str,
    metadata: Mapping[str, Any],
    progress: Progress,
) -> bytes:
    if path.is_file():
        return path.read_bytes()
    if kind not in _FUNCTIONS:
        return pack(path)
    with tempfile.TemporaryDirectory(prefix="lambent-build-") as target:
        build(
            path,
            Path(target),
            logical_id=logical_id,
            runtime=runtime,
            metadata=metadata,
            progress=progress,
        )
        return pack(Path(target))


def _resources(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    resources = document.get("Resources")
    for logical_id, resource in (resources or {}).items():
        if isinstance(resource, dict):
            yield logical_id, resource


def _text_of(template: Path) -> str:
    try:
        return template.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {template}: {error}") from error
