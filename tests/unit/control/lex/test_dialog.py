"""A property of the dialog: whatever is said, and whatever functions return, each turn ends in a
state that AWS has, and slots only have values of their types."""

import datetime
from collections.abc import Mapping
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambent.control.lex.dialog import Dialog
from lambent.control.lex.hearing import hear
from lambent.control.lex.ports import Heard, HookFailed
from lambent.control.lex.steps import HookUnusable, Step
from lambent.model.lex.hook_documents import HookResponse
from lambent.model.lex.locale import Locale, compile_locale
from lambent.model.lex.session import Session
from lambent.model.lex.slot_values import resolve_slot
from lambent.model.lex.understanding import Matcher
from lambent.model.lex.values import Context
from tests.lengths import examples

CONTEXT = Context(datetime.date(2026, 11, 30), "en_US")
NOW = 1_796_000_000.0
TYPES = ("T1", "AMAZON.Number", "AMAZON.Date", "AMAZON.City", "AMAZON.Confirmation")
TEXTS = (
    *("go", "other", "go 3", "canoe", "raft", "3", "tomorrow", "Kiel", "yes", "no", "what"),
    *("canoe and 3", "go with a canoe", ""),
)
SLOTS = ("A", "B", "C")
SAYS = {"messageGroups": [{"message": {"plainTextMessage": {"value": "{A} [x] ((y))"}}}]}
STEPS = st.sampled_from(
    [
        *("ElicitIntent", "StartIntent", "EvaluateConditional", "InvokeDialogCodeHook"),
        *("ConfirmIntent", "FulfillIntent", "CloseIntent", "EndConversation"),
        *(f"ElicitSlot {name}" for name in SLOTS),
    ]
)


@st.composite
def next_steps(draw: Any) -> Any:
    kind, _, name = draw(STEPS).partition(" ")
    action = {"type": kind, "suppressNextMessage": draw(st.booleans())}
    state: dict[str, Any] = {"dialogAction": {**action, **({"slotToElicit": name} if name else {})}}
    if draw(st.booleans()):
        value = draw(st.sampled_from(["3", "canoe", "{B}", "[x]", "2026-12-24"]))
        overridden = {draw(st.sampled_from(SLOTS)): {"value": {"interpretedValue": value}}}
        intent = draw(st.sampled_from(["Go", "Other", "Nowhere"]))
        state["intent"] = {"name": intent, "slots": overridden}
    return state


@st.composite
def points(draw: Any, *prefixes: str) -> dict[str, Any]:
    """What a definition says at some points."""
    found: dict[str, Any] = {}
    for prefix in prefixes:
        name = f"{prefix}NextStep" if prefix else "nextStep"
        if draw(st.integers(0, 2)) == 0:
            found[name] = draw(next_steps())
        if prefix and draw(st.integers(0, 3)) == 0:
            found[f"{prefix}Response"] = SAYS
    if draw(st.integers(0, 2)) == 0:
        post = draw(points("success", "failure")) if "success" not in prefixes else {}
        found["codeHook"] = {
            "active": draw(st.booleans()),
            "enableCodeHookInvocation": draw(st.booleans()),
            "postCodeHookSpecification": post,
        }
    return found


@st.composite
def locales(draw: Any) -> Locale:
    """A bot with two intents, wherever their steps lead."""
    prompt = {**SAYS, "maxRetries": draw(st.integers(0, 2))}
    intents = {}
    for id, name in (("1", "Go"), ("2", "Other")):
        slots = {}
        for at, slot in enumerate(SLOTS):
            setting = {
                "slotConstraint": draw(st.sampled_from(["Required", "Optional"])),
                "promptSpecification": prompt,
                "slotCaptureSetting": draw(points("capture", "failure")),
            }
            if draw(st.integers(0, 2)) == 0:
                default = draw(st.sampled_from(["3", "raft", "#c.A", "[x]", "today"]))
                listed = [{"defaultValue": default}]
                setting["defaultValueSpecification"] = {"defaultValueList": listed}
            type = draw(st.sampled_from(TYPES))
            slots[f"S{at}"] = {"slotName": slot, "slotTypeId": type}
            slots[f"S{at}"]["valueElicitationSetting"] = setting
        utterances = (name.lower(), f"{name.lower()} {{A}}", f"{name.lower()} with a {{B}}")
        intents[id] = {
            "intentName": name,
            "sampleUtterances": [{"utterance": each} for each in utterances],
            "slots": slots,
            "dialogCodeHook": {"enabled": draw(st.booleans())},
            "fulfillmentCodeHook": {"enabled": draw(st.booleans())},
            "initialResponseSetting": draw(points("")),
            "intentConfirmationSetting": {
                "promptSpecification": prompt,
                "active": draw(st.booleans()),
                **draw(points("confirmation", "declination", "failure")),
            },
            "intentClosingSetting": {"closingResponse": SAYS, **draw(points(""))},
            "outputContexts": [{"name": "c", "timeToLiveInSeconds": 90, "turnsToLive": 2}],
        }
    if draw(st.booleans()):
        intents["3"] = {"intentName": "F", "parentIntentSignature": "AMAZON.FallbackIntent"}
    values = [{"sampleValue": {"value": "canoe"}, "synonyms": [{"value": "kayak"}]}]
    strategy = draw(st.sampled_from(["TopResolution", "OriginalValue"]))
    setting = {"resolutionStrategy": strategy}
    types = {"T1": {"slotTypeName": "T", "slotTypeValues": values}}
    types["T1"]["valueSelectionSetting"] = setting
    return compile_locale("en_US", {"intents": intents, "slotTypes": types})


