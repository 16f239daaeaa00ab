"""Deployment packages: every hostile zip is refused, every honest one planned."""

import io
import stat
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.model import packages
from lambent.model.packages import (
    Package,
    PackageEmpty,
    PackageError,
    PackageTooLarge,
    read_package,
)
from tests.lengths import examples


def info(name: str, mode: int = 0o644, kind: int = stat.S_IFREG) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (kind | mode) << 16
    return entry


def foreign(name: str) -> zipfile.ZipInfo:
    """An entry of a system without modes."""
    entry = info(name)
    entry.create_system, entry.external_attr = 0, 0x20
    return entry


def make_zip(*entries: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for entry, contents in entries:
            archive.writestr(entry, contents, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    return info(name, 0o777, stat.S_IFLNK), target.encode()


def read(data: bytes) -> Package:
    package = read_package(io.BytesIO(data))
    package.verify()
    return package


def test_plan_of_an_honest_package() -> None:
    """Files, directories and inner links keep their names; modes become harmless: what others than
    the owner may do, everybody may."""
    package = read(
        make_zip(
            (info("app.py", 0o600), b"code"),
            (info("bootstrap", 0o4755), b"#!"),
            (info("mine", 0o4770), b"#!"),
            (info("secret", 0o640), b""),
            (info("nobody", 0), b""),
            (info("shared", 0o666), b""),
            (foreign("windows"), b""),
            (info("lib/", 0o700, stat.S_IFDIR), b""),
            (info("./lib//x.so", 0o444), b"so"),
            ("plain.txt", b""),
            link("lib/current", "x.so"),
            link("up", "lib/../app.py"),
        )
    )
    assert {(entry.path, oct(entry.mode)) for entry in package.entries} == {
        ("app.py", "0o644"),
        ("bootstrap", "0o755"),
        ("mine", "0o200"),
        ("secret", "0o200"),
        ("nobody", "0o200"),
        ("shared", "0o644"),
        ("windows", "0o644"),
        ("lib", "0o755"),
        ("lib/x.so", "0o644"),
        ("plain.txt", "0o644"),
        ("lib/current", "0o777"),
        ("up", "0o777"),
    }
    assert b"".join(package.chunks(package.entries[0])) == b"code"


@pytest.mark.parametrize(
    "name",
    ["../evil", "a/../../evil", "/etc/passwd", "//etc/passwd", "a\\..\\b", "..\\evil", "C:/evil",
     "c:evil", "..", "a/..", "x" * 256, "/".join(["d"] * 1500), "."],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    """No entry can be named into another directory, or so that no disk can hold it."""
    with pytest.raises(PackageError):
        read(make_zip((info(name), b"evil")))


def test_directories_of_tools_that_write_odd_modes() -> None:
    """What is named like a directory is one, whatever its mode says."""
    entries = [
        (info("META-INF/", 0o7777, 0o170000), b""),
        (info("META-INF/maven/", 0o644, stat.S_IFREG), b""),
        (info("META-INF/maven/pom.xml", 0o644), b"x"),
    ]
    package = read(make_zip(*entries))
    kinds = {entry.path: entry.kind for entry in package.entries}
    assert kinds["META-INF"] == kinds["META-INF/maven"] == stat.S_IFDIR
    assert {entry.mode for entry in package.entries if entry.kind == stat.S_IFDIR} == {0o755}


def test_names_that_windows_wrote() -> None:
    """Backslashes are slashes, and lead out of a package no more than those do."""
    package = read(make_zip((info("lib\\deep\\mod.py"), b"x"), (info("empty\\"), b"")))
    assert [(entry.path, entry.kind) for entry in package.entries] == [
        ("lib/deep/mod.py", stat.S_IFREG),
        ("empty", stat.S_IFDIR),
    ]


def test_nul_in_a_name_is_refused() -> None:
    """zipfile would cut the name there; two readers would see two names."""
    data = make_zip((info("good.pyX.txt"), b"")).replace(b"good.pyX", b"good.py\0")
    with pytest.raises(PackageError, match="not a relative path"):
        read(data)


def test_invalid_utf8_in_a_name_is_refused() -> None:
    """A name that says it is UTF-8 must be."""
    data = make_zip((info("ä.py"), b"")).replace("ä".encode(), b"\xff\xfe")
    with pytest.raises(PackageError):
        read(data)


def test_utf8_names_are_read_as_such_without_the_flag() -> None:
    """Most tools on Unix write UTF-8 and do not say so."""
    data = make_zip((info("aa.py"), b"")).replace(b"aa.py", "ä.py".encode())
    assert [entry.path for entry in read(data).entries] == ["ä.py"]


@pytest.mark.parametrize(
    "target",
    [
        "../evil",
        "/opt/nodejs/node_modules",
        "/usr/bin/python3",
        "../../lib64/x",
        "/proc/1/root",
        ".",
    ],
)
def test_links_may_lead_anywhere(target: str) -> None:
    """They are followed inside an execution environment alone, where nothing of the host is."""
    package = read(make_zip(link("a/out", target)))
    assert [(entry.path, entry.target) for entry in package.entries] == [("a/out", target)]


@pytest.mark.parametrize("target", ["", "a\0b", "x/" * 2000])
def test_links_that_no_disk_can_hold_are_refused(target: str) -> None:
    """An empty target, one with a NUL, one that is too long."""
    with pytest.raises(PackageError):
        read(make_zip(link("out", target)))


def test_nothing_lies_behind_a_link_or_below_a_file() -> None:
    """Else an entry could be written through a link."""
    with pytest.raises(PackageError, match="no directory"):
        read(make_zip(link("dir", "other"), (info("dir/file"), b"")))
    with pytest.raises(PackageError, match="no directory"):
        read(make_zip((info("file"), b""), (info("file/sub/x"), b"")))


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_special_files_are_refused(kind: int) -> None:
    """A package holds files, directories and links."""
    with pytest.raises(PackageError, match="special file"):
        read(make_zip((info("device", 0o666, kind), b"")))


def test_encrypted_entries_are_refused() -> None:
    """No user could read them."""
    data = bytearray(make_zip((info("secret"), b"x")))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + offset] |= 1
    with pytest.raises(PackageError, match="encrypted"):
        read(bytes(data))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_exotic_compression_is_refused(method: int) -> None:
    """Decompressors that can be made to take gigabytes of memory are not run."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x", b"x" * 100, method)
    with pytest.raises(PackageError, match="compressed with method"):
        read(file.getvalue())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicates_are_refused() -> None:
    """Two readers could take different ones. Directories may be listed again."""
    with pytest.raises(PackageError, match="twice"):
        read(make_zip((info("a"), b"1"), (info("a"), b"2")))
    with pytest.raises(PackageError, match="twice"):
        read(make_zip((info("a"), b"1"), (info("./a"), b"2")))
    directory = info("d/", 0o755, stat.S_IFDIR)
    read(make_zip((directory, b""), (info("d/", 0o755, stat.S_IFDIR), b""), (info("f"), b"")))


def test_bombs_are_refused() -> None:
    """What is said to come out counts, and lying about it does not help."""
    data = make_zip((info("zeros"), bytes(3_000_000)))
    with pytest.raises(PackageTooLarge):
        read_package(io.BytesIO(data), limit=2_000_000)
    lying = data.replace(struct.pack("<L", 3_000_000), struct.pack("<L", 1_000))
    with pytest.raises(PackageError):
        read_package(io.BytesIO(lying), limit=2_000_000).verify(2_000_000)


def test_too_many_entries_are_refused_before_they_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A directory of millions of records is not turned into millions of objects."""
    monkeypatch.setattr(packages, "ENTRIES_MAX", 20)
    with pytest.raises(PackageError, match="entries"):
        read(make_zip(*[(info(f"f{number}"), b"") for number in range(21)]))
    with pytest.raises(PackageError, match="directories"):
        read(make_zip((info("d/" * 30 + "file"), b"")))


def test_empty_and_foreign_files_are_refused() -> None:
    """No zip, an empty zip, and half a zip."""
    for data in (b"", b"hello", b"PK\3\4" + bytes(100)):
        with pytest.raises(PackageError):
            read(data)
    with pytest.raises(PackageEmpty):
        read(make_zip())


def test_damaged_contents_are_found() -> None:
    """Contents are read to the end, checksums and all, before a package is accepted."""
    data = make_zip((info("a"), b"some contents that are long enough to be damaged"))
    damaged = bytearray(data)
    damaged[40] ^= 0xFF
    with pytest.raises(PackageError):
        read(bytes(damaged))


@settings(max_examples=examples(150))
@given(st.data())
def test_random_damage_never_crashes(data: st.DataObject) -> None:
    """Whatever bytes arrive, the answer is a package or a PackageError."""
    good = bytearray(make_zip((info("a/b.py"), b"contents"), link("l", "a/b.py"), ("c", b"")))
    for _ in range(data.draw(st.integers(1, 6))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        package = read(bytes(good))
    except PackageError:
        return
    assert all(not entry.path.startswith("/") for entry in package.entries)
