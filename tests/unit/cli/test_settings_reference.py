"""docs/reference/settings.md says what the code says."""

from pathlib import Path

from lambent.cli.settings_reference import field_docstrings, render
from lambent.settings import all_settings

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "settings.md"


def test_every_setting_is_documented() -> None:
    """Each field has a docstring below it."""
    silent = [s.name for s in all_settings() if not field_docstrings(s.slice).get(s.field)]
    assert silent == []


def test_the_page_is_current() -> None:
    """`make docs` was run after the last change of a setting."""
    assert PAGE.read_text(encoding="utf-8") == render(), "run `make docs`"
