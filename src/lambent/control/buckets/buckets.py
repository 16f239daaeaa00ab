"""Buckets: creating, deleting, and what is configured of them, which is stored and shown."""

import datetime
import re
from collections.abc import Mapping
from typing import Any

from lambent.control.buckets.errors import no_such_bucket, s3_error
from lambent.kit.clock import Clock
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.document import Body, Document, Root
from lambent.model.errors import ApiError
from lambent.store.store import Store, Transaction

Params = Mapping[str, Any]

SERVICE, BUCKET, UPLOAD, PART = "s3", "bucket", "upload", "part"
"""The service and the kinds of documents: one of the bucket, one of each upload that is not
complete, and one of each of its parts."""
_NAME = re.compile(r"(?!xn--|\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9]|[.-](?![.]))*[a-z0-9]")
_NAME_MIN, _NAME_MAX = 3, 63
_BUCKETS_MAX = 1000
_CONFIGURED = "configured"
_EVERY_ACCOUNT = AccountId("*")


class Buckets:
    """Use cases of buckets. The names of buckets are unique across accounts, as in AWS."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, scope: Scope, name: str, region: Region | None) -> None:
        """CreateBucket; `region` is its location if that is not the caller's region."""
        if not _NAME_MIN <= len(name) <= _NAME_MAX or _NAME.fullmatch(name) is None:
            raise s3_error("InvalidBucketName", "The specified bucket is not valid.")
        root = Root(SERVICE, scope.account, region or scope.region, name)
        body = {"created": int(self._clock.now()), _CONFIGURED: {}}

        def run(tx: Transaction) -> None:
            tx.locks.account(_EVERY_ACCOUNT, Region(SERVICE))
            found = tx.documents.find(SERVICE, BUCKET, name)
            if found is not None:
                raise _taken(found, scope)
            if len(_all_of(tx, scope)) >= _BUCKETS_MAX:
                raise s3_error(
                    "TooManyBuckets",
                    "You have attempted to create more buckets than allowed",
                )
            tx.documents.put(root, BUCKET, name, body)

        await self._store.transact(run)

    async def delete(self, scope: Scope, name: str) -> None:
        """DeleteBucket; refused unless it is empty."""

        def run(tx: Transaction) -> None:
            tx.locks.account(scope.account, Region(SERVICE))
            root = require_bucket(tx, scope, name).root
            if tx.objects.list_from(name, b"", None, 1) or tx.documents.list_of(
                root, UPLOAD, limit=1
            ):
                raise s3_error("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
            tx.documents.delete_all(root)

        await self._store.transact(run)

    async def region(self, scope: Scope, name: str) -> Region:
        """Where a bucket is: HeadBucket, GetBucketLocation."""
        found = await self._store.read(lambda tx: require_bucket(tx, scope, name))
        return found.root.region

    async def list(self, scope: Scope) -> Params:
        """ListBuckets."""
        found = await self._store.read(lambda tx: _all_of(tx, scope))
        buckets = [
            {
                "Name": bucket.id,
                "CreationDate": datetime.datetime.fromtimestamp(
                    bucket.body["created"], datetime.UTC
                ),
                "BucketRegion": bucket.root.region,
            }
            for bucket in sorted(found, key=lambda bucket: bucket.id)
        ]
        return {"Buckets": buckets, "Owner": owner_view(scope)}

    async def configure(self, scope: Scope, name: str, what: str, value: Any) -> None:
        """Store a configuration by its name; None removes it."""

        def run(tx: Transaction) -> None:
            tx.locks.account(scope.account, Region(SERVICE))
            bucket = require_bucket(tx, scope, name)
            configured = {
                key: entry for key, entry in bucket.body[_CONFIGURED].items() if key != what
            }
            if value is not None:
                configured[what] = value
            body: Body = {**bucket.body, _CONFIGURED: configured}
            tx.documents.put(bucket.root, BUCKET, name, body)

        await self._store.transact(run)

    async def configured(self, scope: Scope, name: str, what: str) -> Any:
        """What `configure` has stored; None if there is nothing."""
        bucket = await self._store.read(lambda tx: require_bucket(tx, scope, name))
        return bucket.body[_CONFIGURED].get(what)


def require_bucket(tx: Transaction, scope: Scope, name: str) -> Document:
    """The bucket. Raises `NoSuchBucket`, or `AccessDenied` for one of another account."""
    found = tx.documents.find(SERVICE, BUCKET, name)
    if found is None:
        raise no_such_bucket()
    if found.root.account != scope.account:
        raise s3_error("AccessDenied", "Access Denied", 403)
    return found


def owner_view(scope: Scope) -> Params:
    """`Owner` of the API: an account."""
    return {"ID": scope.account * 5 + "0000", "DisplayName": scope.account}


def _all_of(tx: Transaction, scope: Scope) -> list[Document]:
    """The buckets of an account, in any region."""
    found = tx.documents.everywhere(SERVICE, BUCKET)
    return [bucket for bucket in found if bucket.root.account == scope.account]


def _taken(found: Document, scope: Scope) -> ApiError:
    if found.root.account == scope.account:
        return s3_error(
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
            409,
        )
    return s3_error(
        "BucketAlreadyExists",
        "The requested bucket name is not available. The bucket namespace is shared by all users"
        " of the system. Please select a different name and try again.",
        409,
    )
