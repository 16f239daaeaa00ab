"""The page of the project file."""

from pathlib import Path

from lambent.cli.project_reference import render

PAGE = Path(__file__).parents[3] / "docs/reference/project-file.md"


def test_the_page_is_current() -> None:
    """`make docs` writes it; every key has a meaning."""
    assert PAGE.read_text(encoding="utf-8") == render()
    assert "|  |\n" not in render()
