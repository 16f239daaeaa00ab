"""What is known in a turn of a conversation, what was said in it, and what an intent's definition
makes of that."""

from collections.abc import Mapping
from typing import Any

from lambent.control.lex.steps import END, Params, Step
from lambent.model.lex.conditions import ConditionInvalid, compile_condition
from lambent.model.lex.hook_documents import HookResponse
from lambent.model.lex.locale import FALLBACK, Intent, Locale, Slot
from lambent.model.lex.messages import MESSAGES_MAX, Choose, References, messages_of
from lambent.model.lex.session import Session
from lambent.model.lex.slot_values import given_value, interpreted, resolve_slot
from lambent.model.lex.values import Context


class Turn:
    """See the module. It changes the session and collects messages."""

    def __init__(
        self,
        locale: Locale,
        session: Session,
        context: Context,
        now: float,
        choose: Choose,
        request_attributes: Mapping[str, str],
    ) -> None:
        self.locale = locale
        self.session = session
        self.context = context
        self.now = now
        self.messages: list[dict[str, Any]] = []
        self.request_attributes = dict(request_attributes)
        self._choose = choose

    @property
    def intent(self) -> Intent:
        """The definition of the current intent."""
        assert self.session.intent is not None
        return self.locale.intents[self.session.intent["name"]]

    @property
    def state(self) -> dict[str, Any]:
        """The state of the current intent."""
        assert self.session.intent is not None
        return self.session.intent

    @property
    def references(self) -> References:
        """What messages and conditions refer to."""
        session = self.session
        return References(session.slots, session.attributes, self.request_attributes)

    @property
    def asks_confirmation(self) -> bool:
        """Whether the user still has to confirm the intent."""
        setting = self.intent.section("intentConfirmationSetting")
        is_active = setting.get("active", True) is not False
        has_prompt = setting.get("promptSpecification") is not None
        return is_active and has_prompt and self.state["confirmationState"] == "None"

    def begin(self, name: str, slots: Params | None = None) -> Step:
        """Begin an intent, with values for some of its slots."""
        intent = self.locale.intents[name]
        self.session.intent = {
            "name": name,
            "slots": {**dict.fromkeys(intent.slots), **(slots or {})},
            "state": "InProgress",
            "confirmationState": "None",
        }
        return Step("StartIntent")

    def say(self, specification: Params | None, attempt: int = 0) -> None:
        """Add the messages of a prompt or a response."""
        self.add(messages_of(specification, self.references, self._choose, attempt))

    def add(self, messages: list[dict[str, Any]]) -> None:
        """Add messages, as many as a response may have."""
        self.messages = (self.messages + messages)[:MESSAGES_MAX]

    @property
    def is_always_hooked(self) -> bool:
        """Whether the intent calls the code hook at each turn."""
        return self.intent.section("dialogCodeHook").get("enabled") is True

    def default(self) -> Step:
        """The next required slot, then the confirmation, then the fulfillment."""
        slots = self.state["slots"]
        for name, slot in self.intent.slots.items():
            if slots.get(name) is None and (slot.is_required or self.default_value(slot)):
                return Step("ElicitSlot", name)
        return Step("ConfirmIntent")

    def activate_outputs(self) -> None:
        values = {name: interpreted(value) for name, value in self.state["slots"].items()}
        attributes = {name: value for name, value in values.items() if value is not None}
        for each in self.intent.definition.get("outputContexts") or ():
            self.session.activate(each, attributes, self.now)

    def accept(self, response: HookResponse) -> None:
        """Take over what a function has changed."""
        session = self.session
        if response.session_attributes is not None:
            session.attributes = dict(response.session_attributes)
        if response.contexts is not None:
            session.set_contexts(response.contexts, self.now)
        if response.hints is not None:
            session.hints = response.hints
        if response.request_attributes is not None:
            self.request_attributes = dict(response.request_attributes)
        if (given := response.intent) is None:
            return
        if given["name"] != self.state["name"]:
            self.begin(given["name"])
        slots = self.state["slots"]
        if given["slots"] is not None:
            self.state["slots"] = {name: given["slots"].get(name) for name in slots}
        for name in ("state", "confirmationState"):
            if given[name] is not None:
                self.state[name] = given[name]

    def branch(self, conditional: Params | None) -> Params | None:
        """The next step of the branch whose condition is true; None if there are no branches."""
        if not conditional or not conditional.get("active"):
            return None
        for branch in conditional.get("conditionalBranches") or ():
            try:
                is_true = compile_condition(branch["condition"]["expressionString"])
                if not is_true(self.references):
                    continue
            except ConditionInvalid:
                continue
            self.say(branch.get("response"))
            found: Params = branch["nextStep"]
            return found
        other: Params = conditional.get("defaultBranch") or {}
        self.say(other.get("response"))
        return other.get("nextStep")

    def follow(self, chosen: Params | None, default: Step) -> Step:
        """The step that a definition names, after it has changed what it says."""
        if chosen is None:
            return default
        for name, text in (chosen.get("sessionAttributes") or {}).items():
            self.session.attributes[name] = self.references.filled(text)
        intent: Params = chosen.get("intent") or {}
        action: Params = chosen.get("dialogAction") or {}
        if (name := intent.get("name")) in self.locale.intents and name != self.state["name"]:
            self.begin(str(name))
        self._override(intent.get("slots") or {})
        kind, slot = action.get("type"), action.get("slotToElicit") or ""
        if kind is None or kind in ("InvokeDialogCodeHook", "EvaluateConditional"):
            return default
        return Step(kind, slot, bool(action.get("suppressNextMessage")))

    def _override(self, slots: Params) -> None:
        for name, value in slots.items():
            if (slot := self.intent.slots.get(name)) is None:
                continue
            text = ((value or {}).get("value") or {}).get("interpretedValue")
            filled = None if text is None else self.references.resolved(text)
            self.state["slots"][name] = self._typed(slot, filled)

    def default_value(self, slot: Slot) -> dict[str, Any] | None:
        """The first default value of a slot that is one: a text, or what a session attribute or a
        context has."""
        listed = (slot.elicitation.get("defaultValueSpecification") or {}).get("defaultValueList")
        for each in listed or ():
            text = each["defaultValue"]
            if text.startswith("#"):
                context, _, name = text[1:].partition(".")
                text = self.session.context_attribute(context, name)
            else:
                text = self.references.resolved(text)
            if (value := self._typed(slot, text)) is not None:
                return value
        return None

    def _typed(self, slot: Slot, text: str | None) -> dict[str, Any] | None:
        """A value of a slot's type; None if the text is none."""
        if not text:
            return None
        value = resolve_slot(slot, text, self.context)
        return given_value(text) if slot.type.is_free else value

    def wait(self, kind: str, slot: str = "") -> None:
        self.session.attempt = 0
        self.session.action = {"type": kind, **({"slotToElicit": slot} if slot else {})}

    def fallback(self) -> Step:
        """Begin the fallback intent; without one, the conversation about this intent has failed."""
        found = self.locale.fallback
        if found is None or (self.session.intent and self.intent.signature == FALLBACK):
            if self.session.intent is not None:
                self.state["state"] = "Failed"
            return END
        return self.begin(found.name)
