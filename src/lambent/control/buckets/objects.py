"""Objects: putting, getting, copying, deleting and listing them."""

import base64
import binascii
import dataclasses
import datetime
import hashlib
import secrets
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from lambent.control.buckets.buckets import SERVICE, owner_view, require_bucket
from lambent.control.buckets.errors import no_such_key, not_offered, s3_error
from lambent.control.buckets.listing import (
    PAGE_MAX,
    Listed,
    after_key,
    after_marker,
    list_page,
    read_token,
    write_token,
)
from lambent.control.packages import Packages
from lambent.kit.clock import Clock
from lambent.kit.computing import computed
from lambent.model.arn import Region, Scope
from lambent.model.errors import ApiError
from lambent.store.objects import Chunk, StoredObject
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

OBJECT_BYTES_MAX = 5 * 1000**3
"""Bytes of an object. S3 itself takes more in parts."""
_CHUNK_BYTES = 8 << 20
_KEY_BYTES_MAX = 1024
_SHOWN = (
    *("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType"),
    *("Expires", "Metadata", "WebsiteRedirectLocation"),
)
"""Members of a request that GetObject shows."""
_STORED = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled", "StorageClass")
"""Members that have no effect, and are shown."""
_REFUSED = {
    "ACL": "access control lists",
    **dict.fromkeys(
        ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP"), "access control lists"
    ),
    **dict.fromkeys(
        ("SSECustomerAlgorithm", "CopySourceSSECustomerAlgorithm"), "keys of customers"
    ),
    **dict.fromkeys(
        ("ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus"), "object locks"
    ),
    "Tagging": "tags of objects",
    "WriteOffsetBytes": "appending to objects",
}
_HARMLESS_ACLS = ("private", "bucket-owner-full-control", "bucket-owner-read")
_DIGESTS: Mapping[str, tuple[str, Callable[[bytes], bytes]]] = {
    "ContentMD5": ("BadDigest", lambda body: hashlib.md5(body, usedforsecurity=False).digest()),
    "ChecksumCRC32": ("BadDigest", lambda body: zlib.crc32(body).to_bytes(4, "big")),
    "ChecksumSHA1": ("BadDigest", lambda body: hashlib.sha1(body, usedforsecurity=False).digest()),
    "ChecksumSHA256": ("BadDigest", lambda body: hashlib.sha256(body).digest()),
}
"""By member: the error if it is wrong, and how it is computed. Others are not checked."""


class Content(NamedTuple):
    """A body that was hashed and cut."""

    chunks: Sequence[bytes]
    size: int
    md5: bytes
    checksums: Mapping[str, str]
    """What the caller stated and what was checked, by member."""


class Contents:
    """Stores the contents of objects."""

    def __init__(self, store: Store, packages: Packages, *, bytes_max: int) -> None:
        self._store = store
        self._packages = packages
        self._bytes_max = bytes_max

    async def keep(
        self, scope: Scope, content: Content, owner: str, work: Callable[[Transaction], Any]
    ) -> Any:
        """Store a body as the chunks of `owner` and run `work`, in one transaction. Blobs that
        `work` returns, the keys of them, are deleted if they are unused then."""

        def run(tx: Transaction, code_keys: Sequence[str]) -> Any:
            tx.locks.account(scope.account, Region(SERVICE))
            if tx.objects.size_total() + content.size > self._bytes_max:
                raise s3_error(
                    "QuotaExceeded",
                    f"All buckets together may hold {self._bytes_max} bytes"
                    " (control.buckets_bytes_max).",
                    403,
                )
            sizes = [len(chunk) for chunk in content.chunks]
            tx.objects.add_chunks(owner, list(map(Chunk, code_keys, sizes)))
            return work(tx)

        dropped = await self._packages.store(content.chunks, run)
        await self._packages.discard_unused(dropped)

    async def change(self, scope: Scope, work: Callable[[Transaction], set[str]]) -> None:
        """Run `work` in a transaction; the blobs that it returns are deleted if they are unused."""

        def run(tx: Transaction) -> set[str]:
            tx.locks.account(scope.account, Region(SERVICE))
            return work(tx)

        await self._packages.discard_unused(await self._store.transact(run))


