"""Functions that talk to the Runtime API themselves: they affect only themselves."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.model.limits import REQUEST_BYTES_MAX
from tests.hostile import host
from tests.hostile.cases import case
from tests.hostile.conftest import Function, Neighbour, StartFunction
from tests.hostile.host import Box
from tests.platforms import Platform, wait_for

MEMORY_MAX_KB = 64 * 1024
"""Bytes that one function may make the platform keep, with a margin."""
DESCRIPTORS_MAX = 1500


@pytest.fixture
def attacker(start: StartFunction, mode: str) -> Iterator[Function]:
    """A separate function for each forgery."""
    function = start(mode, MemorySize=1024)
    function.do("attempts.here")
    yield function
    function.delete()


@pytest.fixture
def plain(start: StartFunction) -> Iterator[Function]:
    """One function for attacks that do not depend on the start mode."""
    function = start(MemorySize=1024)
    function.do("attempts.here")
    yield function
    function.delete()


def memory_kb(platform: Platform) -> int:
    """Memory of the platform's process."""
    return int(host.status_of(platform.process.pid)["VmRSS"].split()[0])


def descriptors(platform: Platform) -> int:
    """How many descriptors the platform has."""
    return len(os.listdir(f"/proc/{platform.process.pid}/fd"))


def request_id(answer: dict[str, Any]) -> str:
    """The id of an invocation."""
    return str(answer["ResponseMetadata"]["RequestId"])


@case("answer-others")
def test_a_runtime_responds_only_to_its_own_request(
    attacker: Function, neighbour: Neighbour
) -> None:
    """Other ids are refused; the caller gets the true response, and so does the neighbor."""
    _, other = neighbour.function.try_to("attempts.echo", value=1)
    with neighbour.watched():
        statuses = attacker.do("forgeries.answer_others", ids=[request_id(other)])
    assert not {"200", "202"} & set(statuses)
    assert attacker.do("attempts.echo", value="true") == "true"


@case("answer-twice")
def test_a_second_answer_counts_for_nothing(attacker: Function, neighbour: Neighbour) -> None:
    """The first response is the function's; the next invocation has its own."""
    with neighbour.watched():
        payload, _ = attacker.try_to("forgeries.answer_twice")
        assert payload == {"forged": 1}
        # The runtime may fail because its response was refused.
        payload, _ = attacker.try_to("attempts.echo", value=1)
        assert payload.get("result") == 1 or payload["errorType"] == "Runtime.ExitError"
        for value in range(3):
            assert attacker.do("attempts.echo", value=value) == value


@case("answer-late")
def test_a_late_response_reaches_no_caller(start: StartFunction, mode: str) -> None:
    """After its timeout a request has its response, whatever arrives then."""
    function = start(mode, Timeout=1)
    payload, _ = function.try_to("forgeries.remember")
    assert payload["errorType"] == "Sandbox.Timedout"
    statuses = function.do("forgeries.answer_late")
    assert set(statuses) == {"400"}
    assert function.do("attempts.echo", value="next") == "next"


@case("next-while-running")
def test_asking_again_returns_the_own_event(attacker: Function, neighbour: Neighbour) -> None:
    """Only its own, however often it asks; the response still reaches the caller."""
    with neighbour.watched():
        assert attacker.do("forgeries.ask_while_running", count=20) == [True] * 20
    assert attacker.do("attempts.echo", value=2) == 2


@case("steal-events")
def test_events_stolen_from_the_own_runtime(
    start: StartFunction, neighbour: Neighbour, platform: Platform
) -> None:
    """A function whose threads take its events ends in its own timeouts, in its own box."""
    function = start(Timeout=1, MemorySize=512)
    function.do("forgeries.compete")
    box = Box(function.last_namespace)
    with neighbour.watched():
        for value in range(2):
            payload, answer = function.try_to("attempts.echo", value=value)
            assert "FunctionError" in answer or payload["result"] == value
    function.delete()
    box.wait_gone()


@case("init-error-after-init")
def test_init_cannot_fail_when_it_is_over(attacker: Function) -> None:
    """Refused; the same environment continues to serve."""
    box = attacker.box()
    assert set(attacker.do("forgeries.fail_init")) == {"403"}
    assert attacker.box().namespace == box.namespace


@case("oversize-bodies")
def test_bodies_too_large_are_not_kept(plain: Function, platform: Platform) -> None:
    """Refused when their size is known; the platform's memory does not grow."""
    before = memory_kb(platform)
    statuses = plain.do("forgeries.oversize", megabytes=32)
    assert not {"200", "202"} & set(statuses)
    assert memory_kb(platform) - before < MEMORY_MAX_KB
    assert plain.do("attempts.echo", value=1) == 1


