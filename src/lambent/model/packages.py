"""Deployment packages: which zip files are acceptable, and what they hold.

A package is hostile until read. `read_package` turns a zip file into a *plan*: a list of
directories, files and links with clean relative paths and harmless permissions. An
extraction follows the plan and never asks the zip file again where something should go.
Refused are entries that leave the package by name or lie behind a link, special files, encrypted
or exotically compressed entries, duplicates, and anything the platform could not store.

A link itself may lead anywhere, as in AWS: to a layer in `/opt`, to a program in `/usr`, nowhere.
It is followed only inside an execution environment. Nothing on the host follows links of a package.
"""

import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

from lambent.model.limits import CODE_SIZE_UNZIPPED_MAX

ENTRIES_MAX = 100_000
"""More directory records than this are refused before the directory is read."""
_PATH_BYTES_MAX = 2048
_NAME_BYTES_MAX = 255
_CHUNK_BYTES = 1 << 18
_DIRECTORY_RECORD = b"PK\x01\x02"
_ENCRYPTED = 0x1 | 0x40
_UTF8_NAME = 0x800
_UNIXES = (3, 19)
"""Systems whose files have modes."""
_UNSAID = 0o600


class PackageError(Exception):
    """The package cannot be used; the message says why, in words for an operator's log."""


class PackageTooLarge(PackageError):
    """The package holds more bytes than allowed."""


class PackageEmpty(PackageError):
    """There is nothing in the package."""


class ZipEntry(NamedTuple):
    """One thing to put on disk. `path` is relative, clean, and unique in its plan."""

    path: str
    kind: int
    """`stat.S_IFDIR`, `stat.S_IFREG` or `stat.S_IFLNK`."""
    mode: int
    """Permission bits: readable and executable for all users or none, never setuid."""
    source: zipfile.ZipInfo
    target: str = ""
    """Where a link points to, as its author wrote it."""


class Package:
    """An open, checked package: its plan, and the contents of its files."""

    def __init__(self, archive: zipfile.ZipFile, entries: list[ZipEntry]) -> None:
        self._archive = archive
        self.entries = entries

    def chunks(self, entry: ZipEntry) -> Iterator[bytes]:
        """The contents of a file. Raises PackageError if they are damaged."""
        try:
            with self._archive.open(entry.source) as contents:
                while chunk := contents.read(_CHUNK_BYTES):
                    yield chunk
        except _DAMAGED as error:
            raise PackageError(f"{entry.path!r} is damaged: {error}") from error

    def verify(self, limit: int = CODE_SIZE_UNZIPPED_MAX) -> int:
        """Unpack everything to nowhere; returns how many bytes came out.

        Raises PackageError if something is damaged or more than `limit` bytes come out.
        """
        total = 0
        for entry in self.entries:
            if entry.kind == stat.S_IFREG:
                for chunk in self.chunks(entry):
                    total += len(chunk)
                    if total > limit:
                        raise PackageTooLarge(f"more than {limit} bytes unzipped")
        return total


_DAMAGED = (
    zipfile.BadZipFile,
    NotImplementedError,
    EOFError,
    OSError,
    RuntimeError,
    UnicodeError,
    ValueError,
    zlib.error,
)
"""What zipfile raises for damaged input, besides its own error."""


def read_package(file: BinaryIO, limit: int = CODE_SIZE_UNZIPPED_MAX) -> Package:
    """Plan the extraction of the zip in `file`, a seekable file that must stay open.

    Only the directory and the links are read. Raises PackageError. Call it in a thread.
    """
    if _count_records(file) > ENTRIES_MAX:
        raise PackageError(f"more than {ENTRIES_MAX} entries")
    try:
        archive = zipfile.ZipFile(file)
        infos = archive.infolist()
    except _DAMAGED as error:
        raise PackageError(f"not a zip file: {error}") from error
    if not infos:
        raise PackageEmpty("the zip file has no entries")
    if sum(info.file_size for info in infos) > limit:
        raise PackageTooLarge(f"more than {limit} bytes unzipped")
    entries: dict[str, ZipEntry] = {}
    for info in infos:
        entry = _plan(archive, info)
        if entry is None:
            continue
        known = entries.get(entry.path)
        if known is not None and not (known.kind == entry.kind == stat.S_IFDIR):
            raise PackageError(f"{entry.path!r} occurs twice")
        entries[entry.path] = entry
    _check_parents(entries)
    return Package(archive, list(entries.values()))


