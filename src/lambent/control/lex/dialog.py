"""One turn of a conversation: from what a user says to what the bot says.

A turn is a chain of *steps*. Each is what an intent's definition, a function's response or AWS's
default says comes next; the chain ends when the bot waits for the user, or has nothing more to say.
https://docs.aws.amazon.com/lexv2/latest/dg/understanding-new-flows.html
"""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lambent.control.lex.ports import HookFailed, HookTimedOut
from lambent.model.lex.conditions import ConditionInvalid, compile_condition
from lambent.model.lex.hook_documents import HookResponse
from lambent.model.lex.locale import FALLBACK, Intent, Locale, Slot
from lambent.model.lex.messages import MESSAGES_MAX, Choose, References, messages_of
from lambent.model.lex.session import Session
from lambent.model.lex.slot_values import given_value, interpreted, resolve_slot
from lambent.model.lex.values import Context

Params = Mapping[str, Any]
STEPS_MAX = 60
"""Steps of one turn: definitions can lead in a circle."""


class HookUnusable(Exception):
    """The code hook cannot be used, and the bot's definition does not say what then. The message is
    for the client."""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What comes next."""

    type: str
    """A type of the API's `DialogAction`, or `Continue`: the default order."""
    slot: str = ""
    is_silent: bool = False
    """Whether the bot does not say what it usually says."""
    is_forced: bool = False
    """Whether a slot is elicited although it has a value."""


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """Names of the members that say what happens at a point of the flow."""

    response: str
    conditional: str
    next: str


def _point(prefix: str) -> Point:
    return Point(f"{prefix}Response", f"{prefix}Conditional", f"{prefix}NextStep")


INITIAL = Point("initialResponse", "conditional", "nextStep")
CLOSING = Point("closingResponse", "conditional", "nextStep")
CAPTURE, FAILURE, SUCCESS, TIMEOUT = map(_point, ("capture", "failure", "success", "timeout"))
CONFIRMATION, DECLINATION = _point("confirmation"), _point("declination")
CONTINUE, END = Step("Continue"), Step("EndConversation")
CallFunction = Callable[["Dialog", str, str, Step], Awaitable[HookResponse]]
"""Calls the code hook with `DialogCodeHook` or `FulfillmentCodeHook`, the label of the call and the
step that comes next by default. Raises `HookFailed`."""


