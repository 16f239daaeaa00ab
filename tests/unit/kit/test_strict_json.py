"""JSON of strangers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.kit.strict_json import Number, member_as_written, parse

VALUES = st.recursive(
    st.none() | st.booleans() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@pytest.mark.parametrize("number", ["0", "-1", "300", "300.0", "3.0e2", "1E-9999", "9" * 5000])
def test_numbers(number: str) -> None:
    """Stay as they are written, and are no texts."""
    read = parse(f"[{number}]")
    assert read == [number]
    assert type(read[0]) is Number


@pytest.mark.parametrize(
    "text", ["", "NaN", "[-Infinity]", "{", "[1,]", "01", "'x'", "\ufeff1", "[" * 100_000]
)
def test_what_is_not_json(text: str) -> None:
    """Is refused, and so is what is nested too deeply."""
    with pytest.raises(ValueError):  # noqa: PT011 - the reader has many messages
        parse(text)


@given(st.dictionaries(st.text(), VALUES, max_size=4), st.sampled_from([None, 0, 3]), st.booleans())
def test_members(document: Any, indent: int | None, ascii_only: bool) -> None:
    """Each is found as it is written, however the document is; others are not."""
    text = "\n " + json.dumps(document, indent=indent, ensure_ascii=ascii_only) + " "
    assert parse(text) == document
    for name, value in document.items():
        written = member_as_written(text, name)
        assert written is not None
        assert written in text
        assert json.loads(written) == value
    assert member_as_written(text, "".join(document) + "x") is None


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("{}", None),
        ("{ }", None),
        ('{"b":{"a":1}}', None),
        ('{"a" : 1.50 , "b":2}', "1.50"),
        ('{"a":1,"a":[ 2 ]}', "[ 2 ]"),
        ('{"\\u0061":"}"}', '"}"'),
    ],
)
def test_a_member(text: str, written: str | None) -> None:
    """Of those that come twice, the last."""
    assert member_as_written(text, "a") == written
