"""`GET /_lambent/status`: the state of the platform, as `lambent status` shows it to its operator.
Callers need `lambent:GetStatus`."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import anyio.abc

from lambent.gateway.pages import check_method, fail, refuse, respond
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.kit.http.messages import Exchange
from lambent.kit.tasks import start_task
from lambent.model.errors import ApiError

PATH = "/_lambent/status"

Observe = Callable[[], Awaitable[Mapping[str, Any]]]
"""Returns a document about the platform. It may name no file of the host."""


class StatusPage:
    """See the module."""

    def __init__(
        self, authorizer: Authorizer, observe: Observe, tasks: anyio.abc.TaskGroup
    ) -> None:
        self._authorizer = authorizer
        self._observe = observe
        self._tasks = tasks

    def handle(self, exchange: Exchange) -> None:
        """Serve one request."""
        try:
            caller = self._authorizer.authenticate(exchange)
            check_method(exchange, "GET")
        except ApiError as error:
            refuse(exchange, error)
        else:
            start_task(self._tasks, partial(fail, exchange), self._serve, exchange, caller)

    async def _serve(self, exchange: Exchange, caller: Caller) -> None:
        try:
            access = Access("lambent:GetStatus", "*", caller.scope.account)
            await self._authorizer.check(caller, access)
            respond(exchange, await self._observe())
        except ApiError as error:
            refuse(exchange, error)
