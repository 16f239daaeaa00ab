"""Deployment packages, by the SHA-256 of their contents.

A blob is written once, completely or not at all, and is durable when `put` returns. All methods
without `async` block: call them in a thread. Who deletes must know that nobody refers to the
blob; the control plane does that inside a transaction (see `control/packages.py`).
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import anyio.to_thread
import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore


class Blobs:
    """Blobs in one directory; files are named by the hex SHA-256 of their bytes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for half_written in directory.glob("*#*"):
            half_written.unlink()  # What a crash left of obstore's own staging files.
        self._store = LocalStore(directory)

    @staticmethod
    def key_of(data: bytes) -> str:
        """The name under which `data` is kept: 64 hex digits."""
        return hashlib.sha256(data).hexdigest()

    def put(self, key: str, data: bytes) -> None:
        """Keep `data`, whose key is `key`; writes nothing if it is there already."""
        while True:
            if not self.exists(key):
                try:
                    obstore.put(self._store, key, data, use_multipart=False)
                except BaseError as error:
                    raise OSError(f"cannot write the blob {key}: {error}") from error
            try:
                # Even if it was there: whoever is writing it may not have come this far.
                self._flush(self._directory / key)
                self._flush(self._directory)
            except FileNotFoundError:
                continue  # Its last owner deleted it just now.
            return

    def get(self, key: str) -> bytes:
        """The bytes of a blob. Raises FileNotFoundError if there is none."""
        try:
            return obstore.get(self._store, key).bytes().to_bytes()
        except BaseError as error:
            raise OSError(f"cannot read the blob {key}: {error}") from error

    async def read(self, key: str) -> bytes:
        """As `get`, in a thread."""
        return await anyio.to_thread.run_sync(self.get, key)

    def exists(self, key: str) -> bool:
        """Whether the blob is there."""
        return (self._directory / key).exists()

    def delete(self, key: str) -> None:
        """Forget a blob; does nothing if there is none."""
        if self.exists(key):
            obstore.delete(self._store, key)

    def list_keys(self) -> Iterator[str]:
        """The keys of all blobs."""
        for batch in obstore.list(self._store):
            yield from (meta["path"] for meta in batch)

    @staticmethod
    def _flush(path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
