"""Hooks of the kind `s3`: notifications of object stores, as the event that S3 sends to functions.

MinIO sends `{"EventName": …, "Key": …, "Records": [record]}`, Ceph `{"Records": [record]}`. Their
records have S3's members, with other values in some and further members in others.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
https://min.io/docs/minio/linux/administration/monitoring/bucket-notifications.html
https://docs.ceph.com/en/latest/radosgw/notifications/#events
"""

import datetime
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from lambent.kit import quick_json
from lambent.triggers.hooks.kind import (
    HookRefused,
    HookRequest,
    Received,
    instant,
    parsed,
    require_method,
    require_no_path,
)
from lambent.triggers.hooks.tokens import require_token
from lambent.triggers.url_response import UrlResponse

_RECORDS_MAX = 1000
_CEPH = "ceph:s3"
Object = Mapping[str, Any]


async def receive(request: HookRequest) -> Received | UrlResponse:
    """See `Receive`."""
    require_no_path(request)
    if request.exchange.method == "HEAD":  # MinIO asks whether someone is there.
        return UrlResponse(200, [], b"")
    require_method(request, "POST")
    require_token(request)
    body = await parsed(request.exchange.body)
    records = body.get("Records") if isinstance(body, dict) else None
    if not isinstance(records, list) or not 0 < len(records) <= _RECORDS_MAX:
        raise HookRefused(400, "The body is not a notification of an object store.")
    try:
        event = {"Records": [_record(record, request) for record in records]}
    except (KeyError, TypeError, ValueError) as error:
        raise HookRefused(400, "A record of the notification is not valid.") from error
    return Received(events=[quick_json.encode(event)])


def _record(given: Object, request: HookRequest) -> Object:
    """Raises KeyError, TypeError and ValueError."""
    if not isinstance(given, dict):
        raise TypeError("a record is no object")
    s3 = _object(given, "s3")
    bucket, stored = _object(s3, "bucket"), _object(s3, "object")
    name, key = _text(bucket["name"]), _text(stored["key"])
    # MinIO encodes slashes, and Ceph encodes nothing.
    plain = key if given.get("eventSource") == _CEPH else unquote_plus(key)
    shown: dict[str, Any] = {"key": quote_plus(plain, safe="/")}
    event_name = _text(given["eventName"]).removeprefix("s3:")
    if not event_name.startswith("ObjectRemoved:"):
        shown["size"] = int(stored.get("size") or 0)
        shown["eTag"] = _text(stored.get("eTag") or stored.get("etag") or "")
    if stored.get("versionId"):
        shown["versionId"] = _text(stored["versionId"])
    shown["sequencer"] = _text(stored.get("sequencer") or "")
    response = _object(given, "responseElements", {})
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": _text(given.get("awsRegion") or request.hook.scope.region),
        "eventTime": _time(_text(given["eventTime"])),
        "eventName": event_name,
        "userIdentity": _principal(given, "userIdentity"),
        "requestParameters": {
            "sourceIPAddress": _text(
                _object(given, "requestParameters", {}).get("sourceIPAddress") or ""
            )
        },
        "responseElements": {
            header: _text(response.get(header) or "")
            for header in ("x-amz-request-id", "x-amz-id-2")
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": _text(s3.get("configurationId") or ""),
            "bucket": {
                "name": name,
                "ownerIdentity": _principal(bucket, "ownerIdentity"),
                "arn": f"arn:aws:s3:::{name}",
            },
            "object": shown,
        },
    }


def _object(given: Object, name: str, missing: Object | None = None) -> Object:
    found = given.get(name)
    if found is None:
        found = missing
    if not isinstance(found, dict):
        raise TypeError(f"{name} is no object")
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a member is no text")
    return value


def _principal(given: Object, name: str) -> Object:
    return {"principalId": _text(_object(given, name, {}).get("principalId") or "")}


def _time(text: str) -> str:
    """In milliseconds, as S3 has it."""
    at = instant(text).astimezone(datetime.UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
