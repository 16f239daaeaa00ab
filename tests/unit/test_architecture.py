"""What ARCHITECTURE.md and the pages say about the code is so."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/lambent"
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """A section of the page, without its heading."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rooms() -> set[str]:
    """The packages of `lambent`, and `settings`, which is a module."""
    return {path.parent.name for path in PACKAGE.glob("*/__init__.py")} | {"settings"}


def first_column(text: str) -> list[str]:
    """The names in the first column of a table."""
    rows = re.findall(r"^\| (`.+?) \|", text, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([\w./]+)`", row)]


def test_every_room_is_described_once() -> None:
    assert sorted(first_column(section("Rooms"))) == sorted(rooms())


def test_the_layers_are_those_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = (
        contract["layers"]
        for contract in contracts["contracts"]
        if contract.get("containers") == ["lambent"]
    )
    written = PAGE.partition("<!-- layers -->\n```\n")[2].partition("```")[0].splitlines()
    assert written == [layer for layer in layers if layer not in ("__main__", "runtimes")]


def test_the_picture_shows_rooms() -> None:
    picture = PAGE.partition("```\n")[2].partition("```")[0]
    shown = re.findall(r"\[(\w+)\]", picture)
    assert len(shown) == len(set(shown)) >= 9
    assert set(shown) <= rooms()


def test_every_file_of_the_launcher_is_described_once() -> None:
    launcher = PACKAGE / "sandbox/launcher"
    files = [path.name for path in launcher.glob("*.py") if path.name != "__init__.py"]
    assert sorted(first_column(section("The sandbox"))) == sorted(files)
    lines = sum(len(path.read_text().splitlines()) for path in launcher.glob("*.py"))
    (said,) = re.findall(r"([\d,]+) lines of Python", section("The sandbox"))
    assert abs(int(said.replace(",", "")) - lines) < 500


def test_pages_name_files_that_exist() -> None:
    """Python files in backticks; pages on how to add something name files that do not exist yet."""
    sources = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("src/**/*.py")]
    sources += [path.relative_to(ROOT).as_posix() for path in ROOT.glob("tests/**/*.py")]
    sources += [path.relative_to(ROOT).as_posix() for path in ROOT.glob("tools/*.py")]
    missing = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
        if not page.name.startswith("adding-")
        for name in re.findall(r"`([\w/]+\.py)`", page.read_text(encoding="utf-8"))
        if not any(source == name or source.endswith(f"/{name}") for source in sources)
    ]
    assert missing == []
