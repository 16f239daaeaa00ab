"""Operations on buckets and objects."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from lambent.control.buckets.buckets import Buckets, owner_view
from lambent.control.buckets.errors import s3_error
from lambent.control.buckets.objects import Objects, instant, object_view, precondition_failed
from lambent.control.buckets.uploads import Uploads
from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.identity.signature import without_framing
from lambent.kit.computing import LOOP_BYTES_MAX, computed
from lambent.model.arn import Region
from lambent.model.errors import ApiError
from lambent.store.objects import Chunk, StoredObject


class S3Rooms(NamedTuple):
    """What the operations need."""

    buckets: Buckets
    objects: Objects
    uploads: Uploads


CONTENT = "content"
"""Where GetObject passes on what is to be read; it is no member of the output."""


class Found(NamedTuple):
    """What GetObject returns of an object."""

    chunks: Sequence[Chunk]
    begin: int
    """The first byte."""
    end: int
    """The byte after the last."""


# -- buckets ---------------------------------------------------------------------------------------


async def _create_bucket(rooms: S3Rooms, call: Call) -> Members:
    params = call.params
    wanted = (params.get("CreateBucketConfiguration") or {}).get("LocationConstraint")
    region = "eu-west-1" if wanted == "EU" else wanted
    if params.get("ObjectLockEnabledForBucket"):
        raise s3_error("NotImplemented", "The platform's own buckets have no object locks.", 501)
    await rooms.buckets.create(call.scope, params["Bucket"], Region(region) if region else None)
    tags = (params.get("CreateBucketConfiguration") or {}).get("Tags")
    if tags:
        await rooms.buckets.configure(
            call.scope, params["Bucket"], "BucketTagging", {"TagSet": tags}
        )
    return {"Location": f"/{params['Bucket']}"}


async def _delete_bucket(rooms: S3Rooms, call: Call) -> Members:
    await rooms.buckets.delete(call.scope, call.params["Bucket"])
    return {}


async def _head_bucket(rooms: S3Rooms, call: Call) -> Members:
    return {"BucketRegion": await rooms.buckets.region(call.scope, call.params["Bucket"])}


async def _get_location(rooms: S3Rooms, call: Call) -> Members:
    region = await rooms.buckets.region(call.scope, call.params["Bucket"])
    return {} if region == "us-east-1" else {"LocationConstraint": region}


async def _list_buckets(rooms: S3Rooms, call: Call) -> Members:
    return await rooms.buckets.list(call.scope)


class _Configuration(NamedTuple):
    """What a bucket is configured with: stored and shown."""

    member: str
    """The member of Put's input that is stored."""
    shown: str | None = None
    """The member of Get's output that it is; None if its members are those of the output."""
    missing: tuple[str, str] | None = None
    """The error of Get if it is not configured; without one, the output is `default`."""
    default: Mapping[str, Any] = {}


async def _put_configuration(
    name: str, what: _Configuration, rooms: S3Rooms, call: Call
) -> Members:
    value = call.params.get(what.member)
    await rooms.buckets.configure(call.scope, call.params["Bucket"], name, value or {})
    return {}


async def _get_configuration(
    name: str, what: _Configuration, rooms: S3Rooms, call: Call
) -> Members:
    value = await rooms.buckets.configured(call.scope, call.params["Bucket"], name)
    if value is None and what.missing is not None:
        raise s3_error(*what.missing, 404)
    if value is None:
        return what.default
    return value if what.shown is None else {what.shown: value}


async def _delete_configuration(name: str, rooms: S3Rooms, call: Call) -> Members:
    await rooms.buckets.configure(call.scope, call.params["Bucket"], name, None)
    return {}


