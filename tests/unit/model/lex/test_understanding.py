"""Utterances are matched as they are written, and no text takes long."""

import datetime
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.lex.locale import LocaleInvalid, compile_locale
from lambent.model.lex.understanding import Matcher
from lambent.model.lex.values import Context

CONTEXT = Context(datetime.date(2026, 11, 30), "en_US")
PROMPT = {"messageGroups": [{"message": {"plainTextMessage": {"value": "?"}}}], "maxRetries": 1}


def slot(name: str, type: str, *utterances: str) -> dict[str, Any]:
    setting = {"slotConstraint": "Required", "promptSpecification": PROMPT}
    samples = [{"utterance": each} for each in utterances]
    elicitation = {**setting, "sampleUtterances": samples}
    return {"slotName": name, "slotTypeId": type, "valueElicitationSetting": elicitation}


def intent(name: str, *utterances: str, slots: Any = (), **more: Any) -> dict[str, Any]:
    return {
        "intentName": name,
        "sampleUtterances": [{"utterance": each} for each in utterances],
        "slots": {f"S{at}": each for at, each in enumerate(slots)},
        **more,
    }


BODY = {
    "intents": {
        "1": intent(
            *("Book", "Book a room", "book {Nights} nights in {City}", "a {Size} {Bed} bed"),
            *("What's the price (really)?", "[cheap|free] <rooms>"),
            slots=(
                slot("City", "AMAZON.City", "in {City} please"),
                slot("Nights", "AMAZON.Number", "{Nights} of them"),
                *(slot("Size", "T"), slot("Bed", "U")),
            ),
        ),
        "2": intent("Talk", "{Topic}", "talk", slots=(slot("Topic", "AMAZON.FreeFormInput"),)),
        "3": intent("More", "more nights", inputContexts=[{"name": "booked"}]),
        "4": intent("Help", parentIntentSignature="AMAZON.HelpIntent"),
    },
    "slotTypes": {
        id: {
            "slotTypeName": name,
            "slotTypeValues": [{"sampleValue": {"value": each}} for each in values],
            "valueSelectionSetting": {"resolutionStrategy": "TopResolution"},
        }
        for id, name, values in (
            ("T", "Sizes", ("very big", "small")),
            ("U", "Beds", ("king", "big queen")),
        )
    },
}
MATCHER = Matcher(compile_locale("en_US", BODY))


def best(text: str) -> tuple[str, float, dict[str, str]] | None:
    found = MATCHER.understand(text, CONTEXT)
    if not found:
        return None
    values = {name: value["value"]["interpretedValue"] for name, value in found[0].slots.items()}
    return found[0].intent, found[0].score, values


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("BOOK A ROOM!", ("Book", 1.0, {})),
        ("book two nights in New York", ("Book", 0.83, {"Nights": "2", "City": "New York"})),
        ("book some nights in Rome", ("Book", 0.7, {"City": "Rome"})),
        ("a very big queen bed", ("Talk", 0.5, {"Topic": "a very big queen bed"})),
        ("a very big big queen bed", ("Book", 1.0, {"Size": "very big", "Bed": "big queen"})),
        ("what’s the price, really", ("Book", 1.0, {})),
        ("cheap free rooms", ("Book", 1.0, {})),
        ("free rooms", ("Talk", 0.5, {"Topic": "free rooms"})),
        ("hello, please book a room now", ("Book", 0.5, {})),
        ("please book a room now", ("Book", 0.6, {})),
        ("help", ("Help", 1.0, {})),
        ("more nights", ("Talk", 0.5, {"Topic": "more nights"})),
    ],
)
def test_texts(text: str, understood: Any) -> None:
    """The score is the share of the words that are explained; free text counts half."""
    assert best(text) == understood


def test_contexts_must_be_active() -> None:
    found = MATCHER.understand("more nights", CONTEXT, ["booked"])
    assert (found[0].intent, found[0].score) == ("More", 1.0)


def test_utterances_of_a_slot() -> None:
    said = MATCHER.of_slot("in Rome, please", "Book", "City", CONTEXT)
    assert said["City"]["value"]["interpretedValue"] == "Rome"
    assert not MATCHER.of_slot("some of them", "Book", "Nights", CONTEXT)


@pytest.mark.slow
@pytest.mark.parametrize(
    "utterances",
    [
        ["{A} a {B} a {C} a {D} a {E} a {F} z"],
        ["{A} {B} {C} {D} {E} {F}"],
        ["{A} {A} {A} {A} {A} {A} {A} {A} {A} {A}"],
        [f"{{A}} a {{B}} a {{C}} {number}" for number in range(2000)],
        ["a " * 500 + "{A}", "{A} " + "a " * 500],
    ],
)
@pytest.mark.parametrize("text", ["a " * 511 + "z", "a" * 1024, "a b " * 256, "a 1 " * 200 + "1"])
def test_no_text_takes_long(utterances: list[str], text: str) -> None:
    """Utterances that could be read in millions of ways are left out. CPU time is counted, not that
    of the machine."""
    slots = [slot(name, "AMAZON.City") for name in "ABCDEF"]
    body = {"intents": {"1": intent("Evil", *utterances, slots=slots)}, "slotTypes": {}}
    matcher = Matcher(compile_locale("en_US", body))
    began = time.process_time()
    matcher.understand(text, CONTEXT)
    assert time.process_time() - began < 8


@given(st.text(max_size=300))
def test_any_text_can_be_said(text: str) -> None:
    for each in MATCHER.understand(text, CONTEXT):
        assert 0 <= each.score <= 1


@given(st.lists(st.text(max_size=60), max_size=5))
def test_any_utterance_can_be_written(utterances: list[str]) -> None:
    """What looks like the syntax of the matcher is text."""
    body = {"intents": {"1": intent("Any", *utterances)}, "slotTypes": {}}
    try:
        matcher = Matcher(compile_locale("en_US", body))
    except LocaleInvalid as error:
        assert all("which is none" in reason for reason in error.args)
        return
    for text in (*utterances, "a b"):
        matcher.understand(text, CONTEXT)


def test_faults_of_a_locale() -> None:
    """A build says what cannot be built."""
    bad = {
        "intents": {
            "1": intent("A", "go {Nowhere}", slots=(slot("B", "AMAZON.Nothing"),)),
            "2": intent("A", parentIntentSignature="AMAZON.KendraSearchIntent"),
            "3": intent("D", "go {Nowhere}"),
        },
        "slotTypes": {"T": {"slotTypeName": "C", "compositeSlotTypeSetting": {"subSlots": [{}]}}},
    }
    with pytest.raises(LocaleInvalid) as failed:
        compile_locale("en_US", bad)
    text = " ".join(failed.value.args)
    for part in ("AMAZON.Nothing", "Nowhere", "two intents A", "Kendra", "compositeSlotType"):
        assert part in text
