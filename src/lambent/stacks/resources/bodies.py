"""Definitions of APIs in templates: as objects, or as objects of S3."""

from collections.abc import Mapping
from typing import Any

import yaml

from lambent.kit.strict_json import parse_loosely
from lambent.model.errors import ApiError
from lambent.stacks.resources.resource_type import Properties
from lambent.stacks.resources.row_type import Call


async def fetch_body(
    call: Call, properties: Properties, _before: Properties | None
) -> dict[str, Any]:
    """The property `Body` from `BodyS3Location`. Raises `ApiError`."""
    location = properties.get("BodyS3Location")
    return {} if location is None else {"Body": await fetch_object(call, location)}


async def fetch_object(call: Call, location: Mapping[str, Any]) -> bytes:
    """An object by its `Bucket`, `Key` and perhaps `Version`. Raises `ApiError`."""
    named = {"Bucket": location.get("Bucket"), "Key": location.get("Key")}
    if location.get("Version") is not None:
        named["VersionId"] = location["Version"]
    body = (await call("s3", "GetObject", named))["Body"]
    return body if isinstance(body, bytes) else str(body).encode()


def title_of(body: Any) -> str | None:
    """The title of a definition; None if it has none."""
    if isinstance(body, (bytes, str)):
        body = _read(body)
    info = body.get("info") if isinstance(body, Mapping) else None
    title = info.get("title") if isinstance(info, Mapping) else None
    return title if isinstance(title, str) and title else None


def _read(text: bytes | str) -> Any:
    try:
        return parse_loosely(text)
    except ValueError:
        pass
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ApiError("ValidationError", "The definition is neither JSON nor YAML.") from None
