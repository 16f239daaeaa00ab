"""`GET /_lambent/metrics`: the metrics of the caller's account since the platform started, as text
for Prometheus. The platform's home account also sees how the platform itself is doing.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from prometheus_client import Metric

from lambent.gateway.pages import check_method
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.kit.computing import computed
from lambent.kit.http.messages import Exchange
from lambent.model.arn import AccountId
from lambent.telemetry.exposition import families_of, render
from lambent.telemetry.metrics import Metrics

PATH = "/_lambent/metrics"


class Health(Protocol):
    """How the platform is doing."""

    async def families(self) -> Sequence[Metric]: ...


class MetricsPage:
    """See the module. Callers need `lambent:GetMetrics`."""

    def __init__(
        self, authorizer: Authorizer, metrics: Metrics, health: Health, home: AccountId
    ) -> None:
        self._authorizer = authorizer
        self._metrics = metrics
        self._health = health
        self._home = home
        self.shown: Callable[[AccountId], Awaitable[Sequence[Metric]]] = self.families
        """Returns the metrics of an account that the page shows."""

    async def families(self, account: AccountId) -> Sequence[Metric]:
        """The metrics of an account in this process."""
        await self._metrics.settle()
        health = await self._health.families() if account == self._home else ()
        return [*await computed(families_of, self._metrics.sums(account)), *health]

    async def show(self, exchange: Exchange, caller: Caller) -> None:
        """Respond in the format that the scraper accepts: text, or OpenMetrics with exemplars."""
        check_method(exchange, "GET")
        account = caller.principal.account
        await self._authorizer.check(caller, Access("lambent:GetMetrics", "*", account))
        families = await self.shown(account)
        body, content_type = await computed(render, families, exchange.headers.get("accept", ""))
        exchange.respond(200, [("Content-Type", content_type)], body)
