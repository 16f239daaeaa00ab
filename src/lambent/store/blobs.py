"""Deployment packages, by the SHA-256 of their contents; and large payloads of events, by number.

They lie in a local directory (`directory_blobs.py`) or in a bucket of S3 (`object_blobs.py`). A
blob is written once, completely or not at all, and is durable when `put` returns. A blob may be
deleted only when nothing refers to it; the control plane makes sure of that (see
`control/packages.py`).

Blobs cannot be made again, so two things protect them from a mistake. A mark next to them names the
database that refers to them, and a platform with another database does not start. What is deleted
because nothing refers to it, rather than because a client asked for that, is in the trash for a
day.
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
"""What names a blob."""
MARK = ".lambent"
"""What names the mark."""
TRASH_S = 24 * 3600.0
_EMPTIED_EVERY_S = 3600.0


class Trashed(NamedTuple):
    """A blob in the trash."""

    place: str
    """Path or URL."""
    size: int
    """Bytes."""


class Blobs(Protocol):
    """Where blobs lie. All methods without `async` block: call them in a thread. All of them raise
    `StoreUnavailable` while the place cannot be reached."""

    def put(self, key: str, data: bytes) -> None:
        """Keep `data`, whose key is `key`; writes nothing if it is there already."""
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
        """Mark the place as a database's own. `is_new` says whether that was empty when it was
        opened. Raises StoreError if the blobs are another's, or were before it was made."""
        ...

    def discard(self, key: str) -> None:
        """Put a blob into the trash; does nothing if there is none."""
        ...

    def recover(self, key: str) -> bool:
        """Take a blob back out of the trash; returns whether it was there."""
        ...

    def empty_trash(self) -> None:
        """Delete what has been in the trash for a day."""
        ...

    def expired(self) -> Sequence[Trashed]:
        """What has been in the trash for a day."""
        ...


def key_of(data: bytes) -> str:
    """The key of a package: 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def foreign(where: str, *, is_new: bool) -> StoreError:
    """What to say of blobs that belong to another database."""
    return StoreError(
        f"{where} holds packages or events that belong to another database:"
        f" {'this one is new' if is_new else 'this one was never used with them'}."
        " Nothing was deleted. If the database was moved, or store.url or store.blobs_dir"
        " is mistaken, put that right; if the database is lost, restore a backup"
        f" (docs/backup.md); to begin without them, move {where} away"
    )


async def keep_trash_short(clock: Clock, *places: Blobs) -> None:
    """Empty the trash of blobs again and again, until cancelled."""
    while True:
        for blobs in places:
            try:
                await anyio.to_thread.run_sync(blobs.empty_trash)
            except OSError as error:
                _log.warning("cannot empty the trash: %s", error)
            except StoreUnavailable:
                pass  # It is in the log already.
        await clock.sleep(_EMPTIED_EVERY_S)