@case("unfinished-bodies")
def test_bodies_without_end_are_bounded(
    plain: Function, platform: Platform, neighbour: Neighbour
) -> None:
    """A hundred bodies that never end: together no more than two large requests."""
    before = memory_kb(platform)
    with neighbour.watched():
        plain.try_to("forgeries.hold_bodies", count=50, size=6 << 20)
        assert memory_kb(platform) - before < 2 * REQUEST_BYTES_MAX // 1024 + MEMORY_MAX_KB
    assert plain.do("attempts.echo", value=1) == 1


@case("unread-answers")
def test_untaken_responses_are_bounded(
    start: StartFunction, platform: Platform, neighbour: Neighbour
) -> None:
    """Sixty of 6 MB from the platform's API in the box: most are cut off. How long it takes to make
    them is the host's affair."""
    attacker, large = start(MemorySize=1024, Timeout=120), start(MemorySize=1769, Timeout=120)
    attacker.do("attempts.here")
    large.do("attempts.large")
    before = memory_kb(platform)
    with neighbour.watched(is_timed=False):
        attacker.do("forgeries.leave_answers", name=large.name, count=60)
        assert memory_kb(platform) - before < 2 * REQUEST_BYTES_MAX // 1024 + MEMORY_MAX_KB
    assert attacker.do("attempts.echo", value=1) == 1


@case("garbage-http")
def test_garbage_at_both_doors(plain: Function, neighbour: Neighbour, platform: Platform) -> None:
    """An error or silence; descriptors and memory are released."""
    before = memory_kb(platform), descriptors(platform)
    with neighbour.watched():
        answers = plain.do("forgeries.garbage", seed=20)
    assert not {"200", "202", "500"} & set(answers)
    assert memory_kb(platform) - before[0] < MEMORY_MAX_KB
    wait_for(lambda: descriptors(platform) <= before[1] + 20, "the end of its connections")
    assert plain.do("attempts.echo", value=1) == 1


@case("many-connections")
def test_connections_of_one_box_are_bounded(
    plain: Function, neighbour: Neighbour, platform: Platform
) -> None:
    """Thousands from many processes: the platform keeps some, and all its other endpoints work."""
    box = plain.box()
    before = descriptors(platform)
    with neighbour.watched():
        plain.try_to("forgeries.connect_many", processes=6, each=900)
        assert descriptors(platform) - before < DESCRIPTORS_MAX
    plain.delete()
    box.wait_gone()
    wait_for(lambda: descriptors(platform) <= before + 20, "the end of its connections")


@case("forged-headers")
def test_headers_of_an_answer_are_the_platforms(attacker: Function) -> None:
    """The function's headers are not part of the platform's own response."""
    payload, answer = attacker.try_to("forgeries.forge_headers")
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert "x-evil" not in headers
    assert "FunctionError" not in answer or answer["FunctionError"] == "Unhandled"
    payload, answer = attacker.try_to("forgeries.forge_own_headers")
    assert payload == "mine"
    assert "FunctionError" not in answer
    assert "x-evil" not in answer["ResponseMetadata"]["HTTPHeaders"]
    assert b"START" in base64.b64decode(answer["LogResult"])


@case("other-runtime-api")
def test_the_runtime_api_of_others_has_no_address(attacker: Function, neighbour: Neighbour) -> None:
    """Port 9001 of loopback is the own box's; no other address has one."""
    (pid,) = neighbour.box.functions()
    before = connections(pid)
    addresses = ["127.0.0.2", "127.255.255.254", "0.0.0.0", "10.0.0.1", "169.254.100.1"]
    targets = [[address, port] for address in addresses for port in (9001, 9002)]
    attacker.do("way_out.connect", targets=targets[:6])
    assert connections(pid) == before


def connections(pid: int) -> set[str]:
    """Connections in the network of a process, by their addresses."""
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    return {" ".join(line.split()[1:3]) for line in lines if line.split()[3] == "01"}


@case("log-frames")
def test_garbage_frames_are_log_and_no_more(
    attacker: Function, neighbour: Neighbour, platform: Platform
) -> None:
    """Lengths without end and wrong beginnings: neither memory nor the next log is affected."""
    before = memory_kb(platform)
    with neighbour.watched():
        attacker.try_to("forgeries.write_frames", megabytes=20)
    assert memory_kb(platform) - before < MEMORY_MAX_KB
    payload, answer = attacker.try_to("attempts.echo", value="after")
    assert payload["result"] == "after"
    assert b"REPORT" in base64.b64decode(answer["LogResult"])
