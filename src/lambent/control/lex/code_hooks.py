"""Calls of the code hook: the event of a turn, and the response that is checked."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from lambent.control.lex.dialog import Dialog
from lambent.control.lex.ports import CallHook, HookFailed
from lambent.control.lex.steps import HookUnusable, Step
from lambent.model.arn import Scope
from lambent.model.lex.hook_documents import HookResponse, ResponseInvalid, parse_response
from lambent.model.lex.understood import Understood

CONTENT_TYPE = "text/plain; charset=utf-8"
INTERPRETATIONS_MAX = 5
_INVALID = "Invalid Lambda Response: Received invalid response from Lambda: "


class Talk(NamedTuple):
    """Which conversation a turn belongs to, and what was said."""

    scope: Scope
    alias_arn: str
    function: str | None
    """The ARN of the code hook; None if the alias has none."""
    bot: dict[str, str]
    """As events have it."""
    session_id: str
    text: str
    intents: Sequence[Understood]


class CodeHooks:
    """Calls the functions of turns."""

    def __init__(self, call: CallHook) -> None:
        self._call = call

    async def call(
        self, talk: Talk, dialog: Dialog, source: str, label: str, following: Step
    ) -> HookResponse:
        """Call the function of a turn. Raises `HookFailed` and `HookUnusable`."""
        if talk.function is None:
            raise HookUnusable(
                "Invalid Bot Configuration: The intent calls a Lambda function, and the alias"
                f" {talk.bot['aliasId']} has none for the locale {talk.bot['localeId']}"
            )
        event = json.dumps(make_event(talk, dialog, source, label, following)).encode()
        payload = await self._call(talk.scope, talk.alias_arn, talk.function, event)
        try:
            response = parse_response(payload)
        except ResponseInvalid as error:
            raise HookFailed(f"{_INVALID}{error}") from None
        _check(dialog, response)
        return response


def _check(dialog: Dialog, response: HookResponse) -> None:
    """What a response names must be there."""
    intent = response.intent
    name = dialog.state["name"] if intent is None else intent["name"]
    definition = dialog.locale.intents.get(name)
    if definition is None:
        raise HookFailed(f"{_INVALID}the bot has no intent {name[:100]!r}")
    slot = response.action.get("slotToElicit")
    if response.action["type"] == "ElicitSlot" and slot not in definition.slots:
        raise HookFailed(f"{_INVALID}the intent {name} has no slot {str(slot)[:100]!r}")
    for each in (intent or {}).get("slots") or {}:
        if each not in definition.slots:
            raise HookFailed(f"{_INVALID}the intent {name} has no slot {each[:100]!r}")


def make_event(
    talk: Talk, dialog: Dialog, source: str, label: str, following: Step
) -> dict[str, Any]:
    """The event of a call."""
    session = dialog.session
    state = session.state(dialog.now)
    state.pop("dialogAction", None)
    event = {
        "messageVersion": "1.0",
        "invocationSource": source,
        "inputMode": "Text",
        "responseContentType": CONTENT_TYPE,
        "sessionId": talk.session_id,
        "inputTranscript": talk.text,
        "bot": talk.bot,
        "interpretations": interpretations(dialog, talk.intents, is_event=True),
        "requestAttributes": dialog.request_attributes,
        "sessionState": state,
        "transcriptions": [_transcription(talk, dialog)],
    }
    if source == "DialogCodeHook":
        event["proposedNextState"] = _proposed(dialog, following)
        if label:
            event["invocationLabel"] = label
    return event


def interpretations(
    dialog: Dialog, understood: Sequence[Understood], *, is_event: bool = False
) -> list[dict[str, Any]]:
    """The intents that a turn may be about, the current one first."""
    scores = {each.intent: each.score for each in understood}
    found: list[dict[str, Any]] = []
    if dialog.session.intent is not None:
        found.append({"intent": dialog.session.intent})
    for each in understood:
        if (intent := dialog.locale.intents.get(each.intent)) is not None:
            slots = {**dict.fromkeys(intent.slots), **each.slots}
            found.append({"intent": _fresh(each.intent, slots)})
    if (fallback := dialog.locale.fallback) is not None:
        found.append({"intent": _fresh(fallback.name, dict.fromkeys(fallback.slots))})
    by_name: dict[str, dict[str, Any]] = {}
    for item in found:
        by_name.setdefault(item["intent"]["name"], item)
    for name, item in by_name.items():
        item["interpretationSource"] = "Lex"
        if name in scores:
            item["nluConfidence"] = scores[name] if is_event else {"score": scores[name]}
    return list(by_name.values())[:INTERPRETATIONS_MAX]


def _fresh(name: str, slots: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "slots": slots, "state": "InProgress", "confirmationState": "None"}


def _transcription(talk: Talk, dialog: Dialog) -> dict[str, Any]:
    slots = {name: value for name, value in dialog.session.slots.items() if value is not None}
    return {
        "transcription": talk.text,
        "transcriptionConfidence": 1.0,
        "resolvedContext": {"intent": dialog.state["name"]},
        "resolvedSlots": slots,
    }


def _proposed(dialog: Dialog, following: Step) -> dict[str, Any]:
    """What the bot does if the function delegates."""
    step = dialog.default() if following.type in ("Continue", "StartIntent") else following
    kind, intent = step.type, dict(dialog.state)
    if kind == "ConfirmIntent" and not step.is_forced and not dialog.asks_confirmation:
        kind = "FulfillIntent"
    if kind not in ("ElicitSlot", "ElicitIntent", "ConfirmIntent"):
        if kind == "FulfillIntent":
            intent["state"] = "ReadyForFulfillment"
        kind = "Close"
    attempt = dialog.session.attempt if step.is_forced else 0
    action = {"type": kind, **({"slotToElicit": step.slot} if kind == "ElicitSlot" else {})}
    return {
        "dialogAction": action,
        "intent": intent,
        "prompt": {"attempt": f"Retry{attempt}" if attempt else "Initial"},
    }
