"""Selection expressions: from a message to the key of its route."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.selection_expressions import parse_selection

BODY = {
    "action": "join",
    "service": "chat",
    "version": 2,
    "flags": [True, {"name": "x"}],
    "nothing": None,
    "data": {"room": "room1234", "kind-of": "b"},
}


@pytest.mark.parametrize(
    ("expression", "key"),
    [
        ("$request.body.action", "join"),
        ("${request.body.action}", "join"),
        ("${request.body.service}/${request.body.action}-v${request.body.version}", "chat/join-v2"),
        ("$request.body.data.room", "room1234"),
        ("$request.body.data.kind-of", "b"),
        ("${request.body.version}-beta", "2-beta"),
        ("$request.body.flags[1].name", "x"),
        ("$request.body.flags[0]", "true"),
        ("$request.body.flags[7]", ""),
        ("$request.body.missing", ""),
        ("$request.body.nothing", ""),
        ("$request.body.action.deeper", ""),
        ("$request.body.data", '{"room":"room1234","kind-of":"b"}'),
        ("\\$default", "$default"),
        ("\\$request.body.action", "$request.body.action"),
        ("a\\b", "a\\b"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_a_key_is_made_of_texts_and_variables(expression: str, key: str) -> None:
    """As AWS documents them: braces mark where a variable ends, a backslash makes `$` a text."""
    assert parse_selection(expression).evaluate({"request": {"body": BODY}}) == key


@pytest.mark.parametrize("expression", ["$", "$$", "${}", "${a", "${a b}", "$.x", "${a..b}", "$9"])
def test_what_is_no_expression_is_refused(expression: str) -> None:
    """With ValueError, which names the place."""
    with pytest.raises(ValueError, match="variable"):
        parse_selection(expression)


def test_long_expressions_are_refused() -> None:
    """An expression is evaluated for each message."""
    with pytest.raises(ValueError, match="longer"):
        parse_selection("a" * 1025)


def test_values_are_not_evaluated_again() -> None:
    """A client cannot make a variable of its text."""
    body = {"a": "${request.body.b}", "b": "secret"}
    values = {"request": {"body": body}}
    assert parse_selection("$request.body.a").evaluate(values) == "${request.body.b}"


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@given(st.text(alphabet="$\\{}.[]ab0- ", max_size=20), ANY_JSON)
def test_any_text_is_an_expression_or_refused(expression: str, body: Any) -> None:
    """No text raises anything but ValueError, and no body raises at all."""
    try:
        selection = parse_selection(expression)
    except ValueError:
        return
    assert isinstance(selection.evaluate({"a": body, "b": {"a": body}}), str)


@given(st.text(max_size=20))
def test_escaped_text_stands_for_itself(text: str) -> None:
    """With a backslash before each `$`, nothing is left to evaluate."""
    plain = text.replace("\\", "")
    assert parse_selection(plain.replace("$", "\\$")).evaluate({}) == plain