class Dialog:
    """A turn. It changes the session and collects messages."""

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
        self.call: CallFunction | None = None
        """Calls the code hook."""
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

    async def run(self, step: Step) -> None:
        """Take steps until the turn is over. Raises `HookUnusable`."""
        following: Step | None = step
        for _ in range(STEPS_MAX):
            if following is None:
                return
            following = await self._take(following)
        if self.session.intent is not None:
            self.state["state"] = "Failed"
        self._wait("Close")

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

    async def proceed(
        self, section: Params, point: Point, default: Step = CONTINUE, *, is_hooked: bool = False
    ) -> Step:
        """What comes after a point of the flow: its response, its condition, its next step. At a
        point that `is_hooked` the code hook may be called first."""
        self.say(section.get(point.response))
        chosen = self._branch(section.get(point.conditional)) or section.get(point.next)
        action = ((chosen or {}).get("dialogAction") or {}).get("type")
        if action == "EvaluateConditional":
            action, chosen = None, None
        if is_hooked and self._is_called(section.get("codeHook"), action):
            following = default
            if chosen is not None and action != "InvokeDialogCodeHook":
                following = self._follow(chosen, default)
            return await self.call_hook(section.get("codeHook"), following)
        return self._follow(chosen, default)

    def _is_called(self, hook: Params | None, action: str | None) -> bool:
        """Whether a point calls the code hook: its own setting decides, else that of the intent."""
        if action == "InvokeDialogCodeHook":
            return True
        if hook is not None:
            return action is None and hook.get("active", True) is True
        return self.intent.section("dialogCodeHook").get("enabled") is True

    async def call_hook(self, hook: Params | None, following: Step, label: str = "") -> Step:
        """Call the code hook and do what it says. `following` comes next by default."""
        post: Params = (hook or {}).get("postCodeHookSpecification") or {}
        label = label or (hook or {}).get("invocationLabel") or ""
        if hook is not None and not hook.get("enableCodeHookInvocation", True):
            return await self.proceed(post, SUCCESS, following)
        try:
            response = await self._call("DialogCodeHook", label, following)
        except HookFailed as failure:
            point = TIMEOUT if isinstance(failure, HookTimedOut) else FAILURE
            if not says(post, point):
                raise HookUnusable(str(failure)) from None
            return await self.proceed(post, point, END)
        if response.action["type"] != "Delegate":
            return self._obey(response)
        self._accept(response)
        self.add(response.messages)
        if self.state["state"] == "Failed":
            return await self.proceed(post, FAILURE, END)
        return await self.proceed(post, SUCCESS, following)

    async def _call(self, source: str, label: str, following: Step) -> HookResponse:
        assert self.call is not None
        return await self.call(self, source, label, following)

    async def _take(self, step: Step) -> Step | None:
        if step.type == "Continue":
            return self.default()
        if step.type == "StartIntent":
            return await self.proceed(
                self.intent.section("initialResponseSetting"), INITIAL, is_hooked=True
            )
        if step.type == "ElicitSlot":
            return await self._elicit(step)
        if step.type == "ConfirmIntent":
            return self._confirm(step)
        if step.type == "FulfillIntent":
            return await self._fulfill()
        if step.type == "CloseIntent":
            section = self.intent.section("intentClosingSetting")
            if section.get("active", True) is False:
                return END
            return await self.proceed(section, CLOSING, END)
        if step.type == "ElicitIntent":
            self.session.intent = None
            self._wait("ElicitIntent")
            return None
        intent = self.session.intent
        if intent and (intent["state"], intent["confirmationState"]) == ("InProgress", "Denied"):
            intent["state"] = "Failed"
        self._wait("Close")
        return None

    def default(self) -> Step:
        """The next required slot, then the confirmation, then the fulfillment."""
        slots = self.state["slots"]
        for name, slot in self.intent.slots.items():
            if slots.get(name) is None and (slot.is_required or self._default_value(slot)):
                return Step("ElicitSlot", name)
        return Step("ConfirmIntent")

    async def _elicit(self, step: Step) -> Step | None:
        slot = self.intent.slots.get(step.slot)
        if slot is None:
            return CONTINUE
        if not step.is_forced:
            slots = self.state["slots"]
            if slots.get(slot.name) is None:
                slots[slot.name] = self._default_value(slot)
            if slots.get(slot.name) is not None:
                return await self.proceed(slot.elicitation.get("slotCaptureSetting") or {}, CAPTURE)
        prompt = slot.elicitation.get("promptSpecification")
        if prompt is None and not step.is_silent and not step.is_forced:
            return CONTINUE
        if not step.is_silent:
            self.say(prompt)
        self._wait("ElicitSlot", slot.name)
        return None

    def _confirm(self, step: Step) -> Step | None:
        if not step.is_forced and not self.asks_confirmation:
            return Step("FulfillIntent")
        if not step.is_silent:
            self.say(self.intent.section("intentConfirmationSetting").get("promptSpecification"))
        self.state["confirmationState"] = "None"
        self._wait("ConfirmIntent")
        return None

    async def _fulfill(self) -> Step:
        setting = self.intent.section("fulfillmentCodeHook")
        post: Params = setting.get("postFulfillmentStatusSpecification") or {}
        self.state["state"] = "ReadyForFulfillment"
        if not setting.get("enabled") or setting.get("active", True) is False:
            if setting.get("active", True) is not False and says(post, SUCCESS):
                self.state["state"] = "Fulfilled"
            return await self._fulfilled(post)
        try:
            response = await self._call("FulfillmentCodeHook", "", Step("CloseIntent"))
        except HookFailed as failure:
            self.state["state"] = "Failed"
            point = TIMEOUT if isinstance(failure, HookTimedOut) else FAILURE
            if not says(post, point):
                raise HookUnusable(str(failure)) from None
            return await self.proceed(post, point, END)
        kind = response.action["type"]
        if kind not in ("Close", "Delegate"):
            return self._obey(response)
        self._accept(response)
        self.add(response.messages)
        return await self._after_fulfillment(response, post)

    async def _after_fulfillment(self, response: HookResponse, post: Params) -> Step:
        state, has_spoken = self.state["state"], bool(response.messages)
        if response.action["type"] == "Delegate" and state not in ("Failed", "Fulfilled"):
            following = self.default()
            if following.type != "ElicitSlot":
                raise HookUnusable(
                    "Invalid Lambda Response: Received invalid response from Lambda: Delegate after"
                    " the fulfillment needs an intent whose state is Fulfilled or Failed, or a slot"
                    " without a value"
                )
            self.state["state"] = "InProgress"
            return following
        if state == "Failed":
            return END if has_spoken else await self.proceed(post, FAILURE, END)
        if has_spoken and response.action["type"] == "Close":
            self._activate_outputs()
            return END
        return await self._fulfilled(post)

    async def _fulfilled(self, post: Params) -> Step:
        self._activate_outputs()
        return await self.proceed(post, SUCCESS, Step("CloseIntent"))

    def _activate_outputs(self) -> None:
        values = {name: interpreted(value) for name, value in self.state["slots"].items()}
        attributes = {name: value for name, value in values.items() if value is not None}
        for each in self.intent.definition.get("outputContexts") or ():
            self.session.activate(each, attributes, self.now)

    def _obey(self, response: HookResponse) -> Step:
        """What a function demands: it says what to say, or the definition does."""
        self._accept(response)
        self.add(response.messages)
        kind, is_silent = response.action["type"], bool(response.messages)
        if kind == "ElicitSlot":
            return Step("ElicitSlot", response.action["slotToElicit"], is_silent, is_forced=True)
        if kind == "ConfirmIntent":
            return Step("ConfirmIntent", "", is_silent, is_forced=True)
        if kind == "Close":
            if self.state["state"] == "Fulfilled":
                self._activate_outputs()
            elif self.state["state"] == "InProgress":
                self.state["state"] = "Failed"
            return END if is_silent else Step("CloseIntent")
        return Step(kind)

    def _accept(self, response: HookResponse) -> None:
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

    def _branch(self, conditional: Params | None) -> Params | None:
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

    def _follow(self, chosen: Params | None, default: Step) -> Step:
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

    def _default_value(self, slot: Slot) -> dict[str, Any] | None:
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

    def _wait(self, kind: str, slot: str = "") -> None:
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


def says(section: Params, point: Point) -> bool:
    """Whether a definition says what happens at a point."""
    return any(section.get(name) for name in (point.response, point.conditional, point.next))
