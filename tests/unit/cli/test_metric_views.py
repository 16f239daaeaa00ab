"""Lines of bars."""

import pytest

from lambent.cli.metric_views import sparkline


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([None, None], "  "),
        ([0.0, 0.0], "▁▁"),
        ([0.0, None, 8.0, 4.0], "▁ █▅"),
    ],
)
def test_a_line_has_a_bar_for_each_value(values: list[float | None], line: str) -> None:
    """From zero to the largest; a space where there is none."""
    assert sparkline(values) == line
