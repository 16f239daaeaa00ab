"""What the bot does with what a user says: the first step of a turn."""

from typing import Any

from lambent.control.lex.dialog import Dialog
from lambent.control.lex.ports import Heard
from lambent.control.lex.steps import (
    CAPTURE,
    CONFIRMATION,
    CONTINUE,
    DECLINATION,
    END,
    FAILURE,
    Params,
    Step,
    says,
)
from lambent.model.lex.locale import FALLBACK, Slot
from lambent.model.lex.slot_values import find_in
from lambent.model.lex.understood import Understood
from lambent.model.lex.values import confirmation_of


async def hear(dialog: Dialog, text: str, heard: Heard) -> Step | None:
    """The step that a text leads to; None if the bot repeats its question, and so has said it."""
    session = dialog.session
    action: Params = session.action or {}
    intent = session.intent
    if intent is not None and intent["name"] not in dialog.locale.intents:
        session.intent = intent = None
    best = _best(dialog, heard)
    if intent is not None and action.get("type") == "ElicitSlot":
        slot = dialog.intent.slots.get(action.get("slotToElicit", ""))
        if slot is not None:
            return await _hear_slot(dialog, slot, text, heard, best)
    if intent is not None and action.get("type") == "ConfirmIntent":
        return await _hear_confirmation(dialog, text, best)
    if best is not None:
        return dialog.begin(best.intent, best.slots)
    session.intent = None
    return dialog.fallback()


def _best(dialog: Dialog, heard: Heard) -> Understood | None:
    """The intent that a text asks for, if that is sure enough."""
    for each in heard.intents:
        if each.score >= dialog.locale.threshold and each.intent in dialog.locale.intents:
            return each
    return None


async def _hear_slot(
    dialog: Dialog, slot: Slot, text: str, heard: Heard, best: Understood | None
) -> Step | None:
    slots = dialog.state["slots"]
    is_other = best is not None and best.score == 1.0 and best.intent != dialog.state["name"]
    if best is not None and is_other and slot.type.is_free:
        return dialog.begin(best.intent, best.slots)
    said: dict[str, Any] = dict(heard.slots)
    if slot.name not in said and (value := find_in(slot, text, dialog.context)) is not None:
        said = {slot.name: value}
    if slot.name not in said and best is not None:
        if best.intent != dialog.state["name"]:
            return dialog.begin(best.intent, best.slots)
        said = dict(best.slots)
    slots.update({name: value for name, value in said.items() if name in slots})
    setting: Params = slot.elicitation.get("slotCaptureSetting") or {}
    if slot.name in said:
        return await dialog.proceed(setting, CAPTURE, is_hooked=True)
    prompt: Params = slot.elicitation.get("promptSpecification") or {}
    again = Step("ElicitSlot", slot.name, is_silent=True, is_forced=True)
    return await _retry(dialog, setting, prompt, again)


async def _hear_confirmation(dialog: Dialog, text: str, best: Understood | None) -> Step | None:
    setting = dialog.intent.section("intentConfirmationSetting")
    said = confirmation_of(text)
    if said == "Yes":
        dialog.state["confirmationState"] = "Confirmed"
        return await dialog.proceed(setting, CONFIRMATION, is_hooked=True)
    if said == "No":
        dialog.state["confirmationState"] = "Denied"
        return await dialog.proceed(setting, DECLINATION, END, is_hooked=True)
    if best is not None and best.intent != dialog.state["name"]:
        return dialog.begin(best.intent, best.slots)
    if best is not None and best.slots:
        dialog.state["slots"].update(best.slots)
        return CONTINUE
    prompt: Params = setting.get("promptSpecification") or {}
    again = Step("ConfirmIntent", is_silent=True, is_forced=True)
    return await _retry(dialog, setting, prompt, again)


async def _retry(dialog: Dialog, setting: Params, prompt: Params, again: Step) -> Step | None:
    """Repeat a question, or give up after as many times as the prompt says."""
    session = dialog.session
    session.attempt += 1
    if session.attempt > prompt.get("maxRetries", 0):
        if dialog.intent.signature != FALLBACK and not says(setting, FAILURE):
            return dialog.fallback()
        dialog.state["state"] = "Failed"
        return await dialog.proceed(setting, FAILURE, END)
    attempt, hook = session.attempt, setting.get("elicitationCodeHook")
    is_legacy = setting.get("codeHook") is None and hook is None
    is_called = (hook or {}).get("enableCodeHookInvocation") or (
        is_legacy and dialog.is_always_hooked
    )
    if is_called:
        label = (hook or {}).get("invocationLabel") or ""
        following = await dialog.call_hook(None, again, label)
        if following is not again:
            return following
        if again.slot and dialog.state["slots"].get(again.slot) is not None:
            return CONTINUE
    dialog.say(prompt, attempt)
    await dialog.run(again)
    session.attempt = attempt
    return None
