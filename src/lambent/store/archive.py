"""The file format of backups: a tar file that any tar can read, with only a few kinds of members.

The first member describes the backup; the last lists the others with their sizes and checksums. A
reader trusts nothing in an archive: it accepts only plain files with the names below, and refuses
links, other names, duplicates and anything that the list does not contain.
"""

import dataclasses
import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from lambent.store.problems import StoreError

HEADER, MANIFEST = "lambent-backup.json", "manifest.json"
DATABASE, CREDENTIALS = "database.sqlite", "root-credentials"
PACKAGES, EVENTS = "packages/", "events/"
FORMAT = 1
_NAME = re.compile(
    r"lambent-backup\.json|database\.sqlite|root-credentials|manifest\.json"
    r"|packages/[0-9a-f]{64}|events/[0-9]{1,19}"
)
_SMALL = {HEADER: 64 << 10, CREDENTIALS: 64 << 10, MANIFEST: 1 << 30}
_CHUNK = 1 << 20
_BLOCK = tarfile.BLOCKSIZE


@dataclasses.dataclass(frozen=True, slots=True)
class ArchiveMember:
    """A file's entry in the list."""

    size: int
    sha256: str


class ArchiveWriter:
    """Writes an archive into an open file."""

    def __init__(self, file: IO[bytes], about: Mapping[str, Any]) -> None:
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.GNU_FORMAT)
        self.members: dict[str, ArchiveMember] = {}
        self._add_text(HEADER, {"format": FORMAT, **about})

    def add(self, name: str, content: IO[bytes], size: int) -> None:
        """Add a file of `size` bytes, which must not change while it is read."""
        reader = _Hashing(content)
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        self._tar.addfile(info, reader)
        self.members[name] = ArchiveMember(size, reader.hash.hexdigest())

    def close(self) -> None:
        """Write the list of everything that was added, and end the archive."""
        listed = {name: dataclasses.asdict(member) for name, member in self.members.items()}
        self._add_text(MANIFEST, {"files": listed})
        self._tar.close()

    def _add_text(self, name: str, document: Mapping[str, Any]) -> None:
        data = json.dumps(document, indent=1).encode()
        self.add(name, io.BytesIO(data), len(data))


def read_archive(
    archive: Path, file: IO[bytes], place: Callable[[str, int], Path | None]
) -> Mapping[str, ArchiveMember]:
    """Unpack an archive and compare it with its list. `place` returns where to write a member, None
    to skip it; it may raise `StoreError`. Returns the contents of the archive.

    Raises `StoreError` if the file is not an archive, or is incomplete.
    """
    members: dict[str, ArchiveMember] = {}
    for name, size in _headers(archive, file):
        if name in members:
            raise _bad(archive, f"{name} is in it twice")
        if name != HEADER and not members:
            raise _bad(archive, "it does not begin as one")
        if name in _SMALL and size > _SMALL[name]:
            raise _bad(archive, f"{name} is too large")
        if name in (HEADER, MANIFEST):
            data = b"".join(_content(archive, file, size))
            document = _parse(archive, name, data)
            if name == MANIFEST:
                return _complete(archive, members, document)
            if document.get("format") != FORMAT:
                raise StoreError(f"cannot restore {archive}: it was made by a newer lambent")
            members[name] = ArchiveMember(size, hashlib.sha256(data).hexdigest())
        else:
            members[name] = _unpack(archive, file, size, place(name, size))
    raise _bad(archive, "it was cut off")


def _complete(
    archive: Path, members: Mapping[str, ArchiveMember], document: Mapping[str, Any]
) -> Mapping[str, ArchiveMember]:
    try:
        listed = {name: ArchiveMember(**member) for name, member in document["files"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise _bad(archive, "its list cannot be read") from error
    wrong = [name for name in {*listed, *members} if listed.get(name) != members.get(name)]
    if wrong or DATABASE not in members:
        raise _bad(archive, f"{min(wrong, default=DATABASE)} is missing, damaged or not listed")
    return members


def _headers(archive: Path, file: IO[bytes]) -> Iterator[tuple[str, int]]:
    """Name and size of each member; the file continues with its content."""
    while True:
        block = file.read(_BLOCK)
        if not block.strip(b"\0"):
            return
        try:
            info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.HeaderError, ValueError) as error:
            raise _bad(archive, "it is no tar file, or damaged") from error
        if info.type != tarfile.REGTYPE or info.size < 0 or not _NAME.fullmatch(info.name):
            raise _bad(archive, f"it holds {info.name[:100]!r}, which is not part of a backup")
        yield info.name, info.size


def _content(archive: Path, file: IO[bytes], size: int) -> Iterator[bytes]:
    """The content of a member; skips its padding."""
    left = size
    while left:
        chunk = file.read(min(left, _CHUNK))
        if not chunk:
            raise _bad(archive, "it was cut off")
        left -= len(chunk)
        yield chunk
    file.read(-size % _BLOCK)


def _unpack(archive: Path, file: IO[bytes], size: int, target: Path | None) -> ArchiveMember:
    digest = hashlib.sha256()
    with open(target, "xb", opener=_private) if target else io.BytesIO() as output:
        for chunk in _content(archive, file, size):
            digest.update(chunk)
            if target:
                output.write(chunk)
        if target:
            output.flush()
            os.fsync(output.fileno())
    return ArchiveMember(size, digest.hexdigest())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _parse(archive: Path, name: str, data: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _bad(archive, f"{name} cannot be read") from error
    if not isinstance(document, dict):
        raise _bad(archive, f"{name} cannot be read")
    return document


def _bad(archive: Path, why: str) -> StoreError:
    return StoreError(f"cannot restore {archive}: it is no whole backup: {why}")


class _Hashing:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self.hash.update(chunk)
        return chunk
