"""The coverage page and the code say the same."""

from pathlib import Path

from lambent.gateway.coverage import offered, render
from lambent.gateway.models import load_model

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "api-coverage.md"


def test_the_page_is_current() -> None:
    """Run `make docs` after offering an operation."""
    assert PAGE.read_text() == render()


def test_only_what_exists_is_offered() -> None:
    """Every offered name is an operation of its service's model."""
    for service, names in offered().items():
        assert names
        assert names <= set(load_model(service).operation_names)
