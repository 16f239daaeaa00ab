"""Work on strangers' bytes that would stop the event loop for longer than a millisecond.

A thread is enough for what lets go of the interpreter now and then: hashing, and anything written
in Python. A reader written in C does not: it makes millions of small values of a few megabytes
while everybody waits. What would be so many is read in a process of its own.
"""

import logging
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, Unpack

import anyio
import anyio.to_process
import anyio.to_thread
from anyio.lowlevel import RunVar

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

logger = logging.getLogger(__name__)

LOOP_BYTES_MAX = 16 * 1024
"""What is not larger is read on the event loop."""
_SLICE_BYTES = 1 << 20
_AT_ONCE = 2
"""More would not be done sooner: the interpreter runs one at a time, and each needs memory."""
_limiter = RunVar[anyio.CapacityLimiter]("limiter of computations")


async def computed(function: Callable[[Unpack[Ts]], T], *arguments: *Ts) -> T:
    """What a function gives that computes for a while, and waits for nothing, in a thread."""
    limiter = _limiter.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        _limiter.set(limiter)
    return await anyio.to_thread.run_sync(function, *arguments, limiter=limiter)


async def computed_apart(function: Callable[[Unpack[Ts]], T], *arguments: *Ts, data: bytes) -> T:
    """As `computed`, in a process if reading `data`, which is JSON, would make many values.
    Function and arguments have to be ones that can be pickled; the function must not raise."""
    if not await computed(is_dense, data):
        return await computed(function, *arguments)
    try:
        return await anyio.to_process.run_sync(function, *arguments, cancellable=True)
    except (OSError, anyio.BrokenWorkerProcess) as error:
        logger.warning("no process to read JSON in: %r", error)
        return await computed(function, *arguments)


async def read_wherever(function: Callable[[Unpack[Ts]], T], *arguments: *Ts, data: bytes) -> T:
    """As `computed_apart`; what is small is read on the event loop."""
    if len(data) <= LOOP_BYTES_MAX:
        return function(*arguments)
    return await computed_apart(function, *arguments, data=data)


def is_dense(data: bytes, values: int = 50_000) -> bool:
    """Whether JSON may have more values than so many."""
    found = 0
    for start in range(0, len(data), _SLICE_BYTES):
        chunk = data[start : start + _SLICE_BYTES]
        found += chunk.count(b",") + chunk.count(b"[") + chunk.count(b"{")
        if found > values:
            return True
    return False