ACTIONS = st.sampled_from(
    ["Close", "ConfirmIntent", "Delegate", "ElicitIntent", "ElicitSlot", "raise"]
)


class Function:
    """Returns anything that is a response, without slots: a function may set what it wants."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw

    async def __call__(self, dialog: Dialog, source: str, label: str, step: Step) -> HookResponse:
        kind = self._draw(ACTIONS)
        if kind == "raise":
            raise HookFailed("no")
        state = self._draw(st.sampled_from([None, "Fulfilled", "Failed", "InProgress"]))
        name = self._draw(st.sampled_from([dialog.state["name"], "Go", "Other"]))
        intent = {"name": name, "state": state, "confirmationState": None, "slots": None}
        action = {"type": kind, "slotToElicit": self._draw(st.sampled_from(SLOTS))}
        said = [{"contentType": "PlainText", "content": "hi"}] * self._draw(st.integers(0, 2))
        return HookResponse(action, intent, None, None, None, said, None)


def assert_is_sound(dialog: Dialog) -> None:
    session = dialog.session
    action: Mapping[str, Any] = session.action or {}
    assert action["type"] in {"Close", "ConfirmIntent", "ElicitIntent", "ElicitSlot"}
    assert (action["type"] == "ElicitIntent") <= (session.intent is None)
    if session.intent is None:
        return
    definition = dialog.locale.intents[session.intent["name"]]
    assert set(session.slots) == set(definition.slots)
    if action["type"] == "ElicitSlot":
        assert action["slotToElicit"] in definition.slots
    for name, value in session.slots.items():
        if value is not None:
            again = resolve_slot(definition.slots[name], value["value"]["originalValue"], CONTEXT)
            assert again is not None, (name, value)
    assert len(dialog.messages) <= 10
    for limit in ("turns", "ends_at"):
        assert all(each[limit] > 0 for each in session.contexts)


@given(locales(), st.lists(st.sampled_from(TEXTS), min_size=1, max_size=8), st.data())
@settings(max_examples=examples(300))
def test_every_turn_ends_in_a_sound_state(locale: Locale, texts: list[str], data: Any) -> None:
    matcher, function = Matcher(locale), Function(data.draw)
    session = Session(attributes={"x": "canoe"})

    async def turn(text: str) -> None:
        dialog = Dialog(locale, session, CONTEXT, NOW, lambda count: count - 1, {})
        dialog.call = function
        waits = session.action or {}
        said: Mapping[str, Any] = {}
        if session.intent is not None and "slotToElicit" in waits:
            name, slot = session.intent["name"], waits["slotToElicit"]
            said = matcher.of_slot(text, name, slot, CONTEXT)
        heard = Heard(matcher.understand(text, CONTEXT), said)
        try:
            step = await hear(dialog, text, heard)
            if step is not None:
                await dialog.run(step)
        except (HookUnusable, HookFailed):
            session.intent, session.action = None, None  # The client gets an error.
            return
        assert_is_sound(dialog)

    async def talk() -> None:
        for text in texts:
            await turn(text)

    anyio.run(talk)


@pytest.mark.anyio
async def test_a_question_is_repeated_a_bounded_number_of_times() -> None:
    """A user who is never understood comes to an end."""
    prompt = {**SAYS, "maxRetries": 2}
    setting = {"slotConstraint": "Required", "promptSpecification": prompt}
    slot = {"slotName": "A", "slotTypeId": "AMAZON.Number", "valueElicitationSetting": setting}
    intent = {"intentName": "Go", "sampleUtterances": [{"utterance": "go"}], "slots": {"S": slot}}
    locale = compile_locale("en_US", {"intents": {"1": intent}, "slotTypes": {}})
    session, types = Session(), []
    for text in ("go", "x", "x", "x"):
        dialog = Dialog(locale, session, CONTEXT, NOW, lambda count: 0, {})
        heard = Heard(Matcher(locale).understand(text, CONTEXT))
        step = await hear(dialog, text, heard)
        if step is not None:
            await dialog.run(step)
        assert session.action is not None
        types.append(session.action["type"])
    assert types == ["ElicitSlot", "ElicitSlot", "ElicitSlot", "Close"]
    assert session.intent is not None
    assert session.intent["state"] == "Failed"
