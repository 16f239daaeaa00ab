"""Use cases of intents, slots and slot types: parts of a locale's draft."""

from collections.abc import Mapping
from typing import Any

from lambent.control.lex.listing import page
from lambent.control.lex.locales import Locales
from lambent.control.lex.naming import (
    Params,
    invalid,
    missing,
    new_id,
    precondition,
    quota,
    shown,
    times,
)
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.document import Document
from lambent.model.lex.locale import BUILT_IN_INTENTS
from lambent.model.lex.values import BUILT_IN

_INTENTS_MAX, _SLOTS_MAX, _TYPES_MAX = 1000, 100, 250
_PLACE = ("botId", "botVersion", "localeId")
_KEYS = frozenset({*_PLACE, "intentId", "slotId", "slotTypeId"})
REFUSED = {
    "kendraConfiguration": "Kendra is not offered.",
    "qnAIntentConfiguration": "models of Bedrock are not offered.",
    "qInConnectIntentConfiguration": "Amazon Q is not offered.",
    "subSlotSetting": "composite slots are not offered.",
    "externalSourceSetting": "grammars are not offered.",
    "compositeSlotTypeSetting": "composite slot types are not offered.",
}


class Parts:
    """See the module. All use cases raise `ApiError`."""

    def __init__(self, locales: Locales, clock: Clock) -> None:
        self._locales = locales
        self._clock = clock

    async def create_intent(self, scope: Scope, params: Params) -> Params:
        """CreateIntent."""
        id, given = new_id(), given_part(params)

        def change(body: dict[str, Any]) -> None:
            if len(body["intents"]) >= _INTENTS_MAX:
                raise quota(f"A locale has at most {_INTENTS_MAX} intents.")
            check_intent(body["intents"], given)
            body["intents"][id] = {**given, "slots": {}, **self._made()}

        found = await self._locales.change(scope, params, change)
        return _intent_view(found, id, is_new=True)

    async def update_intent(self, scope: Scope, params: Params) -> Params:
        """UpdateIntent."""
        id, given = params["intentId"], given_part(params)

        def change(body: dict[str, Any]) -> None:
            known = require_part(body["intents"], id, "The intent")
            check_intent(body["intents"], given, but=id)
            for each in given.get("slotPriorities") or ():
                require_part(known["slots"], each["slotId"], "The slot")
            kept = {"slots": known["slots"], "_created": known["_created"]}
            body["intents"][id] = {**given, **kept, "_changed": self._clock.now()}

        return _intent_view(await self._locales.change(scope, params, change), id)

    async def delete_intent(self, scope: Scope, params: Params) -> Params:
        """DeleteIntent."""

        def change(body: dict[str, Any]) -> None:
            require_part(body["intents"], params["intentId"], "The intent")
            del body["intents"][params["intentId"]]

        await self._locales.change(scope, params, change)
        return {}

    async def describe_intent(self, scope: Scope, params: Params) -> Params:
        """DescribeIntent."""
        return _intent_view(await self._locales.read(scope, params), params["intentId"])

    async def list_intents(self, scope: Scope, params: Params) -> Params:
        """ListIntents."""
        found = await self._locales.read(scope, params)
        names = (
            *("intentName", "intentDisplayName", "description", "parentIntentSignature"),
            *("inputContexts", "outputContexts"),
        )
        items = [_summary(id, "intentId", each, names) for id, each in _of(found, "intents")]
        named = {"IntentName": "intentName"}
        sorts = {**named, "LastUpdatedDateTime": "lastUpdatedDateTime"}
        listed, more = page(
            params, items, lambda item: item["intentName"], named=named, sorts=sorts
        )
        return {**_place(params), "intentSummaries": listed, **more}

    async def create_slot(self, scope: Scope, params: Params) -> Params:
        """CreateSlot."""
        id, given = new_id(), given_part(params, "slotTypeId")

        def change(body: dict[str, Any]) -> None:
            slots = require_part(body["intents"], params["intentId"], "The intent")["slots"]
            if len(slots) >= _SLOTS_MAX:
                raise quota(f"An intent has at most {_SLOTS_MAX} slots.")
            check_slot(body, slots, given)
            slots[id] = {**given, **self._made()}

        found = await self._locales.change(scope, params, change)
        return _slot_view(found, params["intentId"], id, is_new=True)

    async def update_slot(self, scope: Scope, params: Params) -> Params:
        """UpdateSlot."""
        id, given = params["slotId"], given_part(params, "slotTypeId")

        def change(body: dict[str, Any]) -> None:
            slots = require_part(body["intents"], params["intentId"], "The intent")["slots"]
            known = require_part(slots, id, "The slot")
            check_slot(body, slots, given, but=id)
            slots[id] = {**given, "_created": known["_created"], "_changed": self._clock.now()}

        found = await self._locales.change(scope, params, change)
        return _slot_view(found, params["intentId"], id)

    async def delete_slot(self, scope: Scope, params: Params) -> Params:
        """DeleteSlot."""
        id = params["slotId"]

        def change(body: dict[str, Any]) -> None:
            intent = require_part(body["intents"], params["intentId"], "The intent")
            require_part(intent["slots"], id, "The slot")
            del intent["slots"][id]
            priorities = intent.get("slotPriorities") or ()
            intent["slotPriorities"] = [each for each in priorities if each["slotId"] != id]

        await self._locales.change(scope, params, change)
        return {}

    async def describe_slot(self, scope: Scope, params: Params) -> Params:
        """DescribeSlot."""
        found = await self._locales.read(scope, params)
        return _slot_view(found, params["intentId"], params["slotId"])

    async def list_slots(self, scope: Scope, params: Params) -> Params:
        """ListSlots."""
        found = await self._locales.read(scope, params)
        intent = require_part(found.body["intents"], params["intentId"], "The intent")
        items = []
        for id, each in intent["slots"].items():
            setting = each["valueElicitationSetting"]
            item = _summary(id, "slotId", each, ("slotName", "description", "slotTypeId"))
            item["slotConstraint"] = setting["slotConstraint"]
            if "promptSpecification" in setting:
                item["valueElicitationPromptSpecification"] = setting["promptSpecification"]
            items.append(item)
        named = {"SlotName": "slotName"}
        sorts = {**named, "LastUpdatedDateTime": "lastUpdatedDateTime"}
        listed, more = page(params, items, lambda item: item["slotName"], named=named, sorts=sorts)
        place = {**_place(params), "intentId": params["intentId"]}
        return {**place, "slotSummaries": listed, **more}

    async def create_slot_type(self, scope: Scope, params: Params) -> Params:
        """CreateSlotType."""
        id, given = new_id(), given_part(params)

        def change(body: dict[str, Any]) -> None:
            if len(body["slotTypes"]) >= _TYPES_MAX:
                raise quota(f"A locale has at most {_TYPES_MAX} slot types.")
            check_slot_type(body["slotTypes"], given)
            body["slotTypes"][id] = {**given, **self._made()}

        found = await self._locales.change(scope, params, change)
        return _type_view(found, id, is_new=True)

    async def update_slot_type(self, scope: Scope, params: Params) -> Params:
        """UpdateSlotType."""
        id, given = params["slotTypeId"], given_part(params)

        def change(body: dict[str, Any]) -> None:
            known = require_part(body["slotTypes"], id, "The slot type")
            check_slot_type(body["slotTypes"], given, but=id)
            made = {"_created": known["_created"], "_changed": self._clock.now()}
            body["slotTypes"][id] = {**given, **made}

        return _type_view(await self._locales.change(scope, params, change), id)

    async def delete_slot_type(self, scope: Scope, params: Params) -> Params:
        """DeleteSlotType."""
        id = params["slotTypeId"]

        def change(body: dict[str, Any]) -> None:
            require_part(body["slotTypes"], id, "The slot type")
            slots = (
                each for intent in body["intents"].values() for each in intent["slots"].values()
            )
            used = any(each.get("slotTypeId") == id for each in slots)
            if used and not params.get("skipResourceInUseCheck"):
                raise precondition(f"Slots use the slot type {id}.")
            del body["slotTypes"][id]

        await self._locales.change(scope, params, change)
        return {}

    async def describe_slot_type(self, scope: Scope, params: Params) -> Params:
        """DescribeSlotType."""
        return _type_view(await self._locales.read(scope, params), params["slotTypeId"])

    async def list_slot_types(self, scope: Scope, params: Params) -> Params:
        """ListSlotTypes."""
        found = await self._locales.read(scope, params)
        names = ("slotTypeName", "description", "parentSlotTypeSignature")
        items = [_summary(id, "slotTypeId", each, names) for id, each in _of(found, "slotTypes")]
        named = {"SlotTypeName": "slotTypeName"}
        sorts = {**named, "LastUpdatedDateTime": "lastUpdatedDateTime"}
        listed, more = page(
            *(params, items, lambda item: item["slotTypeName"]), named=named, sorts=sorts
        )
        return {**_place(params), "slotTypeSummaries": listed, **more}

    def _made(self) -> dict[str, float]:
        now = self._clock.now()
        return {"_created": now, "_changed": now}


