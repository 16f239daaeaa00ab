"""What slots take: built-in types in words and digits, and lists of a bot."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.lex.values import BUILT_IN, FREE_TEXT, Context, custom_slot_type

CONTEXT = Context(datetime.date(2026, 11, 30), "en_US")  # A Monday.


@pytest.mark.parametrize(
    ("type", "text", "value"),
    [
        ("Number", "25", "25"),
        ("Number", "1,250.5", "1250.5"),
        ("Number", "twenty-five", "25"),
        ("Number", "One hundred and three", "103"),
        ("Number", "two thousand twenty six", "2026"),
        ("Number", "minus two", "-2"),
        ("Number", "a dozen", "12"),
        ("Number", "five five", None),
        ("Number", "٣", None),
        ("Number", "hello", None),
        ("Date", "today", "2026-11-30"),
        ("Date", "Friday", "2026-12-04"),
        ("Date", "next monday", "2026-12-07"),
        ("Date", "in two weeks", "2026-12-14"),
        ("Date", "3 days ago", "2026-11-27"),
        ("Date", "12/24", "2026-12-24"),
        ("Date", "the first of May", "2027-05-01"),
        ("Date", "Dec 24, 2027", "2027-12-24"),
        ("Date", "february 29", "2028-02-29"),
        ("Date", "2026-02-30", None),
        ("Date", "in 999999999 weeks", None),
        ("Time", "5 pm", "17:00"),
        ("Time", "half past five", "05:30"),
        ("Time", "10 in the evening", "22:00"),
        ("Time", "noon", "12:00"),
        ("Time", "25:00", None),
        ("Duration", "three hours", "PT3H"),
        ("Duration", "a week", "P1W"),
        ("Percentage", "fifty percent", "50"),
        ("Confirmation", "Yes, please!", "Yes"),
        ("Confirmation", "not sure", "Don't know"),
        ("AlphaNumeric", "AB12", "AB12"),
        ("AlphaNumeric", "A B", None),
        ("EmailAddress", "ann@example.com", "ann@example.com"),
        ("EmailAddress", "ann@example", None),
        ("PhoneNumber", "+49 (30) 123-4567", "+49301234567"),
        ("PhoneNumber", "12", None),
        ("UKPostalCode", "SW1A 1AA", "SW1A 1AA"),
        ("City", " Kiel ", "Kiel"),
        ("City", " ", None),
    ],
)
def test_built_in_types(type: str, text: str, value: str | None) -> None:
    """A text is a value or it is none."""
    found = BUILT_IN[f"AMAZON.{type}"].resolve(text, CONTEXT)
    assert (None if found is None else found.interpreted) == value


def test_an_hour_without_a_half_is_one_of_two() -> None:
    found = BUILT_IN["AMAZON.Time"].resolve("at 5", CONTEXT)
    assert found is not None
    assert found.resolved == ("05:00", "17:00")


def test_days_are_read_as_the_locale_has_them() -> None:
    british = Context(CONTEXT.today, "en_GB")
    found = BUILT_IN["AMAZON.Date"].resolve("4/12", british)
    assert found is not None
    assert found.interpreted == "2026-12-04"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("for 3 nights please", "3"),
        ("twenty five people", "25"),
        ("from 3 to 5", None),
        ("some", None),
        ("one " * 61, None),
    ],
)
def test_one_value_in_a_text_is_found(text: str, value: str | None) -> None:
    """Of two it is not clear which one is meant."""
    found = BUILT_IN["AMAZON.Number"].find(text, CONTEXT)
    assert (None if found is None else found.interpreted) == value


def boat_type(strategy: str, **more: object) -> dict[str, object]:
    return {
        "slotTypeName": "Boat",
        "slotTypeValues": [
            {"sampleValue": {"value": "canoe"}, "synonyms": [{"value": "Kayak"}]},
            {"sampleValue": {"value": "sailing boat"}},
        ],
        "valueSelectionSetting": {"resolutionStrategy": strategy, **more},
    }


def test_lists_of_a_bot() -> None:
    """TopResolution takes only what is listed; OriginalValue takes what the user says."""
    top = custom_slot_type(boat_type("TopResolution"))
    found = top.resolve("KAYAK", CONTEXT)
    assert found is not None
    assert (found.original, found.interpreted, found.resolved) == ("KAYAK", "canoe", ("canoe",))
    assert top.resolve("raft", CONTEXT) is None
    assert top.find("the sailing boat, please", CONTEXT) is not None
    original = custom_slot_type(boat_type("OriginalValue"))
    found = original.resolve("kayak", CONTEXT)
    assert found is not None
    assert (found.interpreted, found.resolved) == ("kayak", ("canoe",))
    found = original.resolve("raft", CONTEXT)
    assert found is not None
    assert (found.interpreted, found.resolved) == ("raft", ())


def test_patterns_take_linear_time() -> None:
    """A pattern that a backtracking engine would not finish."""
    pattern = {"regexFilter": {"pattern": "(a+)+b"}, "resolutionStrategy": "OriginalValue"}
    filtered = custom_slot_type(
        {"slotTypeName": "P", "parentSlotTypeSignature": "AMAZON.AlphaNumeric"}
        | {"valueSelectionSetting": pattern}
    )
    assert filtered.resolve("a" * 199, CONTEXT) is None
    assert filtered.resolve("aaab", CONTEXT) is not None
    for bad in ("(", "(?=a)", "a" * 2000):
        with pytest.raises(ValueError, match="not valid"):
            custom_slot_type({"valueSelectionSetting": {"regexFilter": {"pattern": bad}}})


@given(st.sampled_from(sorted(BUILT_IN)), st.text(max_size=200))
def test_any_text_is_a_value_or_none(type: str, text: str) -> None:
    """And what is found in a text is itself a value."""
    slot_type = BUILT_IN[type]
    found = slot_type.resolve(text, CONTEXT) or slot_type.find(text, CONTEXT)
    if found is not None:
        assert found.interpreted
        assert slot_type.resolve(found.original, CONTEXT) == found
        assert type in FREE_TEXT or len(found.interpreted) < 200
