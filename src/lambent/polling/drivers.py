"""What reads a kind of source: the half of `model.sources.SourceKind` that does I/O."""

import dataclasses
import importlib
from collections.abc import Awaitable, Callable

import anyio.to_thread

from lambent.aws.client import AwsClient
from lambent.model.function import FunctionVersion
from lambent.model.mapping import EventSourceMapping
from lambent.model.sources.kind import SourceKind
from lambent.polling.active_mapping import ActiveMapping

CHECK_DEADLINE_S = 5.0
"""How long a check waits for a response."""

Poll = Callable[[ActiveMapping], Awaitable[None]]
"""Reads a source until the mapping is stopped, and finishes what is in progress. Raises
`SourceError`."""
CheckSource = Callable[[AwsClient, EventSourceMapping, FunctionVersion], Awaitable[None]]
"""Checks a source before a mapping is created or updated. Raises `InvalidParameterValueException`
if the source does not exist or the function cannot use it, and what `AwsClient.call` raises."""


@dataclasses.dataclass(frozen=True, slots=True)
class SourceDriver:
    """The `DRIVER` of a package of `polling/sources/`."""

    poll: Poll
    check: CheckSource | None = None
    """None if the source cannot be checked without a connection."""


async def load_driver(kind: SourceKind) -> SourceDriver:
    """Import a driver, and the library of its protocol, when a mapping first needs it: the platform
    starts sooner without."""
    module = await anyio.to_thread.run_sync(importlib.import_module, kind.driver)
    driver: SourceDriver = module.DRIVER
    return driver


async def poll_source(polled: ActiveMapping) -> None:
    """See `Poll`: reads whatever kind of source the mapping has."""
    driver = await load_driver(polled.mapping.kind)
    await driver.poll(polled)
