"""Compression at the edge.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/ServingCompressedFiles.html
"""

import zlib
from collections.abc import Mapping
from typing import Protocol

import brotli

from lambent.kit.computing import LOOP_BYTES_MAX, computed
from lambent.triggers.edge.messages import Content

_BYTES_MIN, _BYTES_MAX = 1000, 10_000_000
_STATUSES = frozenset({200, 403, 404})
_TYPES = frozenset(
    {
        *("application/dash+xml", "application/eot", "application/font", "application/font-sfnt"),
        *("application/javascript", "application/json", "application/opentype"),
        *("application/otf", "application/pdf", "application/pkcs7-mime"),
        *("application/protobuf", "application/rss+xml", "application/truetype"),
        *("application/ttf", "application/vnd.apple.mpegurl", "application/vnd.mapbox-vector-tile"),
        *("application/vnd.ms-fontobject", "application/wasm", "application/xhtml+xml"),
        *("application/xml", "application/x-font-opentype", "application/x-font-truetype"),
        *("application/x-font-ttf", "application/x-httpd-cgi", "application/x-javascript"),
        *("application/x-mpegurl", "application/x-opentype", "application/x-otf"),
        *("application/x-perl", "application/x-ttf", "font/eot", "font/opentype", "font/otf"),
        *("font/ttf", "image/svg+xml", "text/css", "text/csv", "text/html", "text/javascript"),
        *("text/js", "text/plain", "text/richtext", "text/tab-separated-values", "text/xml"),
        *("text/x-component", "text/x-java-source", "text/x-script", "vnd.apple.mpegurl"),
    }
)


class _Compressor(Protocol):
    def compress(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        self.compress = self._stream.compress

    def finish(self) -> bytes:
        return self._stream.flush()


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Compressor(quality=4)

    def compress(self, data: bytes) -> bytes:
        found: bytes = self._stream.process(data)
        return found

    def finish(self) -> bytes:
        found: bytes = self._stream.finish()
        return found


def choose(status: int, headers: Mapping[str, str], length: int | None, accepted: str) -> str:
    """The form in which a response is compressed: `br`, `gzip`, or empty if it is not. `accepted`
    is normalized."""
    if status not in _STATUSES or "content-encoding" in headers or length is None:
        return ""
    if not _BYTES_MIN <= length <= _BYTES_MAX or "no-transform" in headers.get("cache-control", ""):
        return ""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return accepted.partition(",")[0] if kind in _TYPES else ""


class Compressed:
    """The compressed form of a body."""

    length = None

    def __init__(self, content: Content, form: str) -> None:
        self._content = content
        self._stream: _Compressor = _Brotli() if form == "br" else _Gzip()
        self._is_finished = False

    async def read(self) -> bytes:
        """See `Content`."""
        while not self._is_finished:
            chunk = await self._content.read()
            if not chunk:
                self._is_finished = True
                return await computed(self._stream.finish)
            if len(chunk) <= LOOP_BYTES_MAX:
                made = self._stream.compress(chunk)
            else:
                made = await computed(self._stream.compress, chunk)
            if made:
                return made
        return b""
