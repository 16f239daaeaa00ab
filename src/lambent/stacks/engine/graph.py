"""Runs units of work that depend on each other: those that are ready at once."""

import math
from collections.abc import Awaitable, Callable, Mapping, Set

import anyio

from lambent.kit.tasks import start_part

AT_ONCE_MAX = 8
GRACE_S = 10.0
"""How long units may go on after another has failed. Then they are cancelled."""


class Halt:
    """Asks for an early end: no unit begins any more."""

    def __init__(self) -> None:
        self.is_set = False
        self._changed = anyio.Event()

    def set(self) -> None:
        """Ask for it."""
        self.is_set = True
        self.notify()

    def notify(self) -> None:
        """Something has changed."""
        self._changed.set()

    async def wait(self) -> None:
        """Wait for a change."""
        await self._changed.wait()
        self._changed = anyio.Event()


async def run_ready(
    needs: Mapping[str, Set[str]],
    run: Callable[[str], Awaitable[bool]],
    cancelled: Callable[[str], Awaitable[None]],
    halt: Halt,
    *,
    stops_at_failure: bool,
    limit_s: float = math.inf,
) -> bool:
    """Run every unit after those it needs, at most `AT_ONCE_MAX` at a time.

    `run` returns whether a unit has succeeded. What needs a failed unit does not run; with
    `stops_at_failure` nothing begins any more, and what runs is cancelled after `GRACE_S`.
    `cancelled` is called with each unit that was. After `limit_s` all that runs is cancelled.
    Returns False if it came to that.
    """
    ends_at = anyio.current_time() + limit_s
    waiting = {unit: set(others) & needs.keys() for unit, others in needs.items()}
    running: dict[str, anyio.CancelScope] = {}
    has_failed = is_late = False

    async def perform(unit: str) -> None:
        nonlocal has_failed
        with running[unit] as scope:
            if await run(unit):
                for others in waiting.values():
                    others.discard(unit)
            else:
                has_failed = True
        if scope.cancelled_caught:
            await cancelled(unit)
        del running[unit]
        halt.notify()

    async with anyio.create_task_group() as tasks:
        while True:
            is_late = anyio.current_time() >= ends_at
            if not (is_late or halt.is_set or (has_failed and stops_at_failure)):
                ready = [unit for unit, others in waiting.items() if not others]
                for unit in ready[: AT_ONCE_MAX - len(running)]:
                    del waiting[unit]
                    running[unit] = anyio.CancelScope()
                    start_part(tasks, perform, unit)
            else:
                latest = anyio.current_time() + (0 if is_late else GRACE_S)
                for scope in running.values():
                    scope.deadline = min(scope.deadline, latest)
            if not running:
                break
            with anyio.move_on_after(math.inf if is_late else ends_at - anyio.current_time()):
                await halt.wait()
    return not is_late
