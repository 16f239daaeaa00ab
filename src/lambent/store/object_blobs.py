"""Blobs in a bucket of S3, or of another service with the same protocol.

An object is written completely or not at all, and is durable when the service has confirmed it. The
mark and the trash are objects under the same prefix, as in a directory. There is no lock on the
mark, because a backup copies only directories (see `backup.py`).
"""

import datetime
import re
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar
from urllib.parse import urlsplit

import anyio.to_thread
import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from lambent.kit.clock import Clock
from lambent.store.blobs import KEY, MARK, TRASH_S, Trashed, foreign
from lambent.store.outage import Outage
from lambent.store.problems import StoreError
from lambent.store.settings import StoreSettings

T = TypeVar("T")

_TRASH = ".trash"
_TRASHED = re.compile(rf"{re.escape(_TRASH)}/([0-9]{{1,12}})\.([0-9a-f]+)")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_RETRIES_S = 10
_NO_BUCKET = "NoSuchBucket"


class ObjectBlobs:
    """See `Blobs`."""

    def __init__(self, settings: StoreSettings, suffix: str, clock: Clock) -> None:
        """The blobs below `store.blobs_url`; `suffix` is appended to its last part. Raises
        StoreError if the settings are not valid."""
        bucket, prefix = _parts_of(settings)
        self._where = f"s3://{bucket}/{prefix}{suffix}"
        self._clock = clock
        self._outage = Outage(self._where, clock)
        self._lock = threading.Lock()
        """Guards the outage: several threads may use these blobs."""
        endpoint = settings.blobs_endpoint or None
        self._store = S3Store(
            bucket,
            prefix=f"{prefix}{suffix}",
            region=settings.blobs_region,
            endpoint=endpoint,
            # Other servers than AWS's have no host names for buckets.
            virtual_hosted_style_request=endpoint is None,
            client_options={
                "timeout": "60s",
                "connect_timeout": "3s",
                "allow_http": (endpoint or "").startswith("http:"),
            },
            retry_config={
                "max_retries": 3,
                "retry_timeout": datetime.timedelta(seconds=_RETRIES_S),
            },
        )

    def put(self, key: str, data: bytes) -> None:
        """See `Blobs`."""
        if not self.exists(key):
            self._ask(lambda: obstore.put(self._store, key, data))

    def get(self, key: str) -> bytes:
        """See `Blobs`."""
        return self._ask(lambda: obstore.get(self._store, key).bytes().to_bytes())

    async def read(self, key: str) -> bytes:
        """See `Blobs`."""
        return await anyio.to_thread.run_sync(self.get, key)

    def exists(self, key: str) -> bool:
        """See `Blobs`."""
        try:
            self._ask(lambda: obstore.head(self._store, key))
        except FileNotFoundError:
            return False
        return True

    def delete(self, key: str) -> None:
        """See `Blobs`."""
        try:
            self._ask(lambda: obstore.delete(self._store, key))
        except FileNotFoundError:
            pass

    def list_keys(self) -> Iterator[str]:
        """See `Blobs`."""
        for name, _ in self._list():
            if KEY.fullmatch(name):
                yield name

    def belong_to(self, database_id: str, *, is_new: bool) -> None:
        """See `Blobs`."""
        try:
            owner: str | None = self.get(MARK).decode()
        except FileNotFoundError:
            owner = None
        if owner == database_id:
            return
        is_known = owner is None and not is_new
        if not is_known and next(self.list_keys(), None) is not None:
            raise foreign(self._where, is_new=is_new)
        self._ask(lambda: obstore.put(self._store, MARK, database_id.encode()))

    def discard(self, key: str) -> None:
        """See `Blobs`."""
        try:
            self._move(key, f"{_TRASH}/{int(self._clock.now())}.{key}")
        except FileNotFoundError:
            pass

    def recover(self, key: str) -> bool:
        """See `Blobs`."""
        found = max((name for _, name, of, _ in self._trashed() if of == key), default=None)
        if found is not None:
            self._move(found, key)
        return found is not None

    def empty_trash(self) -> None:
        """See `Blobs`."""
        for name, _ in self._expired():
            self.delete(name)

    def expired(self) -> list[Trashed]:
        """See `Blobs`."""
        return [Trashed(f"{self._where}/{name}", size) for name, size in self._expired()]

    def _expired(self) -> list[tuple[str, int]]:
        ends_at = self._clock.now() - TRASH_S
        return [(name, size) for since, name, _, size in self._trashed() if since <= ends_at]

    def _trashed(self) -> Iterator[tuple[int, str, str, int]]:
        for name, size in self._list(_TRASH):
            if match := _TRASHED.fullmatch(name):
                yield int(match[1]), name, match[2], size

    def _list(self, prefix: str | None = None) -> list[tuple[str, int]]:
        """Names and sizes of the objects at this level of the prefix."""

        def run() -> list[tuple[str, int]]:
            found = obstore.list_with_delimiter(self._store, prefix)
            return [(entry["path"], entry["size"]) for entry in found["objects"]]

        return self._ask(run)

    def _move(self, name: str, target: str) -> None:
        self._ask(lambda: obstore.copy(self._store, name, target))
        self._ask(lambda: obstore.delete(self._store, name))

    def _ask(self, request: Callable[[], T]) -> T:
        """Send a request. Raises FileNotFoundError, or `StoreUnavailable` for any other error of a
        bucket: those are for the operator to solve, and temporary."""
        try:
            answer = request()
        except (BaseError, OSError) as error:
            if isinstance(error, FileNotFoundError) and _NO_BUCKET not in str(error):
                raise  # A missing bucket gives the same error for an object.
            with self._lock:
                raise self._outage.note_failure(_cause(error), is_away=True) from None
        self._note_success()
        return answer

    def _note_success(self) -> None:
        if self._outage.is_away:
            with self._lock:
                self._outage.note_success()


def _cause(error: Exception) -> Exception:
    """The error without the client's settings, which obstore appends after the first paragraph."""
    return OSError(str(error).split("\n\nDebug source", 1)[0])


def _parts_of(settings: StoreSettings) -> tuple[str, str]:
    """Bucket and prefix."""
    url = settings.blobs_url
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    prefix = parts.path.strip("/")
    is_plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme != "s3" or not _BUCKET.fullmatch(parts.netloc) or not prefix or not is_plain:
        raise StoreError("cannot use store.blobs_url: it must be s3://bucket/prefix")
    if settings.blobs_dir:
        raise StoreError("cannot use store.blobs_dir and store.blobs_url at the same time")
    return parts.netloc, prefix
