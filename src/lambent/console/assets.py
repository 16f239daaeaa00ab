"""The files of the console's pages, from the package: nothing is fetched from elsewhere.

They are read when they are first asked for, and kept with their compressed form.
"""

import base64
import dataclasses
import gzip
import hashlib
import re
from functools import cached_property
from pathlib import Path

from lambent.kit.http.messages import Exchange

_DIRECTORY = Path(__file__).parent / "static"
_SAMPLES = Path(__file__).parents[1] / "cli/sample_events"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_INLINE = re.compile(rb"<script type=\"importmap\">(.*?)</script>", re.DOTALL)


_SAMPLES_NAME = "samples.json"


@dataclasses.dataclass(frozen=True)
class Asset:
    """One file."""

    type: str
    content: bytes

    @cached_property
    def compressed(self) -> bytes:
        """As gzip."""
        return gzip.compress(self.content, mtime=0)

    @cached_property
    def tag(self) -> str:
        """Identifies the content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'

    @cached_property
    def script_hash(self) -> str:
        """Of a page: the source of its inline script for a Content Security Policy."""
        (script,) = _INLINE.findall(self.content)
        return "sha256-" + base64.b64encode(hashlib.sha256(script).digest()).decode()

    def send(self, exchange: Exchange, headers: list[tuple[str, str]]) -> None:
        """Respond with it, or that the browser has it already."""
        headers = [*headers, ("ETag", self.tag), ("Cache-Control", "no-cache")]
        if exchange.headers.get("if-none-match") == self.tag:
            exchange.respond(304, headers)
            return
        headers += [("Content-Type", self.type), ("Vary", "Accept-Encoding")]
        if "gzip" in exchange.headers.get("accept-encoding", ""):
            exchange.respond(200, [*headers, ("Content-Encoding", "gzip")], self.compressed)
        else:
            exchange.respond(200, headers, self.content)


class Assets:
    """All of them. Only names that a listing of the directory contains are read."""

    def __init__(self, directory: Path = _DIRECTORY) -> None:
        self._files = {
            path.relative_to(directory).as_posix(): path
            for path in directory.rglob("*")
            if path.suffix in _TYPES and path.is_file()
        }
        self._read: dict[str, Asset] = {}
        self._files[_SAMPLES_NAME] = _SAMPLES

    def find(self, name: str) -> Asset | None:
        """The file of a name such as `pages/overview.js`, None if there is none."""
        found = self._read.get(name)
        if found is None and (path := self._files.get(name)) is not None:
            content = _sample_events() if path is _SAMPLES else path.read_bytes()
            found = self._read[name] = Asset(_TYPES[Path(name).suffix], content)
        return found


def _sample_events() -> bytes:
    """The events of `lambent events generate`, by kind."""
    files = sorted(_SAMPLES.glob("*.json"))
    members = (b'"%s": %s' % (file.stem.encode(), file.read_bytes()) for file in files)
    return b"{%s}" % b",".join(members)
