"""Which releases run on one database together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.releases import are_neighbors

TOGETHER = [
    ("0.1.0", "0.1.0"),
    ("0.1.0", "0.2.0"),
    ("1.4.7", "1.5.0"),
    ("1.4.0", "1.4.9"),
    ("1.9.0", "1.10.0"),
    ("0.9.3", "1.0.0"),
    ("1.5.0rc1", "1.4.0"),
    ("1.5.0.dev3+g12", "1.5.0"),
    ("1.5", "1.6"),
    ("unknown", "unknown"),
]
APART = [
    ("0.1.0", "0.3.0"),
    ("1.4.0", "1.6.0"),
    ("0.9.0", "1.1.0"),
    ("0.9.0", "2.0.0"),
    ("1.0.0", "2.1.0"),
    ("unknown", "1.0.0"),
    ("", "1.0.0"),
    ("1", "1.0.0"),
    ("1.0\n", "1.0.0"),
    ("9" * 400 + ".1", "1.0.0"),
]


@pytest.mark.parametrize(("one", "other"), TOGETHER)
def test_they_run_together(one: str, other: str) -> None:
    assert are_neighbors(one, other)
    assert are_neighbors(other, one)


@pytest.mark.parametrize(("one", "other"), APART)
def test_they_are_too_far_apart(one: str, other: str) -> None:
    assert not are_neighbors(one, other)
    assert not are_neighbors(other, one)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_has_an_answer(one: str, other: str) -> None:
    """The same in both directions."""
    assert are_neighbors(one, other) is are_neighbors(other, one)
    assert are_neighbors(one, one)
