"""`GET /_lambent/status`: the state of the platform, as `lambent status` shows it to its operator.
Among several nodes, `other_nodes` has the same of the others. Callers need `lambent:GetStatus`."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import anyio.abc

from lambent.gateway.pages import check_method, fail, refuse, respond
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.kit.http.messages import Exchange
from lambent.kit.tasks import start_task
from lambent.model.errors import ApiError
from lambent.model.peers import Peers

PATH = "/_lambent/status"

Observe = Callable[[], Awaitable[Mapping[str, Any]]]
"""Returns a document about the platform. It may name no file of the host."""


class StatusPage:
    """See the module."""

    def __init__(
        self,
        authorizer: Authorizer,
        observe: Observe,
        peers: Peers,
        tasks: anyio.abc.TaskGroup,
    ) -> None:
        self._peers = peers
        peers.serve("nodes/status", self._serve_status)
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

    async def _serve_status(self, _: Any) -> Any:
        return await self._observe()

    async def _serve(self, exchange: Exchange, caller: Caller) -> None:
        try:
            access = Access("lambent:GetStatus", "*", caller.scope.account)
            await self._authorizer.check(caller, access)
            own = await self._observe()
            if not self._peers.number:
                respond(exchange, own)
                return
            answers = await self._peers.ask("nodes/status")
            others = [{**found, "node": node} for node, found in sorted(answers.found.items())]
            document = {**own, "node": self._peers.number, "other_nodes": others}
            respond(exchange, document, answers.missing)
        except ApiError as error:
            refuse(exchange, error)
