"""Environments created from each other's memory, or at the same moment, share no random value."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.cases import case, params
from tests.hostile.conftest import StartFunction
from tests.hostile.host import Box

COUNT = 10


@pytest.fixture(scope="module")
def drawn(start: StartFunction, mode: str) -> list[tuple[Box, dict[str, Any]]]:
    """What ten environments of one function drew at the same time, and their boxes."""
    function = start(mode, MemorySize=1769)
    for patience_s in (1, 4, 8):
        until = time.time() + patience_s
        with ThreadPoolExecutor(COUNT) as pool:
            calls = [
                pool.submit(function.try_to, "chances.draw", until=until) for _ in range(COUNT)
            ]
            payloads = [call.result()[0] for call in calls]
        if len({payload["box"] for payload in payloads}) == COUNT:
            return [(Box(payload["box"]), payload["result"]) for payload in payloads]
    raise AssertionError(f"there never were {COUNT} environments at once")


KINDS = (
    "random-module",
    "random-own-generator",
    "random-secrets",
    "random-uuid",
    "random-urandom",
    "random-openssl",
    "random-tempfile",
    "random-credentials",
)


@pytest.mark.parametrize("kind", params(*KINDS))
def test_chance_is_not_shared(drawn: list[tuple[Box, dict[str, Any]]], kind: str) -> None:
    """Ten environments, ten values; on the host ten boxes of ten users."""
    assert len({box.uid for box, _ in drawn}) == COUNT
    assert len({values[kind] for _, values in drawn}) == COUNT


@case("own-address-space")
def test_executed_functions_share_no_layout(
    drawn: list[tuple[Box, dict[str, Any]]], mode: str
) -> None:
    """With `LAMBENT_START_MODE=exec`, each has its own addresses and hash seed. Forked from one
    zygote they share both: the same layout in all ten, by design and as documented."""
    stacks = set()
    for box, _ in drawn:
        maps = Path(f"/proc/{box.functions()[0]}/maps").read_text().splitlines()
        stacks.add(next(line.split("-")[0] for line in maps if line.endswith("[heap]")))
    seeds = {values["hash"] for _, values in drawn}
    if mode == "exec":
        assert len(stacks) == len(seeds) == COUNT
    else:
        assert len(seeds) <= COUNT
