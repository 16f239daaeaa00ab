"""Locales of bots: settings, builds, and what conversations run."""

import dataclasses
import itertools
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import orjson

from lambent.control.lex.listing import page
from lambent.control.lex.naming import (
    BUILT,
    DRAFT,
    LOCALE,
    LOCALE_NAMES,
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
    times,
)
from lambent.kit.clock import Clock
from lambent.kit.computing import computed
from lambent.model.arn import Scope
from lambent.model.document import Body, Document
from lambent.model.errors import ApiError
from lambent.model.lex.conditions import faults_of
from lambent.model.lex.locale import Locale, LocaleInvalid, compile_locale
from lambent.store.store import Store, Transaction

LOCALE_BYTES_MAX = 8 << 20
_LOCALES_MAX = 30
_COMPILED_MAX = 64
_REASONS_MAX = 20
SETTINGS = (
    *("description", "nluIntentConfidenceThreshold", "voiceSettings", "generativeAISettings"),
    *("speechDetectionSensitivity", "unifiedSpeechSettings", "audioFillerSettings"),
    *("speechRecognitionSettings", "speakerDiarizationSettings"),
)
"""Members of requests that are settings of a locale."""
NOT_LEARNED = (
    "This locale matches the utterances as they are written; it has no machine learning. Add"
    " utterances for what it does not understand."
)


@dataclasses.dataclass(frozen=True, slots=True)
class Compiled:
    """A locale that conversations run."""

    locale: Locale
    document: bytes
    """What it is made of, as JSON."""


def require_version(tx: Transaction, scope: Scope, bot: str, version: str) -> Document:
    """A bot, or a version of it. Raises `ResourceNotFoundException`."""
    found = require_bot(tx, scope, bot)
    if version == DRAFT:
        return found
    return require(tx, found.root, VERSION, version, f"The version of bot {bot}")


def require_locale(tx: Transaction, scope: Scope, bot: str, version: str, locale: str) -> Document:
    """A locale. Raises `ResourceNotFoundException`."""
    require_version(tx, scope, bot, version)
    root = root_of(scope, bot)
    return require(tx, root, LOCALE, locale_id(version, locale), f"The locale of bot {bot}")


def locales_of(tx: Transaction, scope: Scope, bot: str, version: str) -> list[Document]:
    """All locales of a version."""
    listed = tx.documents.list_of(root_of(scope, bot), LOCALE)
    return [each for each in listed if each.id.startswith(f"{version}/")]


class Locales:
    """See the module. All use cases raise `ApiError`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._compiled: OrderedDict[str, Compiled] = OrderedDict()

    async def create(self, scope: Scope, params: Params) -> Params:
        """CreateBotLocale."""
        locale = params["localeId"]

        def run(tx: Transaction) -> Document:
            bot = require_bot(tx, scope, params["botId"])
            tx.locks.root(bot.root)
            if tx.documents.get(bot.root, LOCALE, locale_id(DRAFT, locale)) is not None:
                raise precondition(f"The locale {locale} of bot {bot.id} already exists.")
            if len(locales_of(tx, scope, bot.id, DRAFT)) >= _LOCALES_MAX:
                raise quota(f"A bot has at most {_LOCALES_MAX} locales.")
            return put_locale(tx, bot, new_locale(locale, params, self._clock.now()))

        return _view(await self._store.transact(run))

    async def update(self, scope: Scope, params: Params) -> Params:
        """UpdateBotLocale."""

        def change(body: dict[str, Any]) -> None:
            kept = {name: value for name, value in body.items() if name not in SETTINGS}
            body.clear()
            body.update(kept, **settings_in(params))

        return _view(await self.change(scope, params, change))

    async def delete(self, scope: Scope, params: Params) -> Params:
        """DeleteBotLocale."""

        def run(tx: Transaction) -> None:
            found = require_locale(tx, scope, params["botId"], DRAFT, params["localeId"])
            tx.documents.delete(found.root, LOCALE, found.id)
            tx.documents.delete(found.root, LOCALE, locale_id(BUILT, params["localeId"]))

        await self._store.transact(run)
        return {**_keys(params), "botLocaleStatus": "Deleting"}

    async def describe(self, scope: Scope, params: Params) -> Params:
        """DescribeBotLocale."""
        return _view(await self.read(scope, params), is_full=True)

    async def list(self, scope: Scope, params: Params) -> Params:
        """ListBotLocales."""

        def run(tx: Transaction) -> list[Document]:
            require_version(tx, scope, params["botId"], params["botVersion"])
            return locales_of(tx, scope, params["botId"], params["botVersion"])

        found = [_view(each) for each in await self._store.read(run)]
        names = (
            *("localeId", "localeName", "description", "botLocaleStatus", "lastUpdatedDateTime"),
            "lastBuildSubmittedDateTime",
        )
        items = [{name: each[name] for name in names if name in each} for each in found]
        named = {"BotLocaleName": "localeName"}
        shown, more = page(
            *(params, items, lambda item: item["localeId"]), named=named, sorts=named
        )
        keys = {name: params[name] for name in ("botId", "botVersion")}
        return {**keys, "botLocaleSummaries": shown, **more}

    async def build(self, scope: Scope, params: Params) -> Params:
        """BuildBotLocale: check the locale and make it what conversations run."""
        found = await self.read(scope, params)
        reasons = await computed(_faults, params["localeId"], found.body)
        now = self._clock.now()

        def run(tx: Transaction) -> Document:
            tx.locks.root(found.root)
            body = dict(require(tx, found.root, LOCALE, found.id, "The locale").body)
            if body["_revision"] != found.body["_revision"]:
                raise precondition("The locale was changed while it was built. Build it again.")
            status = "Failed" if reasons else "Built"
            body |= {"botLocaleStatus": status, "failureReasons": reasons, "_built": now}
            if not reasons:
                id = locale_id(BUILT, params["localeId"])
                tx.documents.put(found.root, LOCALE, id, body)
            return tx.documents.put(found.root, LOCALE, found.id, body)

        done = await self._store.transact(run)
        return {
            **_keys(params),
            "botLocaleStatus": done.body["botLocaleStatus"],
            "lastBuildSubmittedDateTime": moment(now),
        }

    async def read(self, scope: Scope, params: Params) -> Document:
        """The locale of a request."""
        keys = (params["botId"], params.get("botVersion", DRAFT), params["localeId"])
        return await self._store.read(lambda tx: require_locale(tx, scope, *keys))

    async def change(
        self, scope: Scope, params: Params, change: Callable[[dict[str, Any]], None]
    ) -> Document:
        """Change the draft of a locale. `change` gets the body."""
        now = self._clock.now()

        def run(tx: Transaction) -> Document:
            bot = require_bot(tx, scope, params["botId"])
            tx.locks.root(bot.root)
            found = require_locale(tx, scope, bot.id, DRAFT, params["localeId"])
            body = orjson.loads(orjson.dumps(found.body))
            change(body)
            body |= {"botLocaleStatus": "NotBuilt", "_changed": now, "_revision": new_id()}
            return put_locale(tx, bot, body)

        return await self._store.transact(run)

    async def compiled(self, found: Document) -> Compiled:
        """A locale's document, ready for conversations."""
        key = f"{found.root}/{found.id}/{found.body['_revision']}"
        known = self._compiled.get(key)
        if known is None:
            try:
                known = await computed(_compile, found)
            except LocaleInvalid as error:
                raise ApiError("BadGatewayException", error.args[0], status=502) from None
            self._compiled[key] = known
            if len(self._compiled) > _COMPILED_MAX:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return known


