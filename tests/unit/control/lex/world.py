"""Bots on a store, with functions and time that the test controls."""

import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lambent.control.lex.ports import CallHook, Heard
from lambent.control.lex.room import LexBots, open_lex_bots
from lambent.gateway.services.lexv2_models.reading import read_input
from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.store.settings import StoreSettings
from lambent.store.store import Store, open_store
from lambent.triggers.lex.understanding import understand
from tests.exported_bot import ROLE

HERE = Scope(AccountId("111111111111"), Region("us-east-1"))
FUNCTION = "arn:aws:lambda:us-east-1:111111111111:function:f"
PLACE = {"botAliasId": "TSTALIASID", "localeId": "en_US"}
Answer = Callable[[dict[str, Any]], Any]


async def understand_here(
    locale_id: str,
    document: bytes,
    text: str,
    *,
    today: str,
    contexts: Sequence[str],
    slot: tuple[str, str] | None,
) -> Heard:
    """An `Understand` without processes."""
    return understand(locale_id, document, text, today, tuple(contexts), slot)


class Hook:
    """The function of all bots: `answer` makes its response, or raises."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.answer: Answer = delegate

    async def __call__(self, scope: Scope, alias_arn: str, function: str, event: bytes) -> bytes:
        document = json.loads(event)
        self.events.append(document)
        return json.dumps(self.answer(document)).encode()


def delegate(event: dict[str, Any]) -> Any:
    """Lets the bot go on; fulfills what is to be fulfilled."""
    state = event["sessionState"]
    if event["invocationSource"] == "FulfillmentCodeHook":
        state["intent"]["state"] = "Fulfilled"
    return {"sessionState": {**state, "dialogAction": {"type": "Delegate"}}}


@dataclasses.dataclass
class World:
    """The use cases, and what they call."""

    store: Store
    clock: ManualClock
    hook: Hook
    lex: LexBots
    bot: str = ""
    function: CallHook | None = None
    """Is called instead of `hook`."""

    async def call(self, scope: Scope, alias_arn: str, function: str, event: bytes) -> bytes:
        """The function of all bots."""
        return await (self.function or self.hook)(scope, alias_arn, function, event)

    async def another_platform(self) -> "World":
        """One on the same database."""
        other = World(self.store, self.clock, self.hook, self.lex, self.bot)
        other.lex = await open_rooms(other)
        return other

    async def import_bot(self, data: bytes, *, function: str | None = FUNCTION) -> str:
        """Import and build a bot."""
        url = (await self.lex.transfers.create_upload_url(HERE, {}, "http://x"))["uploadUrl"]
        await self.lex.transfers.upload(url.removeprefix("http://x"), data)
        (waiting,) = await self.store.read(
            lambda tx: [
                each.id
                for each in tx.documents.everywhere("lex", "import")
                if each.body["importStatus"] == "Waiting"
            ]
        )
        specification = {
            **{"botName": f"bot-{waiting}", "roleArn": ROLE},
            "dataPrivacy": {"childDirected": False},
        }
        params = {
            **{"importId": waiting, "mergeStrategy": "FailOnConflict"},
            "resourceSpecification": {"botImportSpecification": specification},
        }
        await self.lex.transfers.start_import(HERE, params)
        found = await self.lex.transfers.describe_import(HERE, {"importId": waiting})
        assert found["importStatus"] == "Completed", found
        self.bot = found["importedResourceId"]
        locale = {"botId": self.bot, "botVersion": "DRAFT", "localeId": "en_US"}
        await self.lex.locales.build(HERE, locale)
        described = await self.lex.locales.describe(HERE, locale)
        assert described["botLocaleStatus"] == "Built", described
        if function is not None:
            hook = {"lambdaARN": function, "codeHookInterfaceVersion": "1.0"}
            setting = {"enabled": True, "codeHookSpecification": {"lambdaCodeHook": hook}}
            await self.lex.aliases.update(
                HERE,
                {
                    **{"botId": self.bot, "botAliasId": "TSTALIASID"},
                    "botAliasName": "TestBotAlias",
                    "botAliasLocaleSettings": {"en_US": setting},
                },
            )
        return self.bot

    async def say(self, text: str, session: str = "s1", **more: Any) -> Any:
        """RecognizeText."""
        params = {"botId": self.bot, **PLACE, "sessionId": session, "text": text, **more}
        return await self.lex.conversations.recognize_text(HERE, params)

    async def hears(self, text: str, session: str = "s1", **more: Any) -> list[str]:
        """What the bot says to a text."""
        said = await self.say(text, session, **more)
        return [each["content"] for each in said["messages"]]


async def open_rooms(world: World) -> LexBots:
    """The use cases, which say the first of several messages."""
    ports = (world.store, world.clock, world.call, understand_here, read_input)
    return await open_lex_bots(*ports, choose=lambda count: 0)


@asynccontextmanager
async def living(settings: StoreSettings, directory: Path) -> AsyncIterator[World]:
    """Bots in a directory."""
    async with open_store(settings, directory) as store:
        unopened: Any = None
        world = World(store, ManualClock(1_796_000_000.0), Hook(), unopened)
        world.lex = await open_rooms(world)
        yield world