class Objects:
    """Use cases of objects."""

    def __init__(self, store: Store, contents: Contents, clock: Clock) -> None:
        self._store = store
        self._contents = contents
        self._clock = clock

    async def put(self, scope: Scope, params: Params, body: bytes) -> Params:
        """PutObject."""
        bucket, key = params["Bucket"], checked_key(params["Key"])
        members = stored_members(params)
        content = await computed(digested, body, params)
        owner = secrets.token_hex(16)
        stored = StoredObject(
            key=key,
            size=content.size,
            etag=content.md5.hex(),
            modified=int(self._clock.now()),
            members={**members, **content.checksums},
            owners=[owner],
        )

        def run(tx: Transaction) -> set[str]:
            require_bucket(tx, scope, bucket)
            before = tx.objects.get(bucket, key)
            _check_preconditions(before, params)
            tx.objects.put(bucket, stored)
            return tx.objects.drop_chunks(before.owners) if before is not None else set()

        await self._contents.keep(scope, content, owner, run)
        return {"ETag": f'"{stored.etag}"', **content.checksums, **_shown(stored, _STORED)}

    async def find(self, scope: Scope, params: Params) -> tuple[StoredObject, Sequence[Chunk]]:
        """The object of GetObject and HeadObject, and its chunks. Raises `ApiError`."""
        bucket, key = params["Bucket"], params["Key"]
        _check_version(params)

        def run(tx: Transaction) -> tuple[StoredObject, Sequence[Chunk]]:
            require_bucket(tx, scope, bucket)
            stored = tx.objects.get(bucket, key)
            if stored is None:
                raise no_such_key()
            return stored, tx.objects.chunks_of(stored.owners)

        return await self._store.read(run)

    async def copy(self, scope: Scope, params: Params) -> Params:
        """CopyObject: the copy shares the blobs."""
        bucket, key = params["Bucket"], checked_key(params["Key"])
        source_bucket, source_key = copy_source(params)
        replaces = params.get("MetadataDirective") == "REPLACE"
        given = stored_members(params)
        owner = secrets.token_hex(16)
        copies: list[StoredObject] = []

        def run(tx: Transaction) -> set[str]:
            require_bucket(tx, scope, source_bucket)
            require_bucket(tx, scope, bucket)
            source = tx.objects.get(source_bucket, source_key)
            if source is None:
                raise no_such_key()
            before = tx.objects.get(bucket, key)
            kept = {} if replaces else {name: source.members[name] for name in source.members}
            added = given if replaces else {n: v for n, v in given.items() if n in _STORED}
            copied = dataclasses.replace(
                source,
                key=key,
                modified=int(self._clock.now()),
                members={**kept, **added},
                owners=[owner],
            )
            tx.objects.add_chunks(owner, tx.objects.chunks_of(source.owners))
            tx.objects.put(bucket, copied)
            copies.append(copied)
            return tx.objects.drop_chunks(before.owners) if before is not None else set()

        await self._contents.change(scope, run)
        result = {"ETag": f'"{copies[0].etag}"', "LastModified": instant(copies[0].modified)}
        return {"CopyObjectResult": result}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteObject. There need not be such an object."""
        _check_version(params)
        await self._delete(scope, params["Bucket"], [params["Key"]])
        return {}

    async def delete_many(self, scope: Scope, params: Params) -> Params:
        """DeleteObjects."""
        listed = params["Delete"]["Objects"]
        errors, keys = [], []
        for entry in listed:
            try:
                _check_version(entry)
            except ApiError as error:
                errors.append({"Key": entry["Key"], "Code": error.code, "Message": error.message})
            else:
                keys.append(entry["Key"])
        await self._delete(scope, params["Bucket"], keys)
        is_quiet = params["Delete"].get("Quiet", False)
        return {
            "Deleted": [] if is_quiet else [{"Key": key} for key in keys],
            "Errors": errors,
        }

    async def _delete(self, scope: Scope, bucket: str, keys: Sequence[str]) -> None:
        def run(tx: Transaction) -> set[str]:
            require_bucket(tx, scope, bucket)
            dropped: set[str] = set()
            for key in keys:
                stored = tx.objects.get(bucket, key)
                if stored is not None:
                    tx.objects.delete(bucket, key)
                    dropped |= tx.objects.drop_chunks(stored.owners)
            return dropped

        await self._contents.change(scope, run)

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListObjects."""
        delimiter = params.get("Delimiter", "")
        begin = after_marker(params.get("Marker", ""), delimiter)
        page = await self._page(scope, params, begin)
        following = {"NextMarker": _encoded(page.last, params)} if page.following else {}
        marker = _encoded(params.get("Marker", ""), params)
        return {**_list_view(params, page), "Marker": marker, **following}

    async def list_v2(self, scope: Scope, params: Params) -> Params:
        """ListObjectsV2."""
        token, start = params.get("ContinuationToken"), params.get("StartAfter", "")
        begin = read_token(token) if token else after_key(start) if start else b""
        page = await self._page(scope, params, begin)
        members = {
            **_list_view(params, page),
            "KeyCount": len(page.objects) + len(page.prefixes),
            "StartAfter": _encoded(start, params) or None,
            "ContinuationToken": token,
            "NextContinuationToken": write_token(page.following),
        }
        return {name: value for name, value in members.items() if value is not None}

    async def list_versions(self, scope: Scope, params: Params) -> Params:
        """ListObjectVersions: each object has the version `null`."""
        delimiter = params.get("Delimiter", "")
        begin = after_marker(params.get("KeyMarker", ""), delimiter)
        page = await self._page(scope, params, begin)
        view = dict(_list_view(params, page))
        view["Versions"] = [
            {**entry, "VersionId": "null", "IsLatest": True, "Owner": owner_view(scope)}
            for entry in view.pop("Contents")
        ]
        if page.following:
            view |= {"NextKeyMarker": _encoded(page.last, params), "NextVersionIdMarker": "null"}
        return {**view, "KeyMarker": _encoded(params.get("KeyMarker", ""), params)}

    async def _page(self, scope: Scope, params: Params, begin: bytes) -> Listed:
        bucket = params["Bucket"]

        def run(tx: Transaction) -> Listed:
            require_bucket(tx, scope, bucket)
            return list_page(
                lambda begin, end, limit: tx.objects.list_from(bucket, begin, end, limit),
                prefix=params.get("Prefix", ""),
                delimiter=params.get("Delimiter", ""),
                begin=begin,
                size=_page_size(params),
            )

        return await self._store.read(run)


