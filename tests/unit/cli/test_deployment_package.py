"""A directory as a package: what it contains, and that the same files make the same bytes."""

import io
import os
import zipfile
from pathlib import Path

import pytest

from lambent.cli.output import UsageError
from lambent.cli.package import left_out, pack
from lambent.model.packages import read_package


def names(package: bytes) -> list[str]:
    """What a package holds."""
    return zipfile.ZipFile(io.BytesIO(package)).namelist()


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    """Whatever the order they were written in and whenever that was."""
    first, second = tmp_path / "first", tmp_path / "second"
    for directory, order in ((first, ["a.py", "b.py"]), (second, ["b.py", "a.py"])):
        directory.mkdir()
        for name in order:
            (directory / name).write_text(name)
    os.utime(second / "a.py", (1, 1))
    assert pack(first) == pack(second)
    assert names(pack(first)) == ["a.py", "b.py"]


def test_only_executable_is_kept_of_the_permissions(tmp_path: Path) -> None:
    """A bootstrap stays executable; a private file becomes readable for the function."""
    (tmp_path / "bootstrap").write_text("#!/bin/sh\n")
    (tmp_path / "bootstrap").chmod(0o700)
    (tmp_path / "data").write_text("x")
    (tmp_path / "data").chmod(0o600)
    entries = zipfile.ZipFile(io.BytesIO(pack(tmp_path))).infolist()
    modes = {entry.filename: (entry.external_attr >> 16) & 0o777 for entry in entries}
    assert modes == {"bootstrap": 0o755, "data": 0o644}


def test_what_is_no_code_stays_out(tmp_path: Path) -> None:
    """Version control, caches, function.toml and what .lambentignore names."""
    for name in (
        *(".git/config", "__pycache__/a.pyc", "function.toml", "app.py", "lib/x.py"),
        *("tests/t.py", "notes.md", "lib/notes.md"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / ".lambentignore").write_text("# not needed\ntests/\n*.md\n")
    assert names(pack(tmp_path)) == ["app.py", "lib/x.py"]


def test_links_are_followed(tmp_path: Path) -> None:
    """A package contains files, wherever they are."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "tool.py").write_text("x")
    code = tmp_path / "code"
    code.mkdir()
    (code / "lib").symlink_to(tmp_path / "shared")
    assert names(pack(code)) == ["lib/tool.py"]


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    """Instead of packing forever."""
    (tmp_path / "app.py").write_text("x")
    (tmp_path / "again").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="again"):
        pack(tmp_path)


def test_a_link_to_nothing_stays_a_link(tmp_path: Path) -> None:
    """It may lead to a layer where the function runs."""
    (tmp_path / "node_modules").symlink_to("/opt/nodejs/node_modules")
    packed = read_package(io.BytesIO(pack(tmp_path)))
    assert [(entry.path, entry.target) for entry in packed.entries] == [
        ("node_modules", "/opt/nodejs/node_modules")
    ]


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    """Most likely the wrong one."""
    (tmp_path / "__pycache__").mkdir()
    with pytest.raises(UsageError, match="no files"):
        pack(tmp_path)


def test_credentials_stay_out(tmp_path: Path) -> None:
    """Files of the user who deploys, unless `.lambentignore` says otherwise."""
    for name in ("app.py", ".env", ".aws/credentials", "inner/id_rsa"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert names(pack(tmp_path)) == ["app.py"]
    assert left_out(tmp_path) == [".aws", ".env", "inner/id_rsa"]
    (tmp_path / ".lambentignore").write_text("!.env\n")
    assert names(pack(tmp_path)) == [".env", "app.py"]
    assert left_out(tmp_path) == [".aws", "inner/id_rsa"]


def test_a_package_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names what is large, and how it is left out."""
    monkeypatch.setattr("lambent.cli.package.UNZIPPED_BYTES_MAX", 1000)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_bytes(b"x" * 900)
    (tmp_path / "app.py").write_bytes(b"x" * 101)
    with pytest.raises(UsageError, match=r"1,001 bytes unzipped.* model \(900\).*lambentignore"):
        pack(tmp_path)
    (tmp_path / ".lambentignore").write_text("model\n")
    assert names(pack(tmp_path)) == ["app.py"]
