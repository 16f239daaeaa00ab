"""Waiting until a resource can be used or is gone, and what errors of APIs mean."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lambent.kit.clock import Clock
from lambent.model.errors import ApiError
from lambent.stacks.resources.expressions import at
from lambent.stacks.resources.row_type import Wait

_GONE = re.compile(r"NotFound|NoSuch|NonExistent|DoesNotExist|NotExist|KMSInvalidState")
"""A key that is to be deleted is gone."""
_GONE_WORDS = re.compile(r"^There is no sampling rule")
_TAKEN = re.compile(
    r"AlreadyExist|Conflict|ResourceInUse|AlreadyOwned|NameExists|ResourceExists|Duplicate"
)
_TAKEN_WORDS = re.compile(r"already (?:exists|has)|duplicate index", re.IGNORECASE)
"""As `_GONE_WORDS`, for services whose code says only that the request is not valid."""
_FIRST_S = 0.05
_LONGEST_S = 2.0
_LIMIT_S = 600.0
"""How long a resource may take."""

Reading = Callable[[], Awaitable[Mapping[str, Any]]]


def is_gone(error: ApiError) -> bool:
    """Whether an error says that a resource does not exist."""
    return (
        error.status == 404
        or _GONE.search(error.code) is not None
        or _GONE_WORDS.search(error.message) is not None
    )


def is_taken(error: ApiError) -> bool:
    """Whether an error says that a resource exists."""
    return (
        error.status == 409
        or _TAKEN.search(error.code) is not None
        or _TAKEN_WORDS.search(error.message) is not None
    )


class Stability:
    """Reads resources until they are as they should be."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def await_ready(self, read: Reading, wait: Wait, physical_id: str) -> None:
        """Wait until a resource is ready. Raises `ApiError` if it fails or takes too long."""

        async def is_ready() -> bool:
            response = await read()
            found = [(at(response, path), ready) for path, ready in wait.ready.items()]
            if any(value in wait.failed for value, _ in found if value is not None):
                reason = at(response, wait.reason) if wait.reason else ""
                raise _not_stabilized(f"Resource {physical_id} failed: {reason or found[0][0]}")
            return all(value is None or value in ready for value, ready in found)

        await self._until(is_ready, physical_id)

    async def await_gone(self, read: Reading) -> None:
        """Wait until reading a resource says that it does not exist. Raises `ApiError`."""

        async def has_gone() -> bool:
            try:
                await read()
            except ApiError as error:
                if is_gone(error):
                    return True
                raise
            return False

        await self._until(has_gone, "that is being deleted")

    async def _until(self, check: Callable[[], Awaitable[bool]], what: str) -> None:
        deadline = self._clock.monotonic() + _LIMIT_S
        pause = _FIRST_S
        while not await check():
            if self._clock.monotonic() >= deadline:
                raise _not_stabilized(f"Resource {what} did not stabilize.")
            await self._clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_S)


def _not_stabilized(message: str) -> ApiError:
    return ApiError("NotStabilized", message)
