"""Objects that arrive in parts."""

import datetime
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control.buckets.buckets import PART, UPLOAD, owner_view, require_bucket
from lambent.control.buckets.errors import s3_error
from lambent.control.buckets.objects import (
    OBJECT_BYTES_MAX,
    Contents,
    checked_key,
    digested,
    stored_members,
)
from lambent.kit.clock import Clock
from lambent.kit.computing import computed
from lambent.model.arn import Scope
from lambent.model.document import Document, Root
from lambent.store.objects import StoredObject
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

_PARTS_MAX = 10_000
_PART_BYTES_MIN = 5 << 20
_UPLOADS_MAX = 1000


class Uploads:
    """Use cases of uploads."""

    def __init__(self, store: Store, contents: Contents, clock: Clock) -> None:
        self._store = store
        self._contents = contents
        self._clock = clock

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateMultipartUpload."""
        bucket, key = params["Bucket"], checked_key(params["Key"])
        members, upload = stored_members(params), secrets.token_hex(32)
        body = {"key": key, "members": members, "created": int(self._clock.now())}

        def run(tx: Transaction) -> None:
            root = require_bucket(tx, scope, bucket).root
            if len(tx.documents.list_of(root, UPLOAD)) >= _UPLOADS_MAX:
                raise s3_error(
                    "SlowDown", "Too many uploads are not complete: abort those that failed.", 503
                )
            tx.documents.put(root, UPLOAD, upload, body)

        await self._store.transact(run)
        return {"Bucket": bucket, "Key": key, "UploadId": upload}

    async def put_part(self, scope: Scope, params: Params, body: bytes) -> Params:
        """UploadPart."""
        number = params["PartNumber"]
        if not 1 <= number <= _PARTS_MAX:
            raise s3_error(
                "InvalidArgument",
                f"Part number must be an integer between 1 and {_PARTS_MAX}, inclusive",
            )
        content, owner = await computed(digested, body, params), secrets.token_hex(16)
        part = {"etag": content.md5.hex(), "size": content.size, "owner": owner}

        def run(tx: Transaction) -> set[str]:
            root, upload = _require(tx, scope, params)
            id = _part_id(upload.id, number)
            before = tx.documents.get(root, PART, id)
            part["modified"] = int(self._clock.now())
            tx.documents.put(root, PART, id, part)
            return tx.objects.drop_chunks([before.body["owner"]]) if before is not None else set()

        await self._contents.keep(scope, content, owner, run)
        return {"ETag": f'"{part["etag"]}"', **content.checksums}

    async def complete(self, scope: Scope, params: Params) -> Params:
        """CompleteMultipartUpload: the object gets the chunks of the parts; nothing is copied."""
        listed = (params.get("MultipartUpload") or {}).get("Parts") or []
        numbers = [entry.get("PartNumber", 0) for entry in listed]
        if not numbers or numbers != sorted(set(numbers)):
            raise s3_error(
                "InvalidPartOrder" if numbers else "MalformedXML",
                "The list of parts was not in ascending order. Parts must be ordered by part"
                " number.",
            )
        etags: list[str] = []

        def run(tx: Transaction) -> set[str]:
            root, upload = _require(tx, scope, params)
            parts = {part.id: part.body for part in _parts_of(tx, root, upload.id)}
            chosen = []
            for entry in listed:
                part = parts.pop(_part_id(upload.id, entry["PartNumber"]), None)
                if part is None or entry.get("ETag", "").strip('"') != part["etag"]:
                    raise s3_error(
                        "InvalidPart",
                        "One or more of the specified parts could not be found. The part may not"
                        " have been uploaded, or the specified entity tag may not match the part's"
                        " entity tag.",
                    )
                chosen.append(part)
            _check_sizes([part["size"] for part in chosen])
            stored = StoredObject(
                key=upload.body["key"],
                size=sum(part["size"] for part in chosen),
                etag=_joint_etag([part["etag"] for part in chosen]),
                modified=int(self._clock.now()),
                members=upload.body["members"],
                owners=[part["owner"] for part in chosen],
            )
            before = tx.objects.get(root.id, stored.key)
            tx.objects.put(root.id, stored)
            etags.append(stored.etag)
            _forget(tx, root, upload.id)
            gone = [part["owner"] for part in parts.values()]
            return tx.objects.drop_chunks([*gone, *(before.owners if before is not None else ())])

        await self._contents.change(scope, run)
        bucket, key = params["Bucket"], params["Key"]
        return {
            "Location": f"/{bucket}/{key}",
            "Bucket": bucket,
            "Key": key,
            "ETag": f'"{etags[0]}"',
        }

    async def abort(self, scope: Scope, params: Params) -> Params:
        """AbortMultipartUpload."""

        def run(tx: Transaction) -> set[str]:
            root, upload = _require(tx, scope, params)
            owners = [part.body["owner"] for part in _parts_of(tx, root, upload.id)]
            _forget(tx, root, upload.id)
            return tx.objects.drop_chunks(owners)

        await self._contents.change(scope, run)
        return {}

    async def list_parts(self, scope: Scope, params: Params) -> Params:
        """ListParts, all on one page."""

        def run(tx: Transaction) -> Sequence[Document]:
            root, upload = _require(tx, scope, params)
            return _parts_of(tx, root, upload.id)

        parts = [
            {
                "PartNumber": int(part.id.rpartition("/")[2]),
                "LastModified": _instant(part.body["modified"]),
                "ETag": f'"{part.body["etag"]}"',
                "Size": part.body["size"],
            }
            for part in await self._store.read(run)
        ]
        names = {name: params[name] for name in ("Bucket", "Key", "UploadId")}
        return {**names, "Parts": parts, "IsTruncated": False, "Owner": owner_view(scope)}

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListMultipartUploads, all on one page."""
        bucket, prefix = params["Bucket"], params.get("Prefix", "")

        def run(tx: Transaction) -> Sequence[Document]:
            return tx.documents.list_of(require_bucket(tx, scope, bucket).root, UPLOAD)

        found = [
            each for each in await self._store.read(run) if each.body["key"].startswith(prefix)
        ]
        uploads = [
            {
                "Key": upload.body["key"],
                "UploadId": upload.id,
                "Initiated": _instant(upload.body["created"]),
                "Owner": owner_view(scope),
            }
            for upload in sorted(found, key=lambda upload: (upload.body["key"], upload.id))
        ]
        return {"Bucket": bucket, "Uploads": uploads, "IsTruncated": False}


