"""Use cases of bots, their versions and their tags.

https://docs.aws.amazon.com/lexv2/latest/APIReference/API_Operations_Amazon_Lex_Model_Building_V2.html
"""

from typing import Any

from lambent.control import plain_tags
from lambent.control.lex.listing import page
from lambent.control.lex.locales import locales_of, require_version
from lambent.control.lex.naming import (
    ALIAS,
    BOT,
    BUILT,
    DRAFT,
    LOCALE,
    SERVICE,
    TEST_ALIAS,
    VERSION,
    Params,
    invalid,
    locale_id,
    missing,
    moment,
    new_id,
    precondition,
    quota,
    require,
    require_bot,
    root_of,
    shown,
    tagged,
    times,
)
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.document import Body, Document
from lambent.model.stack_documents import TOKEN_TAG
from lambent.store.store import Store, Transaction

_BOTS_MAX, _VERSIONS_MAX = 500, 100
_GIVEN = (
    *("botName", "description", "roleArn", "dataPrivacy", "idleSessionTTLInSeconds"),
    *("botType", "errorLogSettings"),
)


class Bots:
    """See the module. All use cases raise `ApiError`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateBot."""
        now = self._clock.now()
        found = await self._store.transact(lambda tx: add_bot(tx, scope, params, now))
        tags = {name: params[name] for name in ("botTags", "testBotAliasTags") if name in params}
        view = _view(found)
        del view["lastUpdatedDateTime"]
        return {**view, **tags}

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateBot."""
        given, now = _given(params), self._clock.now()

        def run(tx: Transaction) -> Document:
            tx.locks.scope(scope)
            found = require_bot(tx, scope, params["botId"])
            _check_name(tx, scope, given["botName"], but=found.id)
            kept = {name: value for name, value in found.body.items() if name not in _GIVEN}
            return tx.documents.put(found.root, BOT, found.id, {**kept, **given, "_changed": now})

        return _view(await self._store.transact(run))

    async def describe(self, scope: Scope, params: Params) -> Params:
        """DescribeBot."""
        return _view(await self._store.read(lambda tx: require_bot(tx, scope, params["botId"])))

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListBots."""

        def run(tx: Transaction) -> list[dict[str, Any]]:
            return [
                {**_view(each), "latestBotVersion": _latest(tx, each)}
                for each in tx.documents.list_in(SERVICE, scope, BOT)
            ]

        names = (
            *("botId", "botName", "description", "botStatus", "botType"),
            *("lastUpdatedDateTime", "latestBotVersion"),
        )
        found = await self._store.read(run)
        items = [{name: each[name] for name in names if name in each} for each in found]
        named = {"BotName": "botName", "BotType": "botType"}
        listed, more = page(params, items, lambda item: item["botName"], named=named, sorts=named)
        return {"botSummaries": listed, **more}

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteBot, with everything that belongs to it."""

        def run(tx: Transaction) -> None:
            found = require_bot(tx, scope, params["botId"])
            tx.locks.root(found.root)
            aliases = tx.documents.list_of(found.root, ALIAS)
            if len(aliases) > 1 and not params.get("skipResourceInUseCheck"):
                raise precondition(
                    f"The bot {found.id} has aliases. Delete them first, or set"
                    " skipResourceInUseCheck."
                )
            tx.documents.delete_all(found.root)
            tx.lex_sessions.delete_bot(found.root)

        await self._store.transact(run)
        return {"botId": params["botId"], "botStatus": "Deleting"}

    async def create_version(self, scope: Scope, params: Params) -> Params:
        """CreateBotVersion: a copy of locales that are built."""
        sources = {
            locale: details["sourceBotVersion"]
            for locale, details in params["botVersionLocaleSpecification"].items()
        }
        now = self._clock.now()

        def run(tx: Transaction) -> Document:
            bot = require_bot(tx, scope, params["botId"])
            tx.locks.root(bot.root)
            numbers = [int(each.id) for each in tx.documents.list_of(bot.root, VERSION)]
            if len(numbers) >= _VERSIONS_MAX:
                raise quota(f"A bot has at most {_VERSIONS_MAX} versions.")
            number = str(max([bot.body.get("_last", 0), *numbers]) + 1)
            for locale, source in sources.items():
                copied = _source(tx, bot, locale, source)
                tx.documents.put(bot.root, LOCALE, locale_id(number, locale), copied)
            given = {name: bot.body[name] for name in _GIVEN if name in bot.body}
            given.pop("description", None)
            if "description" in params:
                given["description"] = params["description"]
            made = {"_created": now, "_changed": now, "_token": params.get(TOKEN_TAG, "")}
            body = {**given, **made}
            tx.documents.put(bot.root, BOT, bot.id, {**bot.body, "_last": int(number)})
            return tx.documents.put(bot.root, VERSION, number, body)

        made = await self._store.transact(run)
        described = {"description": params["description"]} if "description" in params else {}
        return {
            **{"botId": made.root.id, "botVersion": made.id, **described},
            "botVersionLocaleSpecification": params["botVersionLocaleSpecification"],
            **{"botStatus": "Available", "creationDateTime": moment(now)},
        }

    async def describe_version(self, scope: Scope, params: Params) -> Params:
        """DescribeBotVersion."""
        bot, version = params["botId"], params["botVersion"]
        found = await self._store.read(lambda tx: require_version(tx, scope, bot, version))
        view = _view(found, bot)
        for name in ("lastUpdatedDateTime", "errorLogSettings"):
            view.pop(name, None)
        return {**view, "botVersion": version}

    async def list_versions(self, scope: Scope, params: Params) -> Params:
        """ListBotVersions: the draft and the numbered ones."""

        def run(tx: Transaction) -> list[tuple[str, Body]]:
            bot = require_bot(tx, scope, params["botId"])
            numbered = tx.documents.list_of(bot.root, VERSION)
            return [(DRAFT, bot.body), *((each.id, each.body) for each in numbered)]

        items = [
            {
                **{"botName": body["botName"], "botVersion": version, "botStatus": "Available"},
                **({"description": body["description"]} if "description" in body else {}),
                "creationDateTime": moment(body["_created"]),
                **({TOKEN_TAG: body["_token"]} if body.get("_token") else {}),
            }
            for version, body in await self._store.read(run)
        ]
        listed, more = page(params, items, lambda item: item["botVersion"].zfill(6))
        return {"botId": params["botId"], "botVersionSummaries": listed, **more}

    async def delete_version(self, scope: Scope, params: Params) -> Params:
        """DeleteBotVersion."""
        bot, version = params["botId"], params["botVersion"]

        def run(tx: Transaction) -> None:
            found = require_version(tx, scope, bot, version)
            tx.locks.root(found.root)
            aliases = tx.documents.list_of(found.root, ALIAS)
            used = [each.id for each in aliases if each.body.get("botVersion") == version]
            if used and not params.get("skipResourceInUseCheck"):
                raise precondition(f"The aliases {', '.join(used)} use version {version}.")
            for each in locales_of(tx, scope, bot, version):
                tx.documents.delete(each.root, LOCALE, each.id)
            tx.documents.delete(found.root, VERSION, version)

        if version == DRAFT:
            raise invalid("The draft of a bot is deleted with the bot.")
        await self._store.transact(run)
        return {"botId": bot, "botVersion": version, "botStatus": "Deleting"}

    async def tag(self, scope: Scope, params: Params) -> Params:
        """TagResource, UntagResource."""
        root, kind, id = tagged(scope, params["resourceARN"])
        added, removed = params.get("tags") or {}, params.get("tagKeys") or ()

        def run(tx: Transaction) -> None:
            tx.locks.root(root)
            body = require(tx, root, kind, id, "The resource").body
            tags = plain_tags.changed(
                body.get("_tags") or {}, added, removed, code="ServiceQuotaExceededException"
            )
            tx.documents.put(root, kind, id, {**body, "_tags": tags})

        await self._store.transact(run)
        return {}

    async def tags(self, scope: Scope, params: Params) -> Params:
        """ListTagsForResource."""
        place = tagged(scope, params["resourceARN"])
        found = await self._store.read(lambda tx: require(tx, *place, "The resource"))
        return {"tags": found.body.get("_tags") or {}}


def add_bot(tx: Transaction, scope: Scope, params: Params, now: float) -> Document:
    """Make a bot with its test alias. Raises `ApiError`."""
    given = _given(params)
    tx.locks.scope(scope)
    _check_name(tx, scope, given["botName"])
    if len(tx.documents.list_in(SERVICE, scope, BOT)) >= _BOTS_MAX:
        raise quota(f"An account has at most {_BOTS_MAX} bots in a Region.")
    id = new_id()
    root, made = root_of(scope, id), {"_created": now, "_changed": now}
    test = {
        **{"botAliasName": "TestBotAlias", "botVersion": DRAFT, **made},
        **{"description": "test bot alias", "_tags": params.get("testBotAliasTags") or {}},
    }
    tx.documents.put(root, ALIAS, TEST_ALIAS, test)
    body = {"botType": "Bot", **given, **made, "_tags": params.get("botTags") or {}}
    return tx.documents.put(root, BOT, id, body)


def find_bot_by_name(tx: Transaction, scope: Scope, name: str) -> Document | None:
    """The bot of an account with this name."""
    listed = tx.documents.list_in(SERVICE, scope, BOT)
    return next((each for each in listed if each.body["botName"] == name), None)


def _check_name(tx: Transaction, scope: Scope, name: str, but: str = "") -> None:
    found = find_bot_by_name(tx, scope, name)
    if found is not None and found.id != but:
        raise precondition(f"There is a bot {name} already.")


def _given(params: Params) -> dict[str, Any]:
    if params.get("botType") == "BotNetwork" or params.get("botMembers"):
        raise invalid("Networks of bots are not offered.")
    return {name: params[name] for name in _GIVEN if name in params}


def _source(tx: Transaction, bot: Document, locale: str, source: str) -> dict[str, Any]:
    kept = BUILT if source == DRAFT else source
    draft = tx.documents.get(bot.root, LOCALE, locale_id(source, locale))
    found = tx.documents.get(bot.root, LOCALE, locale_id(kept, locale))
    if draft is None:
        raise missing(f"The locale of version {source}", locale)
    if found is None or draft.body["botLocaleStatus"] != "Built":
        raise precondition(f"The locale {locale} is not built. Build it first.")
    return {**found.body, "_revision": new_id()}


def _latest(tx: Transaction, bot: Document) -> str:
    numbers = [int(each.id) for each in tx.documents.list_of(bot.root, VERSION)]
    return str(max(numbers)) if numbers else DRAFT


def _view(found: Document, bot: str = "") -> dict[str, Any]:
    return {
        "botId": bot or found.id,
        **shown(found.body),
        "botStatus": "Available",
        **times(found.body),
    }
