"""Calls of types of resources: with a deadline, and repeated while a service is busy."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

import anyio

from lambent.kit.clock import Clock
from lambent.model.errors import ApiError
from lambent.store.problems import StoreUnavailable

logger = logging.getLogger(__name__)

STEP_S: Final = 3600.0
"""How long a step may take, of types that say nothing else."""
_PAUSES_S: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
_BUSY: Final = frozenset(
    {
        *("Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded"),
        *("TooManyRequestsException", "ServiceUnavailable", "ServiceUnavailableException"),
        *("SlowDown", "InternalFailure", "InternalError", "ServiceException"),
        *("RequestThrottledException", "ProvisionedThroughputExceededException"),
    }
)
"""Codes of errors of a service that may succeed a moment later."""

UNCERTAIN: Final = frozenset({"NotStabilized", "InternalFailure", "ServiceUnavailable"})
"""Codes of errors after which a resource may exist that was to be made."""

T = TypeVar("T")


async def attempt(clock: Clock, deadline_s: float, call: Callable[[bool], Awaitable[T]]) -> T:
    """Make a call that may be repeated; it receives whether it is. Raises `ApiError`. Anything else
    that goes wrong in a type of resources is logged and becomes one, so that no stack hangs."""
    for count, pause_s in enumerate((*_PAUSES_S, None)):
        try:
            return await _within(deadline_s, partial(call, count > 0))
        except ApiError as error:
            if pause_s is None or error.code not in _BUSY:
                raise
            logger.info("a step of a stack is repeated in %s s: %s", pause_s, error.code)
            await clock.sleep(pause_s)
        except StoreUnavailable:
            raise
        except Exception as error:
            logger.exception("a step of a stack failed")
            raise ApiError("InternalFailure", "Internal Failure", status=500) from error
    raise AssertionError


async def _within(deadline_s: float, call: Callable[[], Awaitable[T]]) -> T:
    with anyio.move_on_after(deadline_s):
        return await call()
    raise ApiError("NotStabilized", "Exceeded attempts to wait")