_CONFIGURATIONS: Mapping[str, _Configuration] = {
    "BucketVersioning": _Configuration("VersioningConfiguration"),
    "BucketEncryption": _Configuration(
        "ServerSideEncryptionConfiguration",
        "ServerSideEncryptionConfiguration",
        default={
            "ServerSideEncryptionConfiguration": {
                "Rules": [
                    {
                        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
                        "BucketKeyEnabled": False,
                    }
                ]
            }
        },
    ),
    "PublicAccessBlock": _Configuration(
        "PublicAccessBlockConfiguration",
        "PublicAccessBlockConfiguration",
        (
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        ),
    ),
    "BucketPolicy": _Configuration(
        "Policy", "Policy", ("NoSuchBucketPolicy", "The bucket policy does not exist")
    ),
    "BucketLifecycleConfiguration": _Configuration(
        "LifecycleConfiguration",
        None,
        ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
    ),
    "BucketTagging": _Configuration("Tagging", None, ("NoSuchTagSet", "The TagSet does not exist")),
    "BucketCors": _Configuration(
        "CORSConfiguration",
        None,
        ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    ),
    "BucketOwnershipControls": _Configuration(
        "OwnershipControls",
        "OwnershipControls",
        ("OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
    ),
}
_DELETIONS = {"BucketLifecycleConfiguration": "BucketLifecycle"}
"""What deleting is called where it is not the name of the configuration."""
_KEPT = {"BucketVersioning"}
"""Configurations that cannot be deleted."""
_NEVER: Mapping[str, _Configuration] = {
    "GetBucketLogging": _Configuration(""),
    "GetBucketAccelerateConfiguration": _Configuration(""),
    "GetBucketNotificationConfiguration": _Configuration(""),
    "GetBucketRequestPayment": _Configuration("", default={"Payer": "BucketOwner"}),
    "GetBucketPolicyStatus": _Configuration("", default={"PolicyStatus": {"IsPublic": False}}),
    "GetBucketWebsite": _Configuration(
        "",
        None,
        (
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration",
        ),
    ),
    "GetBucketReplication": _Configuration(
        "",
        None,
        (
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found",
        ),
    ),
    "GetObjectLockConfiguration": _Configuration(
        "",
        None,
        (
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
        ),
    ),
}
"""What tools ask for and no bucket here has."""


async def _get_acl(rooms: S3Rooms, call: Call) -> Members:
    """The owner may do everything: other lists are not offered."""
    await rooms.buckets.region(call.scope, call.params["Bucket"])
    owner = owner_view(call.scope)
    grant = {"Grantee": {**owner, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}
    return {"Owner": owner, "Grants": [grant]}


# -- objects ---------------------------------------------------------------------------------------


async def _put_object(rooms: S3Rooms, call: Call) -> Members:
    return await rooms.objects.put(call.scope, call.params, await _body_of(call))


async def _get_object(rooms: S3Rooms, call: Call) -> Members:
    stored, chunks = await rooms.objects.find(call.scope, call.params)
    _check_preconditions(stored, call.params)
    begin, end = _range_of(call.params.get("Range"), stored.size)
    members: dict[str, Any] = {
        **object_view(stored),
        "ContentLength": end - begin,
        CONTENT: Found(chunks, begin, end),
    }
    if call.params.get("Range") and stored.size:
        members["ContentRange"] = f"bytes {begin}-{end - 1}/{stored.size}"
    if (begin, end) != (0, stored.size) or call.params.get("ChecksumMode") != "ENABLED":
        members = {name: value for name, value in members.items() if "Checksum" not in name}
    for name, value in call.params.items():
        if name.startswith("Response"):
            members[name.removeprefix("Response")] = value
    return members


async def _copy_object(rooms: S3Rooms, call: Call) -> Members:
    return await rooms.objects.copy(call.scope, call.params)


async def _delete_object(rooms: S3Rooms, call: Call) -> Members:
    return await rooms.objects.delete(call.scope, call.params)


async def _delete_objects(rooms: S3Rooms, call: Call) -> Members:
    return await rooms.objects.delete_many(call.scope, call.params)


async def _list_objects(rooms: S3Rooms, call: Call) -> Members:
    return await rooms.objects.list(call.scope, call.params)


async def _list_objects_v2(rooms: S3Rooms, call: Call) -> Members:
    return await rooms.objects.list_v2(call.scope, call.params)


async def _list_versions(rooms: S3Rooms, call: Call) -> Members:
    return await rooms.objects.list_versions(call.scope, call.params)


async def _create_upload(rooms: S3Rooms, call: Call) -> Members:
    return await rooms.uploads.create(call.scope, call.params)


async def _put_part(rooms: S3Rooms, call: Call) -> Members:
    return await rooms.uploads.put_part(call.scope, call.params, await _body_of(call))


async def _complete_upload(rooms: S3Rooms, call: Call) -> Members:
    return await rooms.uploads.complete(call.scope, call.params)


async def _abort_upload(rooms: S3Rooms, call: Call) -> Members:
    return await rooms.uploads.abort(call.scope, call.params)


async def _list_parts(rooms: S3Rooms, call: Call) -> Members:
    return await rooms.uploads.list_parts(call.scope, call.params)


async def _list_uploads(rooms: S3Rooms, call: Call) -> Members:
    return await rooms.uploads.list(call.scope, call.params)


OPERATIONS: Mapping[str, Operation[S3Rooms]] = {
    "CreateBucket": _create_bucket,
    "DeleteBucket": _delete_bucket,
    "HeadBucket": _head_bucket,
    "GetBucketLocation": _get_location,
    "ListBuckets": _list_buckets,
    "GetBucketAcl": _get_acl,
    "PutObject": _put_object,
    "GetObject": _get_object,
    "HeadObject": _get_object,
    "CopyObject": _copy_object,
    "DeleteObject": _delete_object,
    "DeleteObjects": _delete_objects,
    "ListObjects": _list_objects,
    "ListObjectsV2": _list_objects_v2,
    "ListObjectVersions": _list_versions,
    "CreateMultipartUpload": _create_upload,
    "UploadPart": _put_part,
    "CompleteMultipartUpload": _complete_upload,
    "AbortMultipartUpload": _abort_upload,
    "ListParts": _list_parts,
    "ListMultipartUploads": _list_uploads,
    **{name: partial(_get_configuration, name, what) for name, what in _NEVER.items()},
    **{
        f"Put{name}": partial(_put_configuration, name, what)
        for name, what in _CONFIGURATIONS.items()
    },
    **{
        f"Get{name}": partial(_get_configuration, name, what)
        for name, what in _CONFIGURATIONS.items()
    },
    **{
        f"Delete{_DELETIONS.get(name, name)}": partial(_delete_configuration, name)
        for name in _CONFIGURATIONS
        if name not in _KEPT
    },
}


async def _body_of(call: Call) -> bytes:
    """The body of a request; of one that was sent in chunks and not verified, what is in them."""
    body: bytes = call.params.get("Body", b"")
    exchange = call.caller.exchange
    if exchange is None:
        return body
    if len(body) > LOOP_BYTES_MAX:
        return await computed(without_framing, exchange.headers, body)
    return without_framing(exchange.headers, body)


def _check_preconditions(stored: StoredObject, params: Members) -> None:
    """Raises `PreconditionFailed`, or `NotModified` with status 304."""
    etags = {"*", stored.etag}
    wanted, unwanted = params.get("IfMatch"), params.get("IfNoneMatch")
    modified = instant(stored.modified)
    since, until = params.get("IfModifiedSince"), params.get("IfUnmodifiedSince")
    if wanted is not None:
        if wanted.strip('"') not in etags:
            raise precondition_failed()
    elif until is not None and modified > until:
        raise precondition_failed()
    if unwanted is not None:
        is_same = unwanted.strip('"') in etags
    else:
        is_same = since is not None and modified <= since
    if is_same:
        raise ApiError("NotModified", "Not Modified", status=304)


def _range_of(text: str | None, size: int) -> tuple[int, int]:
    """The first byte that is wanted and the byte after the last. Raises `InvalidRange`; what is no
    range of one part means the whole, as in AWS."""
    unit, _, wanted = (text or "").partition("=")
    first, dash, last = wanted.strip().partition("-")
    if unit.strip() != "bytes" or not dash or not (first + last).isdecimal() or not size:
        return 0, size
    if not first:
        begin, end = max(size - int(last[:19]), 0), size
    else:
        begin = int(first[:19])
        end = min(int(last[:19]) + 1, size) if last else size
    if begin >= size or begin >= end:
        raise s3_error("InvalidRange", "The requested range is not satisfiable", 416)
    return begin, end