def _faults(locale: str, body: Body) -> list[str]:
    """Why a locale cannot be built."""
    try:
        compile_locale(locale, body)
    except LocaleInvalid as error:
        return list(error.args)
    return list(itertools.islice(faults_of(body["intents"]), _REASONS_MAX))


def _compile(found: Document) -> Compiled:
    names = ("intents", "slotTypes", "nluIntentConfidenceThreshold")
    document = {name: found.body[name] for name in names if name in found.body}
    locale = found.id.partition("/")[2]
    return Compiled(compile_locale(locale, found.body), orjson.dumps(document))


def new_locale(locale: str, params: Params, now: float) -> dict[str, Any]:
    """The body of a locale without intents."""
    if locale not in LOCALE_NAMES:
        raise invalid(f"The locale {locale} is not one of Lex.")
    return {
        "localeId": locale,
        **settings_in(params),
        "botLocaleStatus": "NotBuilt",
        **{"intents": {}, "slotTypes": {}},
        **{"_created": now, "_changed": now, "_revision": new_id()},
    }


def settings_in(params: Params) -> dict[str, Any]:
    """The settings of a locale in a request."""
    return {name: params[name] for name in SETTINGS if name in params}


def put_locale(tx: Transaction, bot: Document, body: Body) -> Document:
    """Store the draft of a locale. Raises `ApiError` if it is too large."""
    if len(orjson.dumps(body)) > LOCALE_BYTES_MAX:
        raise quota(f"A locale has at most {LOCALE_BYTES_MAX} bytes.")
    return tx.documents.put(bot.root, LOCALE, locale_id(DRAFT, body["localeId"]), body)


def runnable(tx: Transaction, scope: Scope, bot: str, version: str, locale: str) -> Document:
    """What conversations with a version run. Raises `ApiError` if it is not built."""
    kept = BUILT if version == DRAFT else version
    found = tx.documents.get(root_of(scope, bot), LOCALE, locale_id(kept, locale))
    if found is not None:
        return found
    if tx.documents.get(root_of(scope, bot), LOCALE, locale_id(version, locale)) is None:
        raise missing(f"The locale of version {version} of bot {bot}", locale)
    raise ApiError(
        "BadGatewayException", f"The locale {locale} of bot {bot} is not built.", status=502
    )


def _keys(params: Params) -> dict[str, Any]:
    return {name: params[name] for name in ("botId", "localeId")} | {"botVersion": DRAFT}


def _view(found: Document, *, is_full: bool = False) -> dict[str, Any]:
    version, _, locale = found.id.partition("/")
    body = found.body
    view = {
        **{"botId": found.root.id, "botVersion": version, "localeId": locale},
        "localeName": LOCALE_NAMES.get(locale, locale),
        **settings_in(body),
        "botLocaleStatus": body["botLocaleStatus"],
        **times(body),
    }
    if "_built" in body:
        view["lastBuildSubmittedDateTime"] = moment(body["_built"])
    if is_full:
        view["intentsCount"], view["slotTypesCount"] = len(body["intents"]), len(body["slotTypes"])
        view["failureReasons"] = body.get("failureReasons") or []
        view["recommendedActions"] = [NOT_LEARNED]
    return view
