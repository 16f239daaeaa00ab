"""Small helpers for structured lifetimes."""

from collections.abc import Awaitable, Callable

import anyio


async def shielded(close: Callable[[], Awaitable[object]], deadline_s: float = 10.0) -> None:
    """Run a clean-up to its end even while the caller is being cancelled, but not for ever."""
    with anyio.move_on_after(deadline_s, shield=True):
        await close()
