"""The files of this machine that a template names: they are built, packed and uploaded, and the
template names the objects in S3 instead, as `aws cloudformation package` does."""

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lambent.cli.build import Source, make_package
from lambent.cli.build_tools import Progress
from lambent.cli.function_file import FUNCTION_FILE
from lambent.cli.output import UsageError
from lambent.cli.package import pack
from lambent.cli.project_file import read_project
from lambent.cli.project_template import project_template
from lambent.stacks.template.errors import TemplateError
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


class LocalFile(NamedTuple):
    """A file or directory that a resource names."""

    logical_id: str
    kind: str
    path: Path
    source: Source | None
    """If it is the directory of a function's code."""


def send_local_files(template: Path, upload: Upload, progress: Progress) -> str:
    """The text of a template whose local files are in S3. All packages are made and checked before
    the first is uploaded. Raises `UsageError` for files that do not exist and for functions that
    cannot work, `CliError` if a package cannot be built."""
    document = read_document(template)
    packages = [(file, _packed(file, progress)) for file in _local_files(template, document)]
    for _, resource in _resources(document):
        if resource.get("Type") == _NESTED:
            _send_nested(template, resource.setdefault("Properties", {}), upload, progress)
    for file, content in packages:
        suffix = file.path.suffix if file.path.is_file() else ".zip"
        key = f"{hashlib.sha256(content).hexdigest()}{suffix}"
        progress(f"uploading {file.logical_id} ({len(content):,} bytes)")
        bucket, place = upload(key, content), _PLACES[file.kind]
        properties = document["Resources"][file.logical_id].setdefault("Properties", {})
        properties[place.property] = (
            f"s3://{bucket}/{key}"
            if place.names is None
            else dict(zip(place.names, (bucket, key), strict=True))
        )
    return json.dumps(document, indent=2)


def upload_template(text: bytes, upload: Upload) -> str:
    """Upload a template; returns its URL, as AWS writes it."""
    key = f"{hashlib.sha256(text).hexdigest()}.template"
    return f"https://s3.amazonaws.com/{upload(key, text)}/{key}"


def sources(template: Path) -> list[Source]:
    """The functions of a template whose code is a directory. Raises `UsageError`."""
    files = _local_files(template, read_document(template))
    return [file.source for file in files if file.source is not None]


def read_document(template: Path) -> dict[str, Any]:
    """The document of a template, or of the template that a project stands for. Raises
    `UsageError`."""
    if template.name == FUNCTION_FILE:
        return project_template(read_project(template))
    try:
        text = template.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {template}: {error}") from error
    try:
        return copy.deepcopy(dict(read_template(text)))
    except TemplateError as error:
        raise UsageError(f"{template}: {error.message}") from error


def _local_files(template: Path, document: Mapping[str, Any]) -> Iterator[LocalFile]:
    functions = (document.get("Globals") or {}).get("Function") or {}
    for logical_id, resource in _resources(document):
        kind = str(resource.get("Type"))
        place = _PLACES.get(kind)
        if place is None:
            continue
        properties = resource.get("Properties") or {}
        shared = functions if kind == "AWS::Serverless::Function" else {}
        named = properties.get(place.property, shared.get(place.property))
        if not isinstance(named, str) or "://" in named:
            continue
        path = (template.parent / named).resolve()
        if not path.exists():
            raise UsageError(f"{template}: {logical_id} names {named}, which does not exist")
        source = None
        if kind in _FUNCTIONS and path.is_dir():
            said = {**shared, **properties}
            source = Source(
                logical_id,
                path,
                _text(said.get("Runtime")),
                _text(said.get("Handler")),
                resource.get("Metadata") or {},
                bool(said.get("Layers")),
            )
        yield LocalFile(logical_id, kind, path, source)


def _text(value: Any) -> str:
    """A text of the template; empty for what only the platform evaluates."""
    return value if isinstance(value, str) else ""


def _send_nested(
    template: Path, properties: dict[str, Any], upload: Upload, progress: Progress
) -> None:
    named = properties.get("TemplateURL")
    if not isinstance(named, str) or "://" in named:
        return
    text = send_local_files((template.parent / named).resolve(), upload, progress).encode()
    properties["TemplateURL"] = upload_template(text, upload)


def _packed(file: LocalFile, progress: Progress) -> bytes:
    if file.path.is_file():
        return file.path.read_bytes()
    if file.source is None:
        return pack(file.path)
    return make_package(file.source, progress)


def _resources(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    resources = document.get("Resources")
    for logical_id, resource in (resources or {}).items():
        if isinstance(resource, dict):
            yield logical_id, resource