def _count_records(file: BinaryIO) -> int:
    """An upper bound of the number of entries, without building an object for each."""
    count, tail = 0, b""
    file.seek(0)
    while block := file.read(1 << 20):
        count += (tail + block).count(_DIRECTORY_RECORD)
        tail = block[-(len(_DIRECTORY_RECORD) - 1) :]
    return count


def _plan(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> ZipEntry | None:
    """The entry of one directory record; None for the package's own root."""
    name = _name_of(info)
    path = _clean_path(name)
    if info.flag_bits & _ENCRYPTED:
        raise PackageError(f"{name!r} is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise PackageError(f"{name!r} is compressed with method {info.compress_type}")
    mode = info.external_attr >> 16
    # A name says that something is a directory: the modes of some tools say anything.
    is_directory = name.endswith(("/", "\\"))
    kind = stat.S_IFDIR if is_directory else stat.S_IFMT(mode) or stat.S_IFREG
    if kind == stat.S_IFDIR:
        return ZipEntry(path, kind, 0o755, info) if path else None
    if not path:
        raise PackageError(f"{name!r} is not a file's name")
    if kind == stat.S_IFREG:
        return ZipEntry(path, kind, _mode_of(info), info)
    if kind == stat.S_IFLNK:
        return ZipEntry(path, kind, 0o777, info, _read_target(archive, info))
    raise PackageError(f"{name!r} is a special file")


def _mode_of(info: zipfile.ZipInfo) -> int:
    """What all others than its owner may do with a file, as a mode for everybody: a function is
    one of the others. A file without a mode is meant to be readable: tools of other
    systems have no modes, and Python's `zipfile` writes 0600 then."""
    mode = info.external_attr >> 16 & 0o777
    if info.create_system not in _UNIXES or mode == _UNSAID:
        return 0o755 if mode & 0o111 else 0o644
    return 0o200 | (mode & 0o5) * 0o111


def _name_of(info: zipfile.ZipInfo) -> str:
    """The name as its author wrote it: many tools write UTF-8 without saying so."""
    name = info.orig_filename
    if not info.flag_bits & _UTF8_NAME:
        try:
            name = name.encode("cp437").decode()
        except UnicodeError:
            pass
    return name


def _clean_path(name: str) -> str:
    """`name` without empty and `.` components, with the slashes that Windows turns round. Raises
    PackageError if it leads anywhere else."""
    slashed = name.replace("\\", "/")
    if slashed.startswith("/") or "\0" in name:
        raise PackageError(f"{name!r} is not a relative path")
    parts = [part for part in slashed.split("/") if part not in ("", ".")]
    if ".." in parts or (parts and parts[0][1:2] == ":"):
        raise PackageError(f"{name!r} leads out of the package")
    if len(name.encode()) > _PATH_BYTES_MAX or any(
        len(part.encode()) > _NAME_BYTES_MAX for part in parts
    ):
        raise PackageError(f"{name[:80]!r}… is too long")
    return "/".join(parts)


def _read_target(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    if info.file_size > _PATH_BYTES_MAX:
        raise PackageError(f"the link {info.filename!r} is too long")
    try:
        target = archive.read(info).decode()
    except _DAMAGED as error:
        raise PackageError(f"the link {info.filename!r} is damaged: {error}") from error
    if not target or "\0" in target:
        raise PackageError(f"the link {info.filename!r} has no usable target")
    return target


def _check_parents(entries: Mapping[str, ZipEntry]) -> None:
    """Nothing lies below a file or behind a link, and the directories are not too many."""
    seen = set[str]()
    for path in entries:
        parent = path.rpartition("/")[0]
        while parent and parent not in seen:
            above = entries.get(parent)
            if above is not None and above.kind != stat.S_IFDIR:
                raise PackageError(f"{path!r} lies below {parent!r}, which is no directory")
            seen.add(parent)
            if len(seen) > ENTRIES_MAX:
                raise PackageError(f"more than {ENTRIES_MAX} directories")
            parent = parent.rpartition("/")[0]
