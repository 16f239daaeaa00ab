"""One turn of a conversation: from what a user says to what the bot says.

A turn is a chain of *steps*. Each is what an intent's definition, a function's response or AWS's
default says comes next; the chain ends when the bot waits for the user, or has nothing more to say.
https://docs.aws.amazon.com/lexv2/latest/dg/understanding-new-flows.html
"""

import dataclasses
from collections.abc import Awaitable, Callable

from lambent.control.lex.ports import HookFailed, HookTimedOut
from lambent.control.lex.steps import (
    CAPTURE,
    CLOSING,
    CONTINUE,
    END,
    FAILURE,
    INITIAL,
    SUCCESS,
    TIMEOUT,
    HookUnusable,
    Params,
    Point,
    Step,
    says,
)
from lambent.control.lex.turn import Turn
from lambent.model.lex.hook_documents import HookResponse

STEPS_MAX = 60
"""Steps of one turn: definitions can lead in a circle."""


CallFunction = Callable[["Dialog", str, str, Step], Awaitable[HookResponse]]
"""Calls the code hook with `DialogCodeHook` or `FulfillmentCodeHook`, the label of the call and the
step that comes next by default. Raises `HookFailed`."""


class Dialog(Turn):
    """A turn that takes steps."""

    call: CallFunction | None = None
    """Calls the code hook."""

    async def run(self, step: Step) -> None:
        """Take steps until the turn is over. Raises `HookUnusable`."""
        following: Step | None = step
        for _ in range(STEPS_MAX):
            if following is None:
                return
            following = await self._take(following)
        if self.session.intent is not None:
            self.state["state"] = "Failed"
        self.wait("Close")

    async def proceed(
        self, section: Params, point: Point, default: Step = CONTINUE, *, is_hooked: bool = False
    ) -> Step:
        """What comes after a point of the flow: its response, its condition, its next step. At a
        point that `is_hooked` the code hook may be called first."""
        hook: Params | None = section.get("codeHook")
        if is_hooked and hook is None and self.is_always_hooked:
            # The function decides before anything is said, as in bots without steps.
            delegated = dataclasses.replace(default)
            step = await self.call_hook(None, delegated)
            if step is not delegated:
                return step
            is_hooked = False
        self.say(section.get(point.response))
        chosen = self.branch(section.get(point.conditional)) or section.get(point.next)
        action = ((chosen or {}).get("dialogAction") or {}).get("type")
        if action == "EvaluateConditional":
            action, chosen = None, None
        following = self.follow(chosen, default)
        is_asked = action is None and hook is not None and hook.get("active", True) is True
        if is_hooked and (is_asked or action == "InvokeDialogCodeHook"):
            return await self.call_hook(hook, following)
        return following

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
        self.accept(response)
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
            self.wait("ElicitIntent")
            return None
        intent = self.session.intent
        if intent and (intent["state"], intent["confirmationState"]) == ("InProgress", "Denied"):
            intent["state"] = "Failed"
        self.wait("Close")
        return None

    async def _elicit(self, step: Step) -> Step | None:
        slot = self.intent.slots.get(step.slot)
        if slot is None:
            return CONTINUE
        if not step.is_forced:
            slots = self.state["slots"]
            if slots.get(slot.name) is None:
                slots[slot.name] = self.default_value(slot)
            if slots.get(slot.name) is not None:
                return await self.proceed(slot.elicitation.get("slotCaptureSetting") or {}, CAPTURE)
        prompt = slot.elicitation.get("promptSpecification")
        if prompt is None and not step.is_silent and not step.is_forced:
            return CONTINUE
        if not step.is_silent:
            self.say(prompt)
        self.wait("ElicitSlot", slot.name)
        return None

    def _confirm(self, step: Step) -> Step | None:
        if not step.is_forced and not self.asks_confirmation:
            return Step("FulfillIntent")
        if not step.is_silent:
            self.say(self.intent.section("intentConfirmationSetting").get("promptSpecification"))
        self.state["confirmationState"] = "None"
        self.wait("ConfirmIntent")
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
        self.accept(response)
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
            self.activate_outputs()
            return END
        return await self._fulfilled(post)

    async def _fulfilled(self, post: Params) -> Step:
        self.activate_outputs()
        return await self.proceed(post, SUCCESS, Step("CloseIntent"))

    def _obey(self, response: HookResponse) -> Step:
        """What a function demands: it says what to say, or the definition does."""
        self.accept(response)
        self.add(response.messages)
        kind, is_silent = response.action["type"], bool(response.messages)
        if kind == "ElicitSlot":
            return Step("ElicitSlot", response.action["slotToElicit"], is_silent, is_forced=True)
        if kind == "ConfirmIntent":
            return Step("ConfirmIntent", "", is_silent, is_forced=True)
        if kind == "Close":
            if self.state["state"] == "Fulfilled":
                self.activate_outputs()
            elif self.state["state"] == "InProgress":
                self.state["state"] = "Failed"
            return END if is_silent else Step("CloseIntent")
        return Step(kind)
