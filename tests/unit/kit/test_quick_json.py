"""JSON on the path of every call: as Python's reader and writer, only faster."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.kit import quick_json

# With lone surrogates and numbers of any length, which take the slow way.
_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, width=64) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
)


@given(_VALUES)
def test_what_is_written(value: Any) -> None:
    """Is read by Python's reader."""
    if _is_finite(value):
        assert json.loads(quick_json.encode(value)) == value


@given(_VALUES, st.booleans())
def test_what_is_read(value: Any, ascii_only: bool) -> None:
    """Is what Python's reader reads, with values that JSON does not have."""
    text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - the reader has many messages
            quick_json.decode(text)
    else:
        assert quick_json.decode(text) == expected


@pytest.mark.parametrize("text", [b"", b"{", b"[1,]", b"\xff", b"'x'"])
def test_what_is_no_json(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        quick_json.decode(text)


def test_values_that_the_quick_way_does_not_have() -> None:
    """Long integers keep their digits; NaN is read, and written as null."""
    assert quick_json.decode(b"[12345678901234567890123]") == [12345678901234567890123]
    assert quick_json.encode([2**70]) == f"[{2**70}]".encode()
    assert math.isnan(quick_json.decode(b"NaN"))
    assert quick_json.encode({"a": math.nan, "b": [1, "ü"]}) == '{"a":null,"b":[1,"ü"]}'.encode()


def test_deep_nesting_is_an_error() -> None:
    with pytest.raises((RecursionError, ValueError)):
        quick_json.decode(b"[" * 200_000)


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return all(map(_is_finite, value)) if isinstance(value, list) else True