def digested(body: bytes, params: Params) -> Content:
    """Hash a body, check what the request states of it, and cut it into chunks. Raises
    `BadDigest`, or `InvalidDigest` for what is no hash."""
    checksums = {}
    for member, (code, compute) in _DIGESTS.items():
        stated = params.get(member)
        if stated is None:
            continue
        try:
            wanted = base64.b64decode(stated, validate=True)
        except binascii.Error:
            raise s3_error("InvalidDigest", f"The {member} you specified is not valid.") from None
        if wanted != compute(body):
            raise s3_error(code, f"The {member} you specified did not match what we received.")
        if member != "ContentMD5":
            checksums[member] = stated
    chunks = [body[at : at + _CHUNK_BYTES] for at in range(0, len(body), _CHUNK_BYTES)]
    md5 = hashlib.md5(body, usedforsecurity=False).digest()
    return Content(chunks, len(body), md5, checksums)


def checked_key(key: str) -> str:
    """Raises `KeyTooLongError`, or `InvalidURI` for a key that is not text."""
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        raise s3_error("InvalidURI", "Couldn't parse the specified URI.") from None
    if length > _KEY_BYTES_MAX:
        raise s3_error("KeyTooLongError", "Your key is too long")
    return key


def stored_members(params: Params) -> Mapping[str, Any]:
    """What is stored of a request that creates an object. Raises `NotImplemented`."""
    for member, what in _REFUSED.items():
        if params.get(member) and not (member == "ACL" and params[member] in _HARMLESS_ACLS):
            raise not_offered(what)
    found: dict[str, Any] = {
        name: params[name] for name in (*_SHOWN, *_STORED) if params.get(name) not in (None, {})
    }
    expires = found.get("Expires")
    if isinstance(expires, datetime.datetime):
        found["Expires"] = expires.timestamp()
    encodings = [part.strip() for part in found.get("ContentEncoding", "").split(",")]
    kept = ",".join(part for part in encodings if part and part != "aws-chunked")
    found.pop("ContentEncoding", None)
    return {**found, **({"ContentEncoding": kept} if kept else {})}


