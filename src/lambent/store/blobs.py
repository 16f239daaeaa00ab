"""Deployment packages, by the SHA-256 of their contents; and large payloads of events, by number.

They are stored in a local directory (`directory_blobs.py`) or in an S3 bucket (`object_blobs.py`).
A blob is written once, completely or not at all, and is durable when `put` returns. A blob may be
deleted only when nothing refers to it; the control plane ensures that (see `control/packages.py`).

Blobs cannot be recreated, so two things protect them from mistakes. A mark next to them names the
database that refers to them, and a platform with another database does not start. A blob that is
deleted because nothing refers to it, rather than because a client asked for it, stays in the trash
for a day.
"""

import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import anyio.to_thread

from lambent.kit.clock import Clock
from lambent.store.problems import StoreError, StoreUnavailable

_log = logging.getLogger(__name__)
KEY = re.compile(r"[0-9a-f]{64}|[0-9]{1,19}")
"""The form of a blob's name."""
MARK = ".lambent"
"""The form of the mark's content."""
TRASH_S = 24 * 3600.0
_EMPTIED_EVERY_S = 3600.0


class Trashed(NamedTuple):
    """A blob in the trash."""

    place: str
    """Path or URL."""
    size: int
    """Bytes."""


class Blobs(Protocol):
    """Where blobs are stored. All methods without `async` block: call them in a thread. All of them
    raise `StoreUnavailable` while the storage cannot be reached."""

    def put(self, key: str, data: bytes) -> None:
        """Store `data`, whose key is `key`; writes nothing if it is already there."""
        ...

    def get(self, key: str) -> bytes:
        """The bytes of a blob. Raises FileNotFoundError if there is none."""
        ...

    async def read(self, key: str) -> bytes:
        """As `get`, in a thread."""
        ...

    def exists(self, key: str) -> bool:
        """Whether the blob is there."""
        ...

    def delete(self, key: str) -> None:
        """Delete a blob; does nothing if there is none."""
        ...

    def list_keys(self) -> Iterator[str]:
        """The keys of all blobs."""
        ...

    def belong_to(self, database_id: str, *, is_new: bool) -> None:
        """Mark the place as a database's own. `is_new` says whether that database was empty when it
        was opened. Raises StoreError if the blobs belong to another database, or were there before
        this one was created."""
        ...

    def discard(self, key: str) -> None:
        """Move a blob to the trash; does nothing if there is none."""
        ...

    def recover(self, key: str) -> bool:
        """Restore a blob from the trash; returns whether it was there."""
        ...

    def empty_trash(self) -> None:
        """Delete what has been in the trash for a day."""
        ...

    def expired(self) -> Sequence[Trashed]:
        """The blobs that have been in the trash for a day."""
        ...


def key_of(data: bytes) -> str:
    """The key of a package: 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def foreign(where: str, *, is_new: bool) -> StoreError:
    """The error message for blobs that belong to another database."""
    return StoreError(
        f"{where} holds packages or events that belong to another database:"
        f" {'this one is new' if is_new else 'this one was never used with them'}."
        " Nothing was deleted. If the database was moved, or store.url or store.blobs_dir"
        " is mistaken, put that right; if the database is lost, restore a backup"
        f" (docs/backup.md); to begin without them, move {where} away"
    )


async def keep_trash_short(clock: Clock, *places: Blobs) -> None:
    """Empty the trash of blobs periodically, until cancelled."""
    while True:
        for blobs in places:
            try:
                await anyio.to_thread.run_sync(blobs.empty_trash)
            except OSError as error:
                _log.warning("cannot empty the trash: %s", error)
            except StoreUnavailable:
                pass  # Already logged.
        await clock.sleep(_EMPTIED_EVERY_S)
