"""An event loop whose time passes only when a test says so.

Everything that measures time on it (timers, `anyio` deadlines, the `LoopClock` of rooms) follows
one virtual clock. `settle` runs what can run now; `pass_time` also runs what becomes due. Minutes
pass in microseconds, and a report of 1000.00 ms says exactly that.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Waits for nothing: where a loop would sleep, it moves the virtual clock or stops."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        self.loop.when_idle(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module. Files and sockets are real; a process must only talk to itself."""

    def __init__(self) -> None:
        self._now = 0.0
        self._until = 0.0
        self._failures: list[BaseException | str] = []
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)
        self.set_exception_handler(self._note_failure)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def when_idle(self, timeout: float | None) -> None:
        """Nothing can run before `timeout` seconds have passed, or ever if it is None."""
        if timeout is None or self._now + timeout > self._until:
            self._now = self._until
            self.stop()
        else:
            self._now += timeout

    def settle(self) -> None:
        """Run all that can run now. Raises what a callback raised."""
        self.pass_time(0.0)

    def pass_time(self, seconds: float) -> None:
        """Move the clock, and run all that is due until then."""
        self._until = self._now + seconds
        self.run_forever()
        if self._failures:
            failure = self._failures.pop(0)
            raise failure if isinstance(failure, BaseException) else AssertionError(failure)

    def do(self, call: Callable[..., T], *args: object) -> T:
        """Call a function on the loop and settle. Raises what it raised."""

        async def run() -> T:
            return call(*args)

        return self.begin(run()).result()

    def begin(self, run: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task and settle; it may still be running afterwards."""
        task = self.create_task(run)
        self.settle()
        return task

    def cancel_all(self) -> None:
        """Cancel the tasks that still run."""
        for task in asyncio.all_tasks(self):
            task.cancel()
        self.settle()

    def _note_failure(self, _: object, context: dict[str, Any]) -> None:
        self._failures.append(context.get("exception") or str(context["message"]))


class LoopClock:
    """The virtual clock, as rooms want it. It begins on 2023-11-14 22:13:20 UTC."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.ahead_s = 0.0
        """By how much it is ahead of the loop's timers."""

    def now(self) -> float:
        return 1_700_000_000.0 + self.monotonic()

    def monotonic(self) -> float:
        return self._loop.time() + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)
