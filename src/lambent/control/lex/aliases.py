"""Use cases of aliases: names of versions, with the functions of each locale."""

from typing import Any

from lambent.control.lex.listing import page
from lambent.control.lex.locales import require_version
from lambent.control.lex.naming import (
    ALIAS,
    TEST_ALIAS,
    Params,
    invalid,
    new_id,
    precondition,
    quota,
    require,
    require_bot,
    root_of,
    shown,
    times,
)
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.document import Document
from lambent.store.store import Store, Transaction

_ALIASES_MAX = 100
_GIVEN = ("botAliasName", "description", "botVersion", "botAliasLocaleSettings")
_REFUSED = {
    "conversationLogSettings": "conversations are not logged.",
    "sentimentAnalysisSettings": "there is no sentiment analysis.",
}
_INTERFACE = "1.0"


class Aliases:
    """See the module. All use cases raise `ApiError`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateBotAlias."""
        given, now, id = _given(params), self._clock.now(), new_id()

        def run(tx: Transaction) -> Document:
            bot = require_bot(tx, scope, params["botId"])
            tx.locks.root(bot.root)
            _check(tx, scope, bot, given)
            if len(tx.documents.list_of(bot.root, ALIAS)) >= _ALIASES_MAX:
                raise quota(f"A bot has at most {_ALIASES_MAX} aliases.")
            body = {**given, "_created": now, "_changed": now, "_tags": params.get("tags") or {}}
            return tx.documents.put(bot.root, ALIAS, id, body)

        view = _view(await self._store.transact(run))
        del view["lastUpdatedDateTime"]
        return {**view, **({"tags": params["tags"]} if "tags" in params else {})}

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateBotAlias."""
        given, now, id = _given(params), self._clock.now(), params["botAliasId"]

        def run(tx: Transaction) -> Document:
            bot = require_bot(tx, scope, params["botId"])
            tx.locks.root(bot.root)
            found = require(tx, bot.root, ALIAS, id, "The alias")
            if id == TEST_ALIAS:
                fixed = ("botAliasName", "botVersion")
                if any(given.get(each, found.body[each]) != found.body[each] for each in fixed):
                    raise precondition("The test alias keeps its name and the version DRAFT.")
                given["botVersion"] = found.body["botVersion"]
            else:
                _check(tx, scope, bot, given, but=id)
            kept = {name: value for name, value in found.body.items() if name not in _GIVEN}
            return tx.documents.put(bot.root, ALIAS, id, {**kept, **given, "_changed": now})

        return _view(await self._store.transact(run))

    async def describe(self, scope: Scope, params: Params) -> Params:
        """DescribeBotAlias."""
        root, id = root_of(scope, params["botId"]), params["botAliasId"]
        return _view(await self._store.read(lambda tx: require(tx, root, ALIAS, id, "The alias")))

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListBotAliases."""

        def run(tx: Transaction) -> list[Document]:
            bot = require_bot(tx, scope, params["botId"])
            return tx.documents.list_of(bot.root, ALIAS)

        found = [_view(each) for each in await self._store.read(run)]
        names = ("botAliasId", "botAliasName", "description", "botVersion", "botAliasStatus")
        items = [
            {name: each[name] for name in (*names, *times_of_lists) if name in each}
            for each in found
        ]
        listed, more = page(params, items, lambda item: item["botAliasName"])
        return {"botId": params["botId"], "botAliasSummaries": listed, **more}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteBotAlias, with its conversations."""
        root, id = root_of(scope, params["botId"]), params["botAliasId"]
        if id == TEST_ALIAS:
            raise precondition("The test alias is deleted with the bot.")

        def run(tx: Transaction) -> None:
            require(tx, root, ALIAS, id, "The alias")
            tx.documents.delete(root, ALIAS, id)
            tx.lex_sessions.delete_alias(root, id)

        await self._store.transact(run)
        return {"botId": root.id, "botAliasId": id, "botAliasStatus": "Deleting"}


times_of_lists = ("creationDateTime", "lastUpdatedDateTime")


def function_of(alias: Document, locale: str) -> str | None:
    """The ARN of an alias's function for a locale; None if it has none."""
    settings: Params = alias.body.get("botAliasLocaleSettings") or {}
    hook: Params = (settings.get(locale) or {}).get("codeHookSpecification") or {}
    found: Params = hook.get("lambdaCodeHook") or {}
    return found.get("lambdaARN")


def is_enabled(alias: Document, locale: str) -> bool:
    """Whether conversations in a locale may run through an alias."""
    settings: Params = alias.body.get("botAliasLocaleSettings") or {}
    if locale not in settings:
        return alias.id == TEST_ALIAS or not settings
    return bool(settings[locale]["enabled"])


def _given(params: Params) -> dict[str, Any]:
    for name, why in _REFUSED.items():
        given = params.get(name)
        if given and given != {"detectSentiment": False}:
            raise invalid(f"{name} is not offered: {why}")
    for locale, setting in (params.get("botAliasLocaleSettings") or {}).items():
        hook = ((setting.get("codeHookSpecification") or {}).get("lambdaCodeHook")) or {}
        if hook and hook["codeHookInterfaceVersion"] != _INTERFACE:
            raise invalid(f"codeHookInterfaceVersion of {locale} must be {_INTERFACE}.")
    return {name: params[name] for name in _GIVEN if name in params}


def _check(tx: Transaction, scope: Scope, bot: Document, given: Params, but: str = "") -> None:
    for each in tx.documents.list_of(bot.root, ALIAS):
        if each.id != but and each.body["botAliasName"] == given["botAliasName"]:
            raise precondition(f"There is an alias {given['botAliasName']} already.")
    if (version := given.get("botVersion")) is not None:
        require_version(tx, scope, bot.id, version)


def _view(found: Document) -> dict[str, Any]:
    return {
        **{"botId": found.root.id, "botAliasId": found.id},
        **shown(found.body),
        "botAliasStatus": "Available",
        **times(found.body),
    }
