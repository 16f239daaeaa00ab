"""Texts are understood in other processes, in bounded time."""

import json
import sys

import anyio
import pytest

from lambent.model.errors import ApiError
from lambent.triggers.lex.understanding import Processes

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
BODY = json.dumps(
    {
        "intents": {
            "1": {"intentName": "Go", "sampleUtterances": [{"utterance": "go"}], "slots": {}}
        },
        "slotTypes": {},
    }
).encode()


async def test_a_text_is_understood_elsewhere() -> None:
    """The platform itself never loads the matcher."""
    processes = Processes()
    loaded = "hassil" in sys.modules
    arguments = {"today": "2026-11-30", "contexts": (), "slot": None}
    heard = await processes("en_US", BODY, "Go!", **arguments)  # type: ignore[arg-type]
    assert [(each.intent, each.score) for each in heard.intents] == [("Go", 1.0)]
    assert ("hassil" in sys.modules) is loaded


async def test_what_takes_too_long_is_ended() -> None:
    """And the next text is understood."""
    arguments = {"today": "2026-11-30", "contexts": (), "slot": None}
    with pytest.raises(ApiError, match="too long") as failed:
        await Processes(deadline_s=1e-9)("en_US", BODY, "go", **arguments)  # type: ignore[arg-type]
    assert (failed.value.code, failed.value.status) == ("ThrottlingException", 429)
    assert (await Processes()("en_US", BODY, "go", **arguments)).intents  # type: ignore[arg-type]


async def test_a_flood_is_refused() -> None:
    """Two texts at once are matched, and some wait; further ones are refused at once."""
    processes = Processes()
    refused = 0

    async def say() -> None:
        nonlocal refused
        try:
            await processes("en_US", BODY, "go", today="2026-11-30", contexts=(), slot=None)
        except ApiError as error:
            assert error.code == "ThrottlingException"
            refused += 1

    async with anyio.create_task_group() as tasks:
        for _ in range(300):
            tasks.start_soon(say)
    assert refused == 300 - 256
