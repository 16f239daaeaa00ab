"""Responses of functions: what is none is refused, and says why."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.lex.hook_documents import ResponseInvalid, parse_response


def response(action: Any, intent: Any = None, **more: Any) -> dict[str, Any]:
    state = {"dialogAction": action, **({"intent": intent} if intent is not None else {})}
    return {"sessionState": {**state, **more.pop("state", {})}, **more}


CLOSE = {"type": "Close"}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (None, "not an object"),
        ([], "not an object"),
        ({}, "sessionState is not"),
        (response(None), "dialogAction is not"),
        (response({"type": "Jump"}), "not one of"),
        (response(CLOSE), "needs sessionState.intent"),
        (response(CLOSE, "Intent"), "intent is not an object"),
        (response(CLOSE, {"name": 3}), "name is not a text"),
        (response(CLOSE, {"name": "A", "state": "Done"}), "state is not one of"),
        (response(CLOSE, {"name": "A", "slots": {"S": "x"}}), "slots.S is not an object"),
        (response(CLOSE, {"name": "A", "slots": {"S": {}}}), "value is not an object"),
        (response(CLOSE, {"name": "A", "slots": {"S": {"value": {}}}}), "interpretedValue"),
        (response({"type": "ElicitSlot"}, {"name": "A"}), "slotToElicit"),
        (response({"type": "ElicitIntent"}), "needs messages"),
        (response(CLOSE, {"name": "A"}, messages={}), "messages is not a list"),
        (response(CLOSE, {"name": "A"}, messages=[{"contentType": "Text"}]), "contentType"),
        (
            response(CLOSE, {"name": "A"}, messages=[{"contentType": "PlainText", "content": ""}]),
            "content of a message",
        ),
        (response(CLOSE, {"name": "A"}, state={"sessionAttributes": {"a": 1}}), "no texts"),
        (response(CLOSE, {"name": "A"}, state={"activeContexts": [{}]}), "timeToLive"),
        (response(CLOSE, {"name": "A"}, requestAttributes=[]), "requestAttributes"),
    ],
)
def test_what_is_no_response(document: Any, words: str) -> None:
    with pytest.raises(ResponseInvalid, match=words):
        parse_response(json.dumps(document).encode())


def test_what_is_not_json_or_too_large() -> None:
    for payload in (b"", b"{", b"[" * 100_000, b'"' + b"a" * (256 * 1024) + b'"'):
        with pytest.raises(ResponseInvalid):
            parse_response(payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
)


@given(JSON, JSON, JSON, st.sampled_from(["Close", "Delegate", "ElicitSlot", "ConfirmIntent"]))
def test_any_document(slots: Any, messages: Any, contexts: Any, kind: str) -> None:
    """Is a response or is none."""
    intent = {"name": "A", "slots": {"S": slots}}
    document = response({"type": kind, "slotToElicit": "S"}, intent, messages=messages)
    document["sessionState"]["activeContexts"] = contexts
    try:
        parse_response(json.dumps(document).encode())
    except ResponseInvalid:
        pass
