"""`GET /_lambent/environments`: the execution environments of the caller's account and Region, on
all nodes that answer."""

from typing import Any

from lambent.gateway.pages import check_method, respond
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.invocation.ports import EnvironmentView, Node
from lambent.kit.http.messages import Exchange
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.peers import Peers

PATH = "/_lambent/environments"


class EnvironmentsPage:
    """See the module. Callers need `lambent:ListEnvironments`."""

    def __init__(self, authorizer: Authorizer, node: Node, tier: str, peers: Peers) -> None:
        """`tier` is how this platform isolates functions: `root`, `rootless` or `process`."""
        self._authorizer = authorizer
        self._peers = peers
        self._of_node = {"node": peers.number} if peers.number else {}
        peers.serve("environments/list", self._serve)
        self._node = node
        self._tier = tier

    async def show(self, exchange: Exchange, caller: Caller) -> None:
        """Respond with the environments, by function and from the oldest on."""
        check_method(exchange, "GET")
        access = Access("lambent:ListEnvironments", "*", caller.scope.account)
        await self._authorizer.check(caller, access)
        scope = caller.scope
        answers = await self._peers.ask("environments/list", [*scope])
        found = await self._serve(scope)
        found += [each for listed in answers.found.values() for each in listed]
        found.sort(key=lambda each: (each["function"], -each["age_s"]))
        respond(exchange, {"environments": found}, answers.missing)

    async def _serve(self, value: Any) -> list[dict[str, Any]]:
        account, region = value
        scope = Scope(AccountId(account), Region(region))
        return [self._describe(view) for view in self._node.environments(scope)]

    def _describe(self, view: EnvironmentView) -> dict[str, Any]:
        function = view.function
        return {
            "id": view.id,
            **self._of_node,
            "function": function.key.name,
            "version": function.version,
            "runtime": function.runtime,
            "state": view.state,
            "frozen": view.state == "frozen",
            "tier": self._tier,
            "provisioned": view.is_provisioned,
            "age_s": round(view.age_s, 3),
            "idle_s": None if view.idle_s is None else round(view.idle_s, 3),
            "memory_mb": function.memory_mb,
            "memory_bytes": view.memory_bytes,
            "memory_used_max_mb": view.memory_used_max_mb,
            "cpu_s": None if view.cpu_s is None else round(view.cpu_s, 6),
            "sent_bytes": view.sent_bytes,
            "received_bytes": view.received_bytes,
            "log_group": function.logging.log_group,
            "log_stream": view.log_stream,
        }
