"""What the platform makes of a compiler's output, which is as hostile as the code it read."""

import struct
from pathlib import Path

import pytest

from lambent.node.code.bytecode import _files, _keep

END = struct.pack(">II", 0, 0)


def entry(path: str, content: bytes) -> bytes:
    """One file as the compiler sends it."""
    encoded = path.encode()
    return struct.pack(">II", len(encoded), len(content)) + encoded + content


def test_files_are_kept_where_the_loader_looks(tmp_path: Path) -> None:
    """Next to the package, with a `c` after the name of the source, readable for every user."""
    target = tmp_path / "key.python3.11"
    _keep(entry("app.py", b"1") + entry("pkg/deep/er.py", b"2") + END, target)
    assert (target / "app.pyc").read_bytes() == b"1"
    assert (target / "pkg/deep/er.pyc").read_bytes() == b"2"
    assert (target / "pkg/deep/er.pyc").stat().st_mode & 0o777 == 0o644
    assert (target / "pkg/deep").stat().st_mode & 0o777 == 0o755
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"\x00",
        entry("app.py", b"1"),
        entry("app.py", b"1")[:-1],
        entry("/etc/cron.d/x.py", b"1") + END,
        entry("../x.py", b"1") + END,
        entry("a/../../x.py", b"1") + END,
        entry("a\0.py", b"1") + END,
        entry("app.so", b"1") + END,
        struct.pack(">II", 0xFFFFFFFF, 0xFFFFFFFF) + b"x" * 100,
    ],
)
def test_bad_output_is_refused_and_leaves_nothing(tmp_path: Path, output: bytes) -> None:
    """Nothing is written, not even a part."""
    target = tmp_path / "inside" / "key.python3.11"
    target.parent.mkdir()
    with pytest.raises(ValueError, match="compiler"):
        _keep(output, target)
    assert list(tmp_path.rglob("*")) == [target.parent]


def test_a_file_in_the_place_of_a_directory_is_an_error(tmp_path: Path) -> None:
    """So is everything that the file system refuses; nothing is left."""
    target = tmp_path / "key.python3.11"
    with pytest.raises(OSError, match=r"exists|directory"):
        _keep(entry("a.py", b"1") + entry("a.pyc/b.py", b"2") + END, target)
    assert list(tmp_path.iterdir()) == []


def test_an_end_is_an_end() -> None:
    """Output after it is ignored."""
    assert [str(path) for path, _ in _files(entry("a.py", b"") + END + b"more")] == ["a.py"]


def test_the_first_of_two_compilers_counts(tmp_path: Path) -> None:
    """Two functions with one package may be compiled at the same time; the second leaves nothing
    behind."""
    target = tmp_path / "code.python3.12"
    _keep(entry("app.py", b"first") + END, target)
    _keep(entry("app.py", b"second") + END, target)
    assert (target / "app.pyc").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
