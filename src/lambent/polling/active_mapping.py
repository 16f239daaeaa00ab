"""A mapping while it is polled: what its source's driver and its records' lanes share."""

import dataclasses
from collections.abc import Awaitable, Callable

from lambent.kit.clock import Clock
from lambent.model.delivery import Delivery
from lambent.model.mapping import EventSourceMapping
from lambent.model.mapping_options import MappingOptions
from lambent.polling.function_calls import FunctionCalls
from lambent.polling.positions import MappingPositions, OpenShards
from lambent.polling.role_client import RoleClient
from lambent.polling.settings import PollingSettings
from lambent.polling.status import Status
from lambent.polling.stop import Stop

Keep = Callable[[list[Delivery]], Awaitable[None]]
"""Has records delivered to destinations. Returns when they are on disk."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ActiveMapping:
    """One mapping from when it is enabled or changed until it is disabled or changed again."""

    mapping: EventSourceMapping
    stop: Stop
    status: Status
    clock: Clock
    settings: PollingSettings
    aws: RoleClient
    """Calls AWS services as the function's execution role."""
    calls: FunctionCalls
    keep: Keep
    positions: MappingPositions
    """For sources whose position the platform keeps."""
    open_shards: OpenShards

    @property
    def options(self) -> MappingOptions:
        """What the mapping is configured to do."""
        return self.mapping.options
