"""How tasks start and end. Nothing else calls `start_soon`, which `make check` enforces.

The exception of one task must not end the platform. So the caller chooses what a failure does:

- `start_task`: the task ends. The exception is logged and passed to `failed`, which responds to the
  request that waits.
- `start_loop`: the task must live. The exception is logged, and the loop restarts after a pause.
- `start_part`: the exception is the parent's. The parent waits for its parts in its own task group,
  and was itself started in one of the other two ways.
"""

import logging
import random
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVarTuple, Unpack

import anyio
import anyio.abc

from lambent.kit.clock import Clock

logger = logging.getLogger(__name__)

_PAUSE_S_MIN, _PAUSE_S_MAX = 0.1, 10.0
_STEADY_S = 60.0
"""A loop that has run this long restarts after the shortest pause."""

Ts = TypeVarTuple("Ts")


class Reported(Exception):
    """A failure that is in the log already, once for as long as it lasts. Tasks and loops that fail
    with it log nothing more."""


def start_task(
    tasks: anyio.abc.TaskGroup,
    failed: Callable[[Exception], object] | None,
    run: Callable[[Unpack[Ts]], Coroutine[Any, Any, object]],
    *args: *Ts,
) -> None:
    """Start a task. An exception is logged and passed to `failed`, if there is one: a task that
    serves a request responds with 500 there."""

    async def guarded() -> None:
        try:
            await run(*args)
        except Exception as error:
            if not isinstance(error, Reported):
                logger.exception("%s failed", _name_of(run))
            if failed is not None:
                _notify(failed, error)

    tasks.start_soon(guarded, name=_name_of(run))


def start_loop(
    tasks: anyio.abc.TaskGroup,
    clock: Clock,
    run: Callable[[Unpack[Ts]], Coroutine[Any, Any, object]],
    *args: *Ts,
) -> None:
    """Start a task that must live until it returns or is cancelled. After an exception it restarts:
    `run` keeps what it has not done yet. Of consecutive exceptions of one type, the first is
    logged."""

    async def guarded() -> None:
        pause_s, logged = _PAUSE_S_MIN, None
        while True:
            began = clock.monotonic()
            try:
                await run(*args)
                return
            except Exception as error:
                if clock.monotonic() - began > _STEADY_S:
                    pause_s, logged = _PAUSE_S_MIN, None
                if not isinstance(error, Reported) and logged is not type(error):
                    logged = type(error)
                    logger.exception("%s failed; it restarts until it works", _name_of(run))
            # Not all at once: many loops fail for the same reason.
            await clock.sleep(pause_s * random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, _PAUSE_S_MAX)

    tasks.start_soon(guarded, name=_name_of(run))


def start_part(
    tasks: anyio.abc.TaskGroup,
    run: Callable[[Unpack[Ts]], Coroutine[Any, Any, object]],
    *args: *Ts,
) -> None:
    """Start a part of the caller's work. An exception ends the task group and reaches the caller.
    Not for the task groups of rooms: if one of those ends, the platform ends."""
    tasks.start_soon(run, *args)


def guarded(
    failed: Callable[[Exception], object], call: Callable[[Unpack[Ts]], object]
) -> Callable[[Unpack[Ts]], None]:
    """A callback that does not raise: an exception is logged and passed to `failed`, as for a
    task."""

    def guarded_(*args: *Ts) -> None:
        try:
            call(*args)
        except Exception as error:
            logger.exception("%s failed", _name_of(call))
            _notify(failed, error)

    return guarded_


async def shielded(close: Callable[[], Awaitable[object]], deadline_s: float = 10.0) -> None:
    """Run a clean-up to its end even while the caller is cancelled, for at most `deadline_s`."""
    with anyio.move_on_after(deadline_s, shield=True):
        await close()


def _notify(failed: Callable[[Exception], object], error: Exception) -> None:
    try:
        failed(error)
    except Exception:
        logger.exception("the handler of the failure failed")


def _name_of(run: Callable[..., object]) -> str:
    """Without its arguments, which may be secrets."""
    run = run.func if isinstance(run, partial) else run
    return getattr(run, "__qualname__", type(run).__name__)