def object_view(stored: StoredObject) -> Params:
    """The members that GetObject and HeadObject show of an object, without those of its body."""
    return {
        "AcceptRanges": "bytes",
        "LastModified": instant(stored.modified),
        "ETag": f'"{stored.etag}"',
        "ContentType": "binary/octet-stream",
        **_shown(stored, tuple(stored.members)),
    }


def instant(seconds: float) -> datetime.datetime:
    """A time as S3 shows it."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def copy_source(params: Params) -> tuple[str, str]:
    """The bucket and the key that CopyObject reads. Raises `InvalidArgument`."""
    source, _, query = params["CopySource"].lstrip("/").partition("?")
    bucket, _, key = source.partition("/")
    if not bucket or not key:
        raise s3_error("InvalidArgument", "Copy Source must mention the source bucket and key")
    _check_version({"VersionId": query.removeprefix("versionId=") or None})
    return unquote(bucket), unquote(key)


def _shown(stored: StoredObject, names: Sequence[str]) -> Params:
    found = {name: stored.members[name] for name in names if name in stored.members}
    if "Expires" in found:
        found["Expires"] = instant(found["Expires"])
    return found


def _check_version(params: Params) -> None:
    """Objects have no versions but `null`."""
    if params.get("VersionId") not in (None, "", "null"):
        raise s3_error("NoSuchVersion", "The specified version does not exist.", 404)


def _check_preconditions(before: StoredObject | None, params: Params) -> None:
    """`If-Match` and `If-None-Match` of PutObject. Raises `ApiError`."""
    wanted = params.get("IfMatch")
    if wanted and before is None:
        raise no_such_key()
    is_other = before is not None and wanted and wanted.strip('"') not in ("*", before.etag)
    if is_other or (params.get("IfNoneMatch") == "*" and before is not None):
        raise precondition_failed()


def precondition_failed() -> ApiError:
    """412 `PreconditionFailed`."""
    return s3_error(
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
        412,
    )


def _page_size(params: Params) -> int:
    size: int = params.get("MaxKeys", PAGE_MAX)
    if size < 0:
        raise s3_error("InvalidArgument", "max-keys must not be negative")
    return min(size, PAGE_MAX)


def _encoded(text: str, params: Params) -> str:
    """A key as the caller wants it."""
    return quote(text, safe="/") if params.get("EncodingType") == "url" else text


def _list_view(params: Params, page: Listed) -> Params:
    members = {
        "Name": params["Bucket"],
        "Prefix": _encoded(params.get("Prefix", ""), params),
        "Delimiter": _encoded(params.get("Delimiter", ""), params) or None,
        "EncodingType": params.get("EncodingType"),
        "MaxKeys": _page_size(params),
        "IsTruncated": page.following is not None,
        "Contents": [
            {
                "Key": _encoded(stored.key, params),
                "LastModified": instant(stored.modified),
                "ETag": f'"{stored.etag}"',
                "Size": stored.size,
                "StorageClass": stored.members.get("StorageClass", "STANDARD"),
            }
            for stored in page.objects
        ],
        "CommonPrefixes": [{"Prefix": _encoded(prefix, params)} for prefix in page.prefixes],
    }
    return {name: value for name, value in members.items() if value is not None}
