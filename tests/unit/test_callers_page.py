"""What docs/callers/README.md says can be looked up: its pages and tests exist, and its words are
the ones that it explains."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/callers/README.md"
TEXT = PAGE.read_text(encoding="utf-8")
WAYS = set(re.findall(r"^- \*\*(.+?)\*\*:", TEXT, re.MULTILINE))
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("| ") and "::" in line
]
CALLERS = [row for row in ROWS if len(row) == 5]


@functools.cache
def names_in(path: Path) -> frozenset[str]:
    """The names of a file's tests."""
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return frozenset(each.name for each in body if isinstance(each, functions))


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_tests_exist(row: list[str]) -> None:
    path, _, name = row[-1].strip("`").partition("::")
    assert name.startswith("test_")
    assert name in names_in(ROOT / path)


@pytest.mark.parametrize("row", CALLERS, ids=[row[0] for row in CALLERS])
def test_pages_exist_and_words_are_explained(row: list[str]) -> None:
    _, way, synchronous, link, _ = row
    target = re.fullmatch(r"\[.+\]\((.+)\)", link)
    assert target is not None
    assert (PAGE.parent / target[1]).is_file()
    assert way.startswith(tuple(WAYS))
    assert synchronous in {"yes", "no", "either", ""}


def test_every_page_of_a_caller_is_linked() -> None:
    """Those beside the table, and those of event sources."""
    pages = [*PAGE.parent.glob("*.md"), *ROOT.glob("docs/event-sources/*.md")]
    missing = [page.name for page in pages if page != PAGE and f"{page.name})" not in TEXT]
    assert not missing
    assert len(CALLERS) > 40
