"""The page of types of resources."""

from pathlib import Path

from lambent.stacks.resources.reference import render

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "resource-types.md"


def test_the_page_is_current() -> None:
    """Run `make docs` after changing a row."""
    assert PAGE.read_text() == render()
