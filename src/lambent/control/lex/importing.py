"""Makes bots and locales of exports."""

from collections.abc import Callable
from typing import Any

from lambent.control.lex.bots import add_bot, find_bot_by_name
from lambent.control.lex.locales import SETTINGS, locales_of, new_locale, put_locale
from lambent.control.lex.naming import (
    DRAFT,
    LOCALE,
    Params,
    invalid,
    locale_id,
    new_id,
    require_bot,
)
from lambent.control.lex.parts import check_intent, check_slot, check_slot_type, given_part
from lambent.kit.clock import Clock
from lambent.kit.computing import computed
from lambent.model.arn import Scope
from lambent.model.lex.exported import ExportedBot
from lambent.store.store import Store, Transaction

Read = Callable[[str, Params], Params]
"""Reads a document as the input of an operation, as its model says. Raises `ApiError`."""


class Importer:
    """See the module."""

    def __init__(self, store: Store, clock: Clock, read: Read) -> None:
        self._store = store
        self._clock = clock
        self._read = read

    async def make(self, scope: Scope, params: Params, exported: ExportedBot) -> dict[str, str]:
        """Make what a file has; returns what describes it. Raises `ApiError`."""
        specification, now = params["resourceSpecification"], self._clock.now()
        of_bot = specification.get("botImportSpecification")
        of_locale = specification.get("botLocaleImportSpecification")
        if of_bot is None and of_locale is None:
            raise invalid("Only bots and locales are imported.")
        bodies = await computed(self._bodies, exported, now)
        overwrites = params["mergeStrategy"] == "Overwrite"

        def run(tx: Transaction) -> dict[str, str]:
            if of_locale is not None:
                return _put_one(tx, scope, of_locale, bodies, overwrites)
            return _put_all(
                tx, scope, {**_bot_settings(exported), **of_bot}, bodies, overwrites, now
            )

        return await self._store.transact(run)

    def _bodies(self, exported: ExportedBot, now: float) -> dict[str, dict[str, Any]]:
        """Bodies of locales, checked against the API's model. Raises `ApiError`."""
        made = {}
        for locale, given in exported.locales.items():
            place = {"botId": "0" * 10, "botVersion": DRAFT, "localeId": locale}
            named = {name: given[name] for name in SETTINGS if name in given}
            document = {**place, "nluIntentConfidenceThreshold": 0.4, **named}
            settings = self._read("CreateBotLocale", document)
            body = new_locale(locale, settings, now)
            made_at = {"_created": now, "_changed": now}
            ids: dict[str, str] = {}
            for each in given["slotTypes"].values():
                part = given_part(self._read("CreateSlotType", {**place, **each}))
                check_slot_type(body["slotTypes"], part)
                ids[part["slotTypeName"]] = id = new_id()
                body["slotTypes"][id] = {**part, **made_at}
            for each in given["intents"].values():
                self._add_intent(body, place, each, ids, made_at)
            made[locale] = body
        return made

    def _add_intent(
        self,
        body: dict[str, Any],
        place: Params,
        given: dict[str, Any],
        types: dict[str, str],
        made_at: dict[str, float],
    ) -> None:
        slots, priorities = given.pop("slots"), given.pop("slotPriorities", None) or []
        intent = given_part(self._read("CreateIntent", {**place, **given}))
        check_intent(body["intents"], intent)
        added: dict[str, Any] = {}
        for slot in slots.values():
            name = slot.pop("slotTypeName", None)
            slot["slotTypeId"] = types.get(str(name), name)
            document = {**place, "intentId": "0" * 10, **slot}
            part = given_part(self._read("CreateSlot", document), "slotTypeId")
            check_slot(body, added, part)
            added[new_id()] = {**part, **made_at}
        by_name = {each["slotName"]: id for id, each in added.items()}
        ordered = [
            {"priority": int(each["priority"]), "slotId": by_name[each["slotName"]]}
            for each in priorities
            if isinstance(each, dict) and each.get("slotName") in by_name and _is_number(each)
        ]
        made = {**intent, "slots": added, "slotPriorities": ordered, **made_at}
        body["intents"][new_id()] = made


def _is_number(priority: Params) -> bool:
    value = priority.get("priority")
    return isinstance(value, int) and 0 <= value <= 100


def _bot_settings(exported: ExportedBot) -> dict[str, Any]:
    idle = exported.bot.get("idleSessionTTLInSeconds")
    is_valid = isinstance(idle, int) and 60 <= idle <= 86_400
    settings: dict[str, Any] = {"idleSessionTTLInSeconds": idle if is_valid else 300}
    if isinstance(description := exported.bot.get("description"), str):
        settings["description"] = description[:2000]
    return settings


def _put_all(
    tx: Transaction,
    scope: Scope,
    settings: Params,
    bodies: dict[str, dict[str, Any]],
    overwrites: bool,
    now: float,
) -> dict[str, str]:
    """Make a bot, or replace the draft of the one with this name."""
    tx.locks.scope(scope)
    bot = find_bot_by_name(tx, scope, settings["botName"])
    if bot is not None and not overwrites:
        raise invalid(
            f"There is a bot {settings['botName']} already. Use Overwrite or another name."
        )
    if bot is None:
        bot = add_bot(tx, scope, settings, now)
    for each in locales_of(tx, scope, bot.id, DRAFT):
        tx.documents.delete(each.root, LOCALE, each.id)
    for body in bodies.values():
        put_locale(tx, bot, body)
    return {"importedResourceId": bot.id, "importedResourceName": bot.body["botName"]}


def _put_one(
    tx: Transaction,
    scope: Scope,
    specification: Params,
    bodies: dict[str, dict[str, Any]],
    overwrites: bool,
) -> dict[str, str]:
    """Put the one locale of a file into a bot."""
    bot, locale = require_bot(tx, scope, specification["botId"]), specification["localeId"]
    tx.locks.root(bot.root)
    if len(bodies) != 1:
        raise invalid("The file of a locale has one locale.")
    (body,) = bodies.values()
    if not overwrites and tx.documents.get(bot.root, LOCALE, locale_id(DRAFT, locale)):
        raise invalid(f"The bot has the locale {locale} already. Use Overwrite.")
    given = {name: specification[name] for name in SETTINGS if name in specification}
    put_locale(tx, bot, {**body, **given, "localeId": locale})
    return {"importedResourceId": locale, "importedResourceName": locale}
