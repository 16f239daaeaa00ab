"""How tasks start and end. Nothing else calls `start_soon`: `make check` sees to it.

One task's exception must not end the platform, so whoever starts one says whose failure it is:

- `start_task`: its own. It is logged and told to `failed`, which answers whoever waits.
- `start_loop`: it must live. It is logged, and the loop begins again after a pause.
- `start_part`: its parent's, which waits for its parts in a task group of its own and was itself
  started in one of the other two ways.
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
"""A loop that ran this long begins again without much waiting."""

Ts = TypeVarTuple("Ts")


class Reported(Exception):
    """For what is told in the log by whoever noticed, once for as long as it lasts: tasks and loops
    that fail with it say nothing more."""


def start_task(
    tasks: anyio.abc.TaskGroup,
    failed: Callable[[Exception], object] | None,
    run: Callable[[Unpack[Ts]], Coroutine[Any, Any, object]],
    *args: *Ts,
) -> None:
    """Start a chunk of work. An exception is logged and given to `failed`, if anyone waits: a task
    that answers a request has it answered with 500 there."""

    async def guarded() -> None:
        try:
            await run(*args)
        except Exception as error:
            if not isinstance(error, Reported):
                logger.exception("%s failed", _name_of(run))
            if failed is not None:
                _tell(failed, error)

    tasks.start_soon(guarded, name=_name_of(run))


def start_loop(
    tasks: anyio.abc.TaskGroup,
    clock: Clock,
    run: Callable[[Unpack[Ts]], Coroutine[Any, Any, object]],
    *args: *Ts,
) -> None:
    """Start what must live until it returns or is cancelled. After an exception it begins again:
    `run` keeps what it has not done yet. The first of a row of like exceptions is logged."""

    async def guarded() -> None:
        pause_s, told = _PAUSE_S_MIN, None
        while True:
            began = clock.monotonic()
            try:
                await run(*args)
                return
            except Exception as error:
                if clock.monotonic() - began > _STEADY_S:
                    pause_s, told = _PAUSE_S_MIN, None
                if not isinstance(error, Reported) and told is not type(error):
                    told = type(error)
                    logger.exception("%s failed; it is begun again until it works", _name_of(run))
            # Not all at once: many loops fail for the same reason.
            await clock.sleep(pause_s * random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, _PAUSE_S_MAX)

    tasks.start_soon(guarded, name=_name_of(run))


def start_part(
    tasks: anyio.abc.TaskGroup,
    run: Callable[[Unpack[Ts]], Coroutine[Any, Any, object]],
    *args: *Ts,
) -> None:
    """Start a part of what the caller does: an exception ends the task group, and is the caller's.
    Not for the groups of rooms, whose end is the platform's."""
    tasks.start_soon(run, *args)


def guarded(
    failed: Callable[[Exception], object], call: Callable[[Unpack[Ts]], object]
) -> Callable[[Unpack[Ts]], None]:
    """A callback that does not raise: an exception is logged and given to `failed`, as that of a
    task."""

    def guarded_(*args: *Ts) -> None:
        try:
            call(*args)
        except Exception as error:
            logger.exception("%s failed", _name_of(call))
            _tell(failed, error)

    return guarded_


async def shielded(close: Callable[[], Awaitable[object]], deadline_s: float = 10.0) -> None:
    """Run a clean-up to its end even while the caller is being cancelled, but not forever."""
    with anyio.move_on_after(deadline_s, shield=True):
        await close()


def _tell(failed: Callable[[Exception], object], error: Exception) -> None:
    try:
        failed(error)
    except Exception:
        logger.exception("the failure could not be told")


def _name_of(run: Callable[..., object]) -> str:
    """Not its arguments: they may be anybody's secrets."""
    run = run.func if isinstance(run, partial) else run
    return getattr(run, "__qualname__", type(run).__name__)
