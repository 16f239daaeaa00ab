"""Definitions of APIs in templates: as objects, or as objects of S3."""

from collections.abc import Mapping
from typing import Any

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
