"""A locale of a bot, compiled from its document.

The document has the settings of the locale as the API shows them, and below `intents` and
`slotTypes` those by id; an intent has its slots below `slots`.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from lambent.model.lex.values import BUILT_IN, SlotType, custom_slot_type

Params = Mapping[str, Any]
FALLBACK = "AMAZON.FallbackIntent"
BUILT_IN_INTENTS = frozenset(
    f"AMAZON.{name}Intent"
    for name in ("Fallback", "Help", "Cancel", "Stop", "Repeat", "Pause", "Resume", "StartOver")
)
"""Intents of AWS that are offered. All but the fallback have utterances of their own."""
_UTTERANCES = {
    "AMAZON.HelpIntent": ("help", "help me", "can you help me", "i need help"),
    "AMAZON.CancelIntent": ("cancel", "never mind", "forget it", "cancel that"),
    "AMAZON.StopIntent": ("stop", "off", "shut up", "stop it"),
    "AMAZON.RepeatIntent": ("repeat", "say that again", "repeat that"),
    "AMAZON.PauseIntent": ("pause", "pause that"),
    "AMAZON.ResumeIntent": ("resume", "continue", "keep going"),
    "AMAZON.StartOverIntent": ("start over", "restart", "start again"),
}
UTTERANCES_MAX = 20_000
_REASONS_MAX = 20
_SLOT = re.compile(r"\{([0-9a-zA-Z_-]{1,100})\}")


class LocaleInvalid(Exception):
    """A locale cannot be built. The arguments are the reasons."""


@dataclasses.dataclass(frozen=True)
class Slot:
    """A slot of an intent."""

    name: str
    definition: Params
    type: SlotType
    type_name: str

    @property
    def elicitation(self) -> Params:
        """`valueElicitationSetting`."""
        setting: Params = self.definition.get("valueElicitationSetting") or {}
        return setting

    @property
    def is_required(self) -> bool:
        """Whether the intent needs a value."""
        return self.elicitation.get("slotConstraint") == "Required"

    @property
    def is_list(self) -> bool:
        """Whether it takes several values."""
        setting = self.definition.get("multipleValuesSetting") or {}
        return bool(setting.get("allowMultipleValues"))

    @property
    def utterances(self) -> tuple[str, ...]:
        """How users say a value when they are asked for it."""
        return utterances_of(self.elicitation)


@dataclasses.dataclass(frozen=True)
class Intent:
    """An intent."""

    name: str
    definition: Params
    slots: Mapping[str, Slot]
    """By name, in the order in which they are elicited."""

    @property
    def signature(self) -> str:
        """The built-in intent that it is; empty if it is none."""
        return self.definition.get("parentIntentSignature") or ""

    @cached_property
    def utterances(self) -> tuple[str, ...]:
        """How users ask for it."""
        return utterances_of(self.definition) + _UTTERANCES.get(self.signature, ())

    @property
    def contexts(self) -> frozenset[str]:
        """Contexts that must be active."""
        return frozenset(each["name"] for each in self.definition.get("inputContexts") or ())

    def section(self, name: str) -> Params:
        """A member of its definition that is an object; empty if it has none."""
        found: Params = self.definition.get(name) or {}
        return found


@dataclasses.dataclass(frozen=True)
class Locale:
    """A locale, ready for use."""

    id: str
    threshold: float
    intents: Mapping[str, Intent]
    """By name."""

    @cached_property
    def fallback(self) -> Intent | None:
        """The intent for what is not understood."""
        found = (each for each in self.intents.values() if each.signature == FALLBACK)
        return next(found, None)


def utterances_of(definition: Params) -> tuple[str, ...]:
    """The sample utterances of an intent or a slot."""
    return tuple(each["utterance"] for each in definition.get("sampleUtterances") or ())


def slots_in(utterance: str) -> list[str]:
    """The names of slots in an utterance."""
    return _SLOT.findall(utterance)


def parts_of(utterance: str) -> Iterator[tuple[str, str]]:
    """The parts of an utterance: texts and names of slots, one of each pair is empty."""
    for at, part in enumerate(_SLOT.split(utterance)):
        yield ("", part) if at % 2 else (part, "")


def compile_locale(id: str, body: Params) -> Locale:
    """A locale from its document. Raises `LocaleInvalid`."""
    reasons: list[str] = []
    types: dict[str, tuple[str, SlotType]] = {}
    for type_id, definition in (body.get("slotTypes") or {}).items():
        try:
            types[type_id] = definition["slotTypeName"], custom_slot_type(definition)
        except ValueError as error:
            reasons.append(f"Slot type {definition['slotTypeName']}: {error}")
            types[type_id] = definition["slotTypeName"], BUILT_IN["AMAZON.FreeFormInput"]
    intents = {}
    for definition in (body.get("intents") or {}).values():
        intent = _compile_intent(definition, types, reasons)
        if intent.name in intents:
            reasons.append(f"There are two intents {intent.name}.")
        intents[intent.name] = intent
    locale = Locale(id, float(body.get("nluIntentConfidenceThreshold", 0.4)), intents)
    reasons.extend(_faults_of(locale))
    if reasons:
        raise LocaleInvalid(*reasons[:_REASONS_MAX])
    return locale


def _compile_intent(
    definition: Params, types: Mapping[str, tuple[str, SlotType]], reasons: list[str]
) -> Intent:
    priorities = {
        each["slotId"]: each["priority"] for each in definition.get("slotPriorities") or ()
    }
    given = (definition.get("slots") or {}).items()
    ordered = sorted(given, key=lambda item: priorities.get(item[0], 1 << 31))
    slots = {}
    for _, each in ordered:
        type_id, name = each.get("slotTypeId") or "", each["slotName"]
        found = (type_id, BUILT_IN[type_id]) if type_id in BUILT_IN else types.get(type_id)
        if found is None:
            reasons.append(
                f"Slot {name} of intent {definition['intentName']}: the slot type"
                f" {type_id or '(none)'} is not offered, or the bot has none with this id."
            )
            continue
        slots[name] = Slot(name, each, found[1], found[0])
    return Intent(definition["intentName"], definition, slots)


def _faults_of(locale: Locale) -> Iterator[str]:
    count = 0
    for intent in locale.intents.values():
        signature = intent.signature
        if signature and signature not in BUILT_IN_INTENTS:
            yield f"Intent {intent.name}: the built-in intent {signature} is not offered."
        count += len(intent.utterances) + sum(
            len(each.utterances) for each in intent.slots.values()
        )
        for utterance in intent.utterances:
            for name in slots_in(utterance):
                if name not in intent.slots:
                    yield f"Intent {intent.name}: an utterance has the slot {name}, which is none."
        for slot in intent.slots.values():
            if slot.is_required and not slot.elicitation.get("promptSpecification"):
                yield f"Slot {slot.name} of intent {intent.name} is required and has no prompt."
    if count > UTTERANCES_MAX:
        yield f"The locale has {count} utterances, and {UTTERANCES_MAX} is the most."
    if not locale.intents:
        yield "The locale has no intents."
