"""Uploading and deleting deployment packages.

A package is checked before anything is stored. Its blob is written before the transaction that
refers to it; that transaction checks once more that the blob exists. A platform that has its own
database deletes an unused blob inside a transaction: its transactions do not overlap, so no version
can lose its blob. On a shared database the blob is marked, and deleted after a grace period if it
is still unused (see `store/unused_packages.py`). A sweep at start removes what a crash left.
"""

import io
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import anyio
import anyio.to_thread

from lambent.control.s3 import ObjectReader
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.errors import ApiError, invalid_parameter
from lambent.model.limits import CODE_SIZE_UNZIPPED_MAX, CODE_SIZE_ZIPPED_MAX
from lambent.model.packages import PackageEmpty, PackageError, PackageTooLarge, read_package
from lambent.store.blobs import Blobs, key_of
from lambent.store.problems import StoreUnavailable
from lambent.store.store import Store, Transaction

T = TypeVar("T")

_log = logging.getLogger(__name__)
_CHECKS_MAX = 2
GRACE_S = 60.0
"""Seconds for which a package of a shared database must be unused before it is deleted."""
_LOCKED_S = 1.0
"""Seconds between checks of marks that another platform has locked."""
_DELETED_AT_ONCE = 20
"""The number of packages deleted in one transaction."""


class Content(NamedTuple):
    """A checked package."""

    data: bytes
    unzipped_size: int
    """Total size of the files in bytes."""


