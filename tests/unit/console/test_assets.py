"""The files of the console."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tools.vendor_console import FILES, PACKAGES, VENDOR

from lambent.console.assets import Assets

STATIC = VENDOR.parent


class Sent(SimpleNamespace):
    """An exchange that keeps its response."""

    def respond(self, status: int, headers: Any = (), body: bytes = b"") -> None:
        self.status, self.sent, self.content = status, dict(headers), body


def test_only_files_of_the_directory_are_found() -> None:
    assets = Assets()
    for name in (
        "../front.py",
        "/etc/passwd",
        "..%2ffront.py",
        "pages/../../front.py",
        "./app.js",
        "pages//overview.js",
        "vendor",
        "",
        "vendor/preact.LICENSE",
        "app.js\0",
        "APP.JS",
    ):
        assert assets.find(name) is None
    assert assets.find("app.js") is not None


def test_a_link_out_of_the_directory_is_not_followed(tmp_path: Path) -> None:
    """Nothing that is not a listed file of the package is read."""
    (tmp_path / "a.js").write_text("1")
    (tmp_path / "b.txt").write_text("1")
    assets = Assets(tmp_path)
    assert assets.find("a.js") is not None
    assert assets.find("b.txt") is None


def test_what_the_browser_has_is_not_sent_again() -> None:
    asset = Assets().find("app.js")
    assert asset is not None
    first = Sent(headers={"accept-encoding": "gzip"})
    asset.send(first, [])  # type: ignore[arg-type]
    assert first.sent["Content-Encoding"] == "gzip"
    assert len(first.content) < len(asset.content)
    again = Sent(headers={"if-none-match": first.sent["ETag"]})
    asset.send(again, [])  # type: ignore[arg-type]
    assert (again.status, again.content) == (304, b"")


def test_the_console_is_small() -> None:
    """Over the wire, compressed: everything that any page needs."""
    assets = Assets()
    names = [path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()]
    found = [asset for name in names if (asset := assets.find(name)) is not None]
    assert sum(len(asset.compressed) for asset in found) < 150_000


def test_sample_events_are_those_of_the_command_line() -> None:
    asset = Assets().find("samples.json")
    assert asset is not None
    assert json.loads(asset.content)["sqs"]["Records"][0]["eventSource"] == "aws:sqs"


@pytest.mark.parametrize("name", sorted(FILES))
def test_copies_of_libraries_are_those_of_their_packages(name: str) -> None:
    if not PACKAGES.is_dir():
        pytest.skip("tools/make-test-needs was not run")
    assert (VENDOR / name).read_bytes() == (PACKAGES / FILES[name]).read_bytes()


def test_nothing_is_loaded_from_elsewhere() -> None:
    """No file of ours names another host, but for comments."""
    for path in STATIC.rglob("*"):
        if path.is_file() and "vendor" not in path.parts:
            text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
            lines = [line for line in text.splitlines() if not line.lstrip().startswith("//")]
            assert not [line for line in lines if re.search(r"\b(https?|wss?)://\w", line)], path
