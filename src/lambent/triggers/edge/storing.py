"""Keeps what an origin sends while it passes on to the viewer."""

import os
from collections.abc import Callable

import anyio.to_thread

from lambent.triggers.edge.cache import SMALL_BYTES, EdgeCache
from lambent.triggers.edge.messages import Content


class Stored:
    """A body that is kept when it has been read to its end: in memory, or in a file as soon as it
    is larger than small ones are."""

    def __init__(
        self,
        content: Content,
        cache: EdgeCache,
        keep: Callable[["Stored"], None],
    ) -> None:
        """`keep` is called with this once the body is complete: then either `body` or `file` is
        there."""
        self.length = content.length
        self.size = 0
        self._content = content
        self._cache = cache
        self._keep = keep
        self._chunks: list[bytes] = []
        self._descriptor: int | None = None
        self._is_given_up = False
        self._is_complete = False
        self.file = cache.new_file()

    @property
    def body(self) -> bytes | None:
        """The whole body, if it is small."""
        return b"".join(self._chunks) if self._descriptor is None else None

    async def read(self) -> bytes:
        """See `Content`."""
        chunk = await self._content.read()
        if self._is_given_up or self._is_complete:
            return chunk
        if not chunk:
            self._is_complete = self.length is None or self.size == self.length
            if self._is_complete:
                self._keep(self)
            self.close()
            return chunk
        self.size += len(chunk)
        if self.size > self._cache.object_bytes_max:
            self.close()
            return chunk
        if self._descriptor is None:
            self._chunks.append(chunk)
            if self.size <= SMALL_BYTES:
                return chunk
            chunks, self._chunks = self._chunks, []
        else:
            chunks = [chunk]
        try:
            await anyio.to_thread.run_sync(self._write, chunks)
        except OSError:
            self.close()  # The disk is full: the viewer gets the body anyway.
        return chunk

    def _write(self, chunks: list[bytes]) -> None:
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._descriptor = os.open(self.file, flags, 0o600)
        for chunk in chunks:
            view = memoryview(chunk)
            while view:
                view = view[os.write(self._descriptor, view) :]

    def close(self) -> None:
        """Give up what is not complete."""
        self._is_given_up = True
        self._chunks = []
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            if not self._is_complete:
                self.file.unlink(missing_ok=True)


class FileContent:
    """A part of a file. It stays readable when the file is deleted."""

    _CHUNK_BYTES = 256 * 1024

    def __init__(self, descriptor: int, begin: int, end: int) -> None:
        self.length = end - begin
        self._descriptor = descriptor
        self._at = begin
        self._end = end

    async def read(self) -> bytes:
        """See `Content`."""
        size = min(self._CHUNK_BYTES, self._end - self._at)
        if size <= 0:
            return b""
        chunk = await anyio.to_thread.run_sync(os.pread, self._descriptor, size, self._at)
        if not chunk:
            raise OSError("a file of the cache is shorter than it was")
        self._at += len(chunk)
        return chunk