class Packages:
    """Stores packages and deletes unused ones."""

    def __init__(self, store: Store, blobs: Blobs, objects: ObjectReader, clock: Clock) -> None:
        self._store = store
        self._blobs = blobs
        self._objects = objects
        self._clock = clock
        self._bell = anyio.Event()
        self._limiter = anyio.CapacityLimiter(_CHECKS_MAX)

    async def read(self, code: Mapping[str, Any], scope: Scope) -> Content:
        """The package that `ZipFile`, or `S3Bucket` and `S3Key`, of a request refer to, checked.

        Raises `ApiError` if there is none, more than one, or the package is not valid.
        """
        data: bytes | None = code.get("ZipFile")
        bucket, key = code.get("S3Bucket"), code.get("S3Key")
        if code.get("ImageUri"):
            raise invalid_parameter(
                "cannot use ImageUri: functions packaged as container images are not supported"
                " here. Upload a .zip file archive instead."
            )
        for member in ("SourceKMSKeyArn", "S3ObjectStorageMode"):
            if code.get(member, "COPY") != "COPY":
                raise invalid_parameter(f"Lambent does not offer {member} yet: leave it out.")
        if data is not None:
            if bucket or key:
                raise invalid_parameter(
                    "Please do not provide other FunctionCode parameters when providing a ZipFile."
                )
            if len(data) > CODE_SIZE_ZIPPED_MAX:
                raise ApiError(
                    "RequestEntityTooLargeException",
                    f"Zipped size must be smaller than {CODE_SIZE_ZIPPED_MAX} bytes",
                    status=413,
                )
        elif bucket and key:
            data = await self._objects.fetch(
                scope=scope, bucket=bucket, key=key, version=code.get("S3ObjectVersion")
            )
        else:
            raise invalid_parameter("Please provide a source for function code.")
        return Content(data, await anyio.to_thread.run_sync(_check, data, limiter=self._limiter))

    async def deploy(self, data: bytes, work: Callable[[Transaction, str], T]) -> T:
        """Store a package and run `work(transaction, code_key)`, which refers to it, in a
        transaction. If `work` raises, the package is discarded again."""
        return await self.store([data], lambda tx, code_keys: work(tx, code_keys[0]))

    async def store(
        self, blobs: Sequence[bytes], work: Callable[[Transaction, Sequence[str]], T]
    ) -> T:
        """As `deploy`, for any number of blobs."""
        code_keys = await anyio.to_thread.run_sync(self._put, blobs, limiter=self._limiter)

        def run(tx: Transaction) -> T:
            for code_key, data in sorted(zip(code_keys, blobs, strict=True)):
                if self._store.is_shared:
                    tx.unused_packages.hold(code_key)
                self._blobs.put(code_key, data)
            return work(tx, code_keys)

        try:
            return await self._store.transact(run)
        except StoreUnavailable:
            raise  # It may have been committed. If not, the next start removes it.
        except ApiError:
            await self.discard_unused(code_keys)
            raise

    def _put(self, blobs: Sequence[bytes]) -> Sequence[str]:
        code_keys = [key_of(data) for data in blobs]
        for code_key, data in zip(code_keys, blobs, strict=True):
            self._blobs.put(code_key, data)
        return code_keys

    async def discard_unused(self, code_keys: Iterable[str]) -> None:
        """Delete the unused ones among these blobs; on a shared database, after a grace period."""
        candidates = set(code_keys)
        if not candidates:
            return

        def run(tx: Transaction) -> None:
            found = candidates | tx.layers.forget_unused()
            unused = {code_key for code_key in found if not tx.is_code_used(code_key)}
            if self._store.is_shared:
                tx.unused_packages.mark(unused, self._clock.now())
                return
            for code_key in unused:
                self._blobs.delete(code_key)

        await self._store.transact(run)
        self._bell.set()

    async def delete_unused(self) -> None:
        """Delete packages whose mark is older than the grace period, until cancelled."""
        while True:
            self._bell = anyio.Event()
            oldest = await self._store.read(lambda tx: tx.unused_packages.next_at())
            if oldest is None:
                await self._bell.wait()
                continue
            delay_s = oldest + GRACE_S - self._clock.now()
            if delay_s > 0:
                await self._clock.sleep(delay_s)
            if not await self._store.transact(self._delete_due):
                await self._clock.sleep(_LOCKED_S)

    def _delete_due(self, tx: Transaction) -> bool:
        """Returns whether there was a mark that no other platform had locked."""
        due = tx.unused_packages.take_due(self._clock.now() - GRACE_S, _DELETED_AT_ONCE)
        for code_key in due:
            if not tx.is_code_used(code_key):
                self._blobs.delete(code_key)
            tx.unused_packages.unmark(code_key)
        return bool(due)

    async def sweep(self) -> None:
        """Discard every unused blob, and recover missing ones: a restored database may refer to
        packages that were deleted. On its own database the platform moves unused blobs to the trash
        at once. On a shared one another platform may be about to refer to them, so they are
        marked."""

        def run(tx: Transaction) -> int:
            tx.layers.forget_unused()
            used = tx.code_keys()
            present = set(self._blobs.list_keys())
            if self._store.is_shared:
                tx.unused_packages.mark(present - used, self._clock.now())
            else:
                for code_key in present - used:
                    self._blobs.discard(code_key)
                    tx.unused_packages.unmark(code_key)
            return sum(not self._blobs.recover(code_key) for code_key in used - present)

        missing = await self._store.transact(run)
        if missing:
            _log.warning(
                "%d packages are gone: functions that use them cannot start until a backup is"
                " restored or they are deployed again", missing,
            )  # fmt: skip


def _check(data: bytes) -> int:
    """The package's size unzipped. Raises `ApiError` if it cannot be used."""
    try:
        return read_package(io.BytesIO(data)).verify()
    except PackageTooLarge as error:
        raise invalid_parameter(
            f"Unzipped size must be smaller than {CODE_SIZE_UNZIPPED_MAX} bytes"
        ) from error
    except PackageEmpty as error:
        raise invalid_parameter("Uploaded file must be a non-empty zip") from error
    except PackageError as error:
        # AWS's message names no cause, and clients compare it.
        _log.info("refused a package: %s", error)
        raise invalid_parameter(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        ) from error