def given_part(params: Params, *also: str) -> dict[str, Any]:
    """What a request says of a part. Raises `ApiError` for what is not offered."""
    for name, why in REFUSED.items():
        if params.get(name):
            raise invalid(f"{name}: {why}")
    return {name: value for name, value in params.items() if name not in _KEYS or name in also}


def require_part(parts: Mapping[str, Any], id: str, noun: str) -> dict[str, Any]:
    """A part. Raises `ResourceNotFoundException`."""
    if id not in parts:
        raise missing(noun, id)
    found: dict[str, Any] = parts[id]
    return found


def check_intent(intents: Mapping[str, Params], given: Params, but: str = "") -> None:
    """Raises `ApiError` if there cannot be such an intent beside the others."""
    signature = given.get("parentIntentSignature")
    if signature and signature not in BUILT_IN_INTENTS:
        offered = ", ".join(sorted(BUILT_IN_INTENTS))
        raise invalid(f"The built-in intent {signature} is not offered. These are: {offered}.")
    _check_name(intents, "intentName", given["intentName"], but)


def check_slot(body: Params, slots: Mapping[str, Params], given: Params, but: str = "") -> None:
    """Raises `ApiError` if an intent cannot have such a slot beside the others."""
    type_id = given.get("slotTypeId")
    if type_id not in BUILT_IN and type_id not in body["slotTypes"]:
        raise invalid(
            f"The slot type {type_id} is not offered, and the locale has none with this id."
        )
    _check_name(slots, "slotName", given["slotName"], but)


