"""Sessions outlive the platform, end when nothing is said, and serve one request at a time."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from lambent.control.lex.naming import root_of
from lambent.model.errors import ApiError
from lambent.store.lex_sessions import SessionKey
from tests.exported_bot import boats
from tests.unit.control.lex.conftest import QUICK
from tests.unit.control.lex.world import HERE, PLACE, World, living

pytestmark = pytest.mark.anyio


async def get(world: World) -> Any:
    params = {"botId": world.bot, **PLACE, "sessionId": "s1"}
    return await world.lex.conversations.get_session(HERE, params)


async def test_a_session_ends(everywhere: World) -> None:
    """When nothing was said for as long as the bot says; each text begins that time again."""
    world = everywhere
    await world.import_bot(boats())
    await world.say("rent a boat")
    world.clock.advance(299)
    await world.say("canoe")
    world.clock.advance(299)
    assert (await get(world))["sessionState"]["intent"]["slots"]["BoatType"] is not None
    world.clock.advance(2)
    with pytest.raises(ApiError, match="not found"):
        await get(world)
    assert await world.hears("3") == ["I rent boats."]


async def test_a_session_outlives_the_platform(tmp_path: Path, template: Path) -> None:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    async with living(QUICK, tmp_path) as world:
        bot = await world.import_bot(boats())
        await world.say("rent a boat")
    async with living(QUICK, tmp_path) as again:
        again.bot = bot
        assert await again.hears("canoe") == ["For how many hours?"]


async def test_requests_of_a_session_exclude_each_other(world: World) -> None:
    """A request that comes while a function runs is refused; the session goes on."""
    await world.import_bot(boats(dialogCodeHook={"enabled": True}))
    refused: list[str] = []

    async def slowly(*arguments: Any) -> bytes:
        try:
            await world.say("canoe")
        except ApiError as error:
            refused.append(error.code)
        return await world.hook(*arguments)

    world.function = slowly
    said = await world.say("rent a boat")
    assert refused == ["ConflictException"]
    assert said["sessionState"]["dialogAction"]["slotToElicit"] == "BoatType"


async def test_another_platform_has_written(world: World) -> None:
    """What was said in between is not lost."""
    await world.import_bot(boats(dialogCodeHook={"enabled": True}))
    await world.say("rent a boat")

    async def meanwhile(*arguments: Any) -> bytes:
        world.function = world.hook
        second = await world.another_platform()
        await second.say("canoe")
        return await world.hook(*arguments)

    world.function = meanwhile
    with pytest.raises(ApiError) as failed:
        await world.say("sailing boat")
    assert (failed.value.code, failed.value.status) == ("ConflictException", 409)
    slots = (await get(world))["sessionState"]["intent"]["slots"]
    assert slots["BoatType"]["value"]["interpretedValue"] == "canoe"


async def test_what_a_client_says_of_the_state(world: World) -> None:
    """Is taken over if the bot has such an intent and such slots."""
    await world.import_bot(boats())
    for intent in ({"name": "Fly"}, {"name": "RentBoat", "slots": {"Wings": None}}):
        with pytest.raises(ApiError, match="has no") as failed:
            await world.say("hello", sessionState={"intent": intent})
        assert failed.value.code == "ValidationException"
    state = {
        "activeContexts": [
            {
                "name": "rented",
                "timeToLive": {"timeToLiveInSeconds": 60, "turnsToLive": 1},
                "contextAttributes": {},
            }
        ]
    }
    assert await world.hears("stay longer", sessionState=state) == ["One hour more."]
    assert await world.hears("stay longer") == ["I rent boats."]
    huge = {"sessionAttributes": {"a": "b" * 60_000}}
    with pytest.raises(ApiError, match="at most"):
        await world.say("hello", sessionState=huge)


async def test_sessions_go_with_their_bot(world: World) -> None:
    await world.import_bot(boats())
    await world.say("rent a boat")
    await world.lex.bots.delete(HERE, {"botId": world.bot})

    key = SessionKey(root_of(HERE, world.bot), "TSTALIASID", "en_US", "s1")
    now = world.clock.now()
    assert await world.store.read(lambda tx: tx.lex_sessions.get(key, now)) is None
