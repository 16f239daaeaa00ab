"""A mapping while it is polled: what its source and whoever processes its records share."""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import TypeVar

from lambent.kit.clock import Clock
from lambent.model.delivery import Delivery
from lambent.model.mapping import EventSourceMapping
from lambent.polling.function_calls import FunctionCalls
from lambent.polling.options import Options
from lambent.polling.ports import DATABASE_AWAY, SourceError
from lambent.polling.role_client import RoleClient
from lambent.polling.settings import PollingSettings
from lambent.polling.status import Status
from lambent.polling.stop import Stop
from lambent.store.problems import StoreUnavailable
from lambent.store.store import Store, Transaction

T = TypeVar("T")

Keep = Callable[[list[Delivery]], Awaitable[None]]
"""Has records delivered to destinations; returns when they are on disk."""


class OpenShards:
    """How many shards of streams are read, of all mappings."""

    def __init__(self) -> None:
        self.number = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ActiveMapping:
    """One mapping from when it is enabled or changed until it is disabled or changed again."""

    mapping: EventSourceMapping
    options: Options
    role: str
    """ARN of the function's execution role."""
    calls: FunctionCalls
    status: Status
    stop: Stop
    keep: Keep
    aws: RoleClient
    open_shards: OpenShards
    store: Store
    clock: Clock
    settings: PollingSettings

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """See `Store.transact`. Raises `SourceError` while the database is away."""
        try:
            return await self.store.transact(work)
        except StoreUnavailable as error:
            raise SourceError(DATABASE_AWAY) from error

    @property
    def region(self) -> str:
        """The region of the source."""
        return self.mapping.scope.region

    @property
    def account(self) -> str:
        """The account of the mapping."""
        return self.mapping.scope.account
