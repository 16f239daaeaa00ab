"""Reads a broker that has one active endpoint, until its connection ends."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.broker_connections import Endpoint, Scheme, Unreachable, find_in_settings
from lambent.polling.credentials import SourceCredentials, load_credentials
from lambent.polling.ports import Part, Record, SourceError
from lambent.polling.reader import Reader


class BrokerPart(Part, Protocol):
    """What is read over one connection."""

    @property
    def failure(self) -> SourceError | None:
        """Why the connection has ended. None while it lasts."""
        ...

    async def release(self, kept: Sequence[Record]) -> None:
        """See `ports.Release`."""
        ...


OpenPart = Callable[
    [ActiveMapping, Endpoint, SourceCredentials], AbstractAsyncContextManager[BrokerPart]
]


async def read_own_broker(
    polled: ActiveMapping,
    action: str,
    schemes: Mapping[str, Scheme],
    open_part: OpenPart,
) -> None:
    """Read a broker that only the settings know. The function's role needs `action` on its ARN.
    Raises `SourceError`."""
    arn = polled.mapping.source_id
    with polled.stop.interrupts():
        await polled.aws.require(action, arn)
        endpoints = find_in_settings(arn, polled.settings.brokers, schemes)
        access = await load_credentials(polled.aws, polled.options.access)
    await read_first_reachable(
        polled, endpoints, lambda endpoint: open_part(polled, endpoint, access)
    )


async def read_first_reachable(
    polled: ActiveMapping,
    endpoints: Sequence[Endpoint],
    open_part: Callable[[Endpoint], AbstractAsyncContextManager[BrokerPart]],
) -> None:
    """Read from the first endpoint that can be reached, until the mapping is stopped. Raises
    `SourceError` if there is none, or the connection ends before that."""
    for endpoint in endpoints:
        if polled.stop.is_set:
            return
        try:
            async with open_part(endpoint) as part:
                polled.status.note_source_works()
                await Reader(polled, release=part.release).serve(part)
        except Unreachable:
            if endpoint is endpoints[-1]:
                raise
            continue
        if part.failure is not None and not polled.stop.is_set:
            raise part.failure
        return
