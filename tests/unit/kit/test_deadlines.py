"""Many deadlines with one timer, on an event loop whose time the test moves."""

import asyncio
from collections.abc import Iterator

import pytest

from lambent.kit.deadlines import Deadlines


class Loop(asyncio.SelectorEventLoop):
    """An event loop that knows what time it is only from the test."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def pass_time(self, seconds: float) -> None:
        """Run what is due when so much time has passed."""
        self.now += seconds
        for _ in range(3):
            self.run_until_complete(asyncio.sleep(0))

    def do(self, action: object, *items: str) -> None:
        """Call a method of deadlines with each item, on the loop."""

        async def act() -> None:
            for item in items:
                action(item)  # type: ignore[operator]

        self.run_until_complete(act())


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def test_only_what_is_not_stopped_in_time_is_reported(loop: Loop) -> None:
    passed = list[str]()
    deadlines = Deadlines[str](10, passed.append)

    loop.do(deadlines.start, "a", "b")
    loop.pass_time(4)
    loop.do(deadlines.start, "c", "d")
    loop.do(deadlines.stop, "a", "c", "unknown")
    loop.pass_time(5.9)
    assert passed == []
    loop.pass_time(0.1)
    assert passed == ["b"]
    loop.pass_time(3.9)
    assert passed == ["b"]
    loop.pass_time(0.1)
    assert passed == ["b", "d"]


def test_an_item_may_begin_again(loop: Loop) -> None:
    passed = list[str]()
    deadlines = Deadlines[str](10, passed.append)

    loop.do(deadlines.start, "a")
    loop.pass_time(9)
    loop.do(deadlines.stop, "a")
    loop.do(deadlines.start, "a")
    loop.pass_time(9)
    assert passed == []
    loop.pass_time(1)
    assert passed == ["a"]
    loop.do(deadlines.start, "a")
    loop.pass_time(10)
    assert passed == ["a", "a"]


def test_an_error_for_one_item_keeps_no_other_waiting(loop: Loop) -> None:
    passed, errors = list[str](), list[object]()
    loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))

    def fail_for_a(item: str) -> None:
        if item == "a":
            raise ValueError(item)
        passed.append(item)

    deadlines = Deadlines[str](10, fail_for_a)
    loop.do(deadlines.start, "a", "b")
    loop.pass_time(10)

    assert passed == ["b"]
    assert len(errors) == 1


def test_there_is_one_timer_for_all(loop: Loop) -> None:
    deadlines = Deadlines[str](10, lambda _: None)

    loop.do(deadlines.start, *map(str, range(1000)))

    assert len(loop._scheduled) == 1  # type: ignore[attr-defined]
