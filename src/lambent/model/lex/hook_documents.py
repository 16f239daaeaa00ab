"""What a function of a bot receives, and what it may return.

https://docs.aws.amazon.com/lexv2/latest/dg/lambda-input-format.html
https://docs.aws.amazon.com/lexv2/latest/dg/lambda-response-format.html
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from lambent.kit.strict_json import parse_loosely
from lambent.model.lex.messages import CONTENT_MAX, MESSAGES_MAX
from lambent.model.lex.session import CONTEXTS_MAX

Params = Mapping[str, Any]
RESPONSE_BYTES_MAX = 256 * 1024
_ACTIONS = {"Close", "ConfirmIntent", "Delegate", "ElicitIntent", "ElicitSlot"}
_STATES = {
    *("Failed", "Fulfilled", "FulfillmentInProgress", "InProgress", "ReadyForFulfillment"),
    "Waiting",
}
_CONFIRMATIONS = {"Confirmed", "Denied", "None"}
_SHAPES = {"Scalar", "List"}
_DEPTH_MAX = 40


class ResponseInvalid(ValueError):
    """What a function has returned is no response; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class HookResponse:
    """A response of a function, checked."""

    action: Params
    intent: Params | None
    session_attributes: Mapping[str, str] | None
    """None if they stay as they are; so are the others."""
    contexts: tuple[Params, ...] | None
    hints: Params | None
    messages: list[dict[str, Any]]
    request_attributes: Mapping[str, str] | None


def parse_response(payload: bytes) -> HookResponse:
    """Read what a function has returned. Raises `ResponseInvalid`."""
    if len(payload) > RESPONSE_BYTES_MAX:
        raise ResponseInvalid(f"it has more than {RESPONSE_BYTES_MAX} bytes")
    try:
        document = parse_loosely(payload)
    except ValueError as error:
        raise ResponseInvalid(f"it is not JSON: {error}") from None
    state = _object(_object(document, "the response").get("sessionState"), "sessionState")
    action = _object(state.get("dialogAction"), "sessionState.dialogAction")
    kind = action.get("type")
    if kind not in _ACTIONS:
        raise ResponseInvalid(f"sessionState.dialogAction.type is not one of {sorted(_ACTIONS)}")
    intent = None
    if state.get("intent") is not None:
        intent = _intent(_object(state["intent"], "sessionState.intent"))
    messages = _messages(document.get("messages"))
    if intent is None and kind in ("Close", "ConfirmIntent", "ElicitSlot"):
        raise ResponseInvalid(f"{kind} needs sessionState.intent")
    if kind == "ElicitSlot" and not isinstance(action.get("slotToElicit"), str):
        raise ResponseInvalid("ElicitSlot needs sessionState.dialogAction.slotToElicit")
    if kind == "ElicitIntent" and not messages:
        raise ResponseInvalid("ElicitIntent needs messages")
    contexts = state.get("activeContexts")
    return HookResponse(
        action,
        intent,
        _texts(state.get("sessionAttributes"), "sessionState.sessionAttributes"),
        None if contexts is None else _contexts(contexts),
        state.get("runtimeHints") if isinstance(state.get("runtimeHints"), dict) else None,
        messages,
        _texts(document.get("requestAttributes"), "requestAttributes"),
    )


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ResponseInvalid(f"{name} is not an object")
    return value


def _intent(given: dict[str, Any]) -> Params:
    name = given.get("name")
    if not isinstance(name, str) or not name:
        raise ResponseInvalid("sessionState.intent.name is not a text")
    state = given.get("state")
    if state is not None and state not in _STATES:
        raise ResponseInvalid(f"sessionState.intent.state is not one of {sorted(_STATES)}")
    confirmation = given.get("confirmationState")
    if confirmation is not None and confirmation not in _CONFIRMATIONS:
        raise ResponseInvalid("sessionState.intent.confirmationState is not valid")
    slots = given.get("slots")
    if slots is not None:
        slots = {
            slot: None if value is None else _slot(value, f"sessionState.intent.slots.{slot}")
            for slot, value in _object(slots, "sessionState.intent.slots").items()
        }
    return {"name": name, "state": state, "confirmationState": confirmation, "slots": slots}


