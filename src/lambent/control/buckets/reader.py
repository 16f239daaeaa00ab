"""Deployment packages from the platform's own buckets."""

from lambent.control.buckets.buckets import BUCKET, SERVICE, require_bucket
from lambent.control.buckets.errors import no_such_key
from lambent.control.s3 import ObjectReader, refused_object
from lambent.model.arn import Scope
from lambent.model.errors import ApiError, invalid_parameter
from lambent.model.limits import CODE_SIZE_UNZIPPED_MAX
from lambent.store.blobs import Blobs
from lambent.store.objects import Chunk
from lambent.store.store import Store, Transaction


class OwnBucketsFirst:
    """Reads from an own bucket if there is one of that name, else from S3."""

    def __init__(self, store: Store, blobs: Blobs, others: ObjectReader) -> None:
        self._store = store
        self._blobs = blobs
        self._others = others

    async def fetch(self, *, scope: Scope, bucket: str, key: str, version: str | None) -> bytes:
        """See `ObjectReader`."""

        def run(tx: Transaction) -> list[Chunk] | None:
            if tx.documents.find(SERVICE, BUCKET, bucket) is None:
                return None
            require_bucket(tx, scope, bucket)
            stored = tx.objects.get(bucket, key)
            if stored is None:
                raise no_such_key()
            return tx.objects.chunks_of(stored.owners)

        try:
            chunks = await self._store.read(run)
        except ApiError as error:
            raise refused_object(error.code, error.message) from error
        if chunks is None:
            return await self._others.fetch(scope=scope, bucket=bucket, key=key, version=version)
        if version not in (None, "null"):
            raise refused_object("NoSuchVersion", "The specified version does not exist.")
        if sum(chunk.size for chunk in chunks) > CODE_SIZE_UNZIPPED_MAX:
            raise invalid_parameter(
                f"Unzipped size must be smaller than {CODE_SIZE_UNZIPPED_MAX} bytes"
            )
        return b"".join([await self._blobs.read(chunk.code_key) for chunk in chunks])