def check_slot_type(types: Mapping[str, Params], given: Params, but: str = "") -> None:
    """Raises `ApiError` if there cannot be such a slot type beside the others."""
    _check_name(types, "slotTypeName", given["slotTypeName"], but)


def _check_name(parts: Mapping[str, Params], member: str, name: str, but: str) -> None:
    if any(each[member] == name for id, each in parts.items() if id != but):
        raise precondition(f"There is a {member.removesuffix('Name')} {name} already.")


def _of(found: Document, kind: str) -> list[tuple[str, Params]]:
    return list(found.body[kind].items())


def _place(params: Params) -> dict[str, Any]:
    return {name: params[name] for name in _PLACE}


def _summary(id: str, key: str, part: Params, names: tuple[str, ...]) -> dict[str, Any]:
    item = {key: id, **{name: part[name] for name in names if name in part}}
    item["lastUpdatedDateTime"] = times(part)["lastUpdatedDateTime"]
    return item


def _shown_part(found: Document, part: Params, is_new: bool) -> dict[str, Any]:
    version, _, locale = found.id.partition("/")
    place = {"botId": found.root.id, "botVersion": version, "localeId": locale}
    made = times(part)
    if is_new:
        del made["lastUpdatedDateTime"]
    return {**place, **shown(part), **made}


def _intent_view(found: Document, id: str, *, is_new: bool = False) -> Params:
    intent = require_part(found.body["intents"], id, "The intent")
    view = _shown_part(found, intent, is_new)
    del view["slots"]
    return {"intentId": id, **view}


def _slot_view(found: Document, intent: str, id: str, *, is_new: bool = False) -> Params:
    slots = require_part(found.body["intents"], intent, "The intent")["slots"]
    view = _shown_part(found, require_part(slots, id, "The slot"), is_new)
    return {"slotId": id, "intentId": intent, **view}


def _type_view(found: Document, id: str, *, is_new: bool = False) -> Params:
    slot_type = require_part(found.body["slotTypes"], id, "The slot type")
    return {"slotTypeId": id, **_shown_part(found, slot_type, is_new)}