def _slot(given: Any, name: str, depth: int = 0) -> dict[str, Any]:
    document = _object(given, name)
    shape = document.get("shape") or "Scalar"
    if shape not in _SHAPES or depth > 1:
        raise ResponseInvalid(f"{name}.shape is not Scalar or List")
    value = document.get("value")
    slot: dict[str, Any] = {"shape": shape}
    if value is not None:
        interpreted = _object(value, f"{name}.value").get("interpretedValue")
        if not isinstance(interpreted, str) or not interpreted:
            raise ResponseInvalid(f"{name}.value.interpretedValue is not a text")
        original, resolved = value.get("originalValue"), value.get("resolvedValues")
        slot["value"] = {
            "originalValue": original if isinstance(original, str) and original else interpreted,
            "interpretedValue": interpreted,
            "resolvedValues": [each for each in resolved if isinstance(each, str)]
            if isinstance(resolved, list)
            else [interpreted],
        }
    if shape == "List":
        values = document.get("values")
        if not isinstance(values, list):
            raise ResponseInvalid(f"{name}.values is not a list")
        slot["values"] = [_slot(each, f"{name}.values", depth + 1) for each in values]
    elif value is None:
        raise ResponseInvalid(f"{name}.value is not an object")
    return slot


def _messages(given: Any) -> list[dict[str, Any]]:
    if given is None:
        return []
    if not isinstance(given, list) or len(given) > MESSAGES_MAX:
        raise ResponseInvalid(f"messages is not a list of up to {MESSAGES_MAX} messages")
    return [_message(_object(each, "a message")) for each in given]


def _message(given: dict[str, Any]) -> dict[str, Any]:
    kind = given.get("contentType")
    if kind == "ImageResponseCard":
        card = _object(given.get("imageResponseCard"), "imageResponseCard")
        if not _is_text(card.get("title"), 250):
            raise ResponseInvalid("imageResponseCard.title is not a text of 1 to 250 characters")
        buttons = card.get("buttons") or []
        if not isinstance(buttons, list) or len(buttons) > 5:
            raise ResponseInvalid("imageResponseCard.buttons is not a list of up to 5 buttons")
        shown: dict[str, Any] = {
            name: card[name]
            for name in ("title", "subtitle", "imageUrl")
            if _is_text(card.get(name), 250)
        }
        if buttons:
            shown["buttons"] = [_button(_object(each, "a button")) for each in buttons]
        return {"contentType": kind, "imageResponseCard": shown}
    if kind not in ("PlainText", "SSML", "CustomPayload"):
        raise ResponseInvalid("contentType of a message is not valid")
    if not _is_text(given.get("content"), CONTENT_MAX):
        raise ResponseInvalid(
            f"content of a message is not a text of 1 to {CONTENT_MAX} characters"
        )
    return {"contentType": kind, "content": given["content"]}


def _button(given: dict[str, Any]) -> dict[str, str]:
    if not _is_text(given.get("text"), 50) or not _is_text(given.get("value"), 50):
        raise ResponseInvalid("text and value of a button are not texts of 1 to 50 characters")
    return {"text": given["text"], "value": given["value"]}


def _is_text(value: Any, characters: int) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= characters


def _texts(given: Any, name: str) -> Mapping[str, str] | None:
    if given is None:
        return None
    found = _object(given, name)
    if not all(isinstance(value, str) for value in found.values()):
        raise ResponseInvalid(f"{name} has values that are no texts")
    return found


def _contexts(given: Any) -> tuple[Params, ...]:
    if not isinstance(given, list) or len(given) > CONTEXTS_MAX:
        raise ResponseInvalid(f"activeContexts is not a list of up to {CONTEXTS_MAX} contexts")
    return tuple(_context(_object(each, "a context")) for each in given)


def _context(given: dict[str, Any]) -> Params:
    lives = _object(given.get("timeToLive"), "timeToLive of a context")
    seconds, turns = lives.get("timeToLiveInSeconds"), lives.get("turnsToLive")
    if not _is_text(given.get("name"), 100):
        raise ResponseInvalid("name of a context is not a text")
    if not _is_between(seconds, 1, 86_400) or not _is_between(turns, 1, 20):
        raise ResponseInvalid("timeToLive of a context is not valid")
    attributes = _texts(given.get("contextAttributes"), "contextAttributes") or {}
    return {
        "name": given["name"],
        "timeToLive": {"timeToLiveInSeconds": seconds, "turnsToLive": turns},
        "contextAttributes": attributes,
    }


def _is_between(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
