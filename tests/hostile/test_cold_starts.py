"""Attempts to keep the launcher waiting: every function's next environment comes from it."""

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.hostile.cases import params
from tests.hostile.conftest import StartFunction
from tests.platforms import deploy, invoke, publish_layer
from tests.yardstick import allowing

COLD_START_MAX_S = 2.0
"""Seconds for a call of a neighbor, whatever a function does; on two busy cores."""
ECHO = {"app.py": "def handler(event, context):\n    return event\n"}
WAITS = "#!/bin/sh\nexec sleep 100\n"
STOPS_OTHERS = """#!/bin/sh
n=0
while [ $n -lt 300000 ]; do kill -STOP -1; n=$((n + 1)); done
"""
KEEPS_BUSY = "#!/bin/sh\n" + "(while :; do :; done) &\n" * 40 + "sleep 3\n"
"""Both end soon, which ends the init that they are part of, and begins the next."""
FIRST_EXTENSIONS = {"stop-who-enters": (STOPS_OTHERS, 4), "crowd-out-who-enters": (KEEPS_BUSY, 1)}
"""The number of functions with it: the attacks aim at moments."""


class Newcomers:
    """Well-behaved functions of another customer that have never been called."""

    def __init__(self, client: Any, prefix: str, count: int) -> None:
        self._client = client
        self._names = [f"{prefix}-{number}" for number in range(count)]
        for name in self._names:
            deploy(client, name, ECHO, MemorySize=128)

    def call_during(self, attack: Callable[[], Any]) -> list[float]:
        """Call one after the other while the attack lasts; returns the duration of each, in
        seconds."""
        took = []
        attacker = threading.Thread(target=attack)
        attacker.start()
        try:
            while self._names:
                began = time.monotonic()
                payload, _ = invoke(self._client, self._names.pop(), "hello")
                took.append(time.monotonic() - began)
                assert payload == "hello"
                time.sleep(0.1)  # noqa: TID251 - attacks take their time
        finally:
            attacker.join()
        return took


@pytest.fixture
def newcomers(lambda_client: Any) -> Newcomers:
    """Eight for each attack."""
    return Newcomers(lambda_client, f"newcomer-{next(_numbers)}", 8)


_numbers = itertools.count()


@pytest.mark.parametrize("attack_by", params(*FIRST_EXTENSIONS))
def test_what_enters_a_box_is_kept_from_it(
    lambda_client: Any, start: StartFunction, newcomers: Newcomers, attack_by: str
) -> None:
    """An extension that stops, or crowds out, the processes that enter its box affects only
    itself."""
    first, count = FIRST_EXTENSIONS[attack_by]
    extensions = {"extensions/a": first, **{f"extensions/{name}": WAITS for name in "bcdefghij"}}
    layer = publish_layer(lambda_client, "stops", extensions)
    attackers = [start(Layers=[layer], Timeout=3) for _ in range(count)]

    def attack() -> None:
        threads = [
            threading.Thread(target=attacker.try_to, args=["attempts.here"])
            for attacker in attackers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with allowing(COLD_START_MAX_S) as most_s:
        took = newcomers.call_during(attack)
    assert max(took) < most_s(), took
