"""Computations on untrusted bytes that would block the event loop for more than a millisecond.

A thread is enough for code that releases the interpreter lock now and then: hashing, and anything
written in Python. A parser written in C holds the lock while it makes millions of small values from
a few megabytes, and everything else waits. So documents with that many values are parsed in another
process.
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
"""Up to this size, data is parsed on the event loop."""
_SLICE_BYTES = 1 << 20
_AT_ONCE = 2
"""More threads would finish no sooner: the interpreter runs one at a time, and each needs
memory."""
_limiter = RunVar[anyio.CapacityLimiter]("limiter of computations")


async def computed(function: Callable[[Unpack[Ts]], T], *arguments: *Ts) -> T:
    """Run a function in a thread and return its result. The function computes for a while and waits
    for nothing."""
    limiter = _limiter.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        _limiter.set(limiter)
    return await anyio.to_thread.run_sync(function, *arguments, limiter=limiter)


async def computed_apart(function: Callable[[Unpack[Ts]], T], *arguments: *Ts, data: bytes) -> T:
    """As `computed`, but in another process if parsing `data`, which is JSON, would make many
    values. Function and arguments must be picklable; the function must not raise."""
    if not await computed(is_dense, data):
        return await computed(function, *arguments)
    return await computed_in_process(function, *arguments)


async def computed_in_process(function: Callable[[Unpack[Ts]], T], *arguments: *Ts) -> T:
    """As `computed`, but in another process; in a thread if none can be started. Function and
    arguments must be picklable; the function must not raise."""
    try:
        return await anyio.to_process.run_sync(function, *arguments, cancellable=True)
    except (OSError, anyio.BrokenWorkerProcess) as error:
        logger.warning("cannot start a process to parse a document: %r", error)
        return await computed(function, *arguments)


async def read_wherever(function: Callable[[Unpack[Ts]], T], *arguments: *Ts, data: bytes) -> T:
    """As `computed_apart`, but small data is parsed on the event loop."""
    if len(data) <= LOOP_BYTES_MAX:
        return function(*arguments)
    return await computed_apart(function, *arguments, data=data)


def is_dense(data: bytes, values: int = 50_000) -> bool:
    """Whether a JSON document may have more than so many values."""
    found = 0
    for start in range(0, len(data), _SLICE_BYTES):
        chunk = data[start : start + _SLICE_BYTES]
        found += chunk.count(b",") + chunk.count(b"[") + chunk.count(b"{")
        if found > values:
            return True
    return False
