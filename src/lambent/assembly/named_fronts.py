"""Ways in by names that accounts register: custom domain names, aliases of distributions."""

import re
from collections.abc import Awaitable, Callable

import anyio.abc

from lambent.gateway.fronts import Front
from lambent.gateway.server import Gateway
from lambent.kit.http.messages import Exchange
from lambent.kit.tasks import start_task
from lambent.model.limits import REQUEST_BYTES_MAX
from lambent.triggers.apis.front import respond_message

_NO_NAME = re.compile(
    r"(?:[\d.]{1,15}|\[[0-9a-f:.]{2,45}\]|(?:.{1,190}\.)?localhost)?(?::\d{1,5})?"
)
"""Hosts that no one can register, without a look at the names."""


def add_named_front(
    gateway: Gateway,
    tasks: anyio.abc.TaskGroup,
    front: Front,
    is_known: Callable[[str], bool | None],
    read: Callable[[], Awaitable[None]],
) -> None:
    """Send requests to `front` whose `Host` is known. While that is None, `read` is awaited
    first."""

    async def look_up(exchange: Exchange) -> None:
        await read()
        gateway.handle(exchange)

    def handle_unread(exchange: Exchange) -> None:
        def failed(_: Exception) -> None:
            respond_message(exchange, 500, "Internal Server Error")

        start_task(tasks, failed, look_up, exchange)

    unread = Front(
        handle=handle_unread, body_bytes_max=REQUEST_BYTES_MAX, is_open=True, has_own_names=True
    )

    def by_name(host: str) -> Front | None:
        known = is_known(host)
        if known is None:
            return None if _NO_NAME.fullmatch(host.lower()) is not None else unread
        return front if known else None

    gateway.fronts.add_names(by_name)