def _require(tx: Transaction, scope: Scope, params: Params) -> tuple[Root, Document]:
    """The bucket's root and the upload. Raises `NoSuchUpload`."""
    root = require_bucket(tx, scope, params["Bucket"]).root
    upload = tx.documents.get(root, UPLOAD, params["UploadId"][:256])
    if upload is None or upload.body["key"] != params["Key"]:
        raise s3_error(
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may"
            " have been aborted or completed.",
            404,
        )
    return root, upload


def _part_id(upload: str, number: int) -> str:
    return f"{upload}/{number:05}"


def _parts_of(tx: Transaction, root: Root, upload: str) -> Sequence[Document]:
    """The parts of an upload, by number."""
    found = tx.documents.list_of(root, PART, after=f"{upload}/", limit=_PARTS_MAX)
    return [part for part in found if part.id.startswith(f"{upload}/")]


def _forget(tx: Transaction, root: Root, upload: str) -> None:
    for part in _parts_of(tx, root, upload):
        tx.documents.delete(root, PART, part.id)
    tx.documents.delete(root, UPLOAD, upload)


def _check_sizes(sizes: Sequence[int]) -> None:
    if any(size < _PART_BYTES_MIN for size in sizes[:-1]):
        raise s3_error(
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed object size.",
        )
    if sum(sizes) > OBJECT_BYTES_MAX:
        raise s3_error(
            "EntityTooLarge",
            f"An object has at most {OBJECT_BYTES_MAX} bytes here.",
        )


def _joint_etag(etags: Sequence[str]) -> str:
    joined = b"".join(map(bytes.fromhex, etags))
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(etags)}"


def _instant(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
