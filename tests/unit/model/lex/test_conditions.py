"""Conditions of branches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.lex.conditions import ConditionInvalid, compile_condition
from lambent.model.lex.messages import References
from lambent.model.lex.slot_values import given_value

KNOWN = References({"Hours": given_value("12"), "Boat": given_value("Canoe")}, {"vip": "true"}, {})


@pytest.mark.parametrize(
    ("text", "is_true"),
    [
        ("{Hours} > 3", True),
        ("{Hours} > 3 AND {Boat} = 'kayak'", False),
        ('NOT {Boat} = "kayak" and [vip] = true', True),
        ("({Hours} < 3 OR {Hours} >= 12) AND {Boat} != ''", True),
        ("fn.IS_NULL({Harbor})", True),
        ("fn.LENGTH({Boat}) = 5", True),
        ("fn.COUNT({Boat}) = 1", True),
        ("{Harbor} = 'Kiel'", False),
        ("{Harbor} = null", True),
    ],
)
def test_conditions(text: str, is_true: bool) -> None:
    assert bool(compile_condition(text)(KNOWN)) is is_true


@pytest.mark.parametrize(
    "text", ["", "{Hours} >", "a b", "(" * 500, "NOT " * 250, "fn.EXEC({a})", "{a} = {b} {c}", "$"]
)
def test_what_is_no_condition(text: str) -> None:
    with pytest.raises(ConditionInvalid):
        compile_condition(text)


@given(st.text(alphabet="{}[]()ANDORT =<>!'\"fn.1a,", max_size=100))
def test_any_text(text: str) -> None:
    """Is a condition or is none."""
    try:
        compile_condition(text)(KNOWN)
    except ConditionInvalid:
        pass
