"""A request to the AWS API on its way: which operation it is for, and how it is responded to."""

import dataclasses
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lambent.gateway.browsers import shown_to_pages
from lambent.gateway.call import Members, missing_header
from lambent.gateway.models import OperationModel
from lambent.gateway.protocols.protocol import WireResponse
from lambent.gateway.routing import Dialect
from lambent.gateway.validation import validate
from lambent.identity.authorizer import Caller
from lambent.kit.http.messages import Exchange
from lambent.model.arn import Scope
from lambent.model.errors import ApiError, service_failure

logger = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True)
class Request:
    """A request that was routed but not parsed. Not frozen: that would cost on the warm path."""

    exchange: Exchange
    dialect: Dialect
    operation: OperationModel
    labels: Mapping[str, str]
    caller: Caller
    request_id: str

    @property
    def scope(self) -> Scope:
        """Account and region."""
        return self.caller.scope

    def params(self) -> dict[str, Any]:
        """The input members, parsed and validated. Raises `ApiError`."""
        params = self.dialect.protocol.parse(self.operation, self.exchange, self.labels)
        validate(self.operation, params)
        return params

    def respond(self, output: Members) -> None:
        """Respond with what the operation returned."""
        response = self.dialect.protocol.render(self.operation, output, self.request_id)
        if missing := missing_header(output):
            response = dataclasses.replace(response, headers=[*response.headers, *missing])
        send(self.exchange, response, self.request_id)

    def refuse(self, error: ApiError) -> None:
        """Respond with an error."""
        send(self.exchange, self.dialect.render_error(error, self.request_id), self.request_id)

    def fail(self, error: Exception) -> None:
        """The last resort: the failure was logged, and the response has no details of it."""
        if isinstance(error, ApiError):
            self.refuse(error)
            return
        name = type(error).__name__
        logger.error("request %s (%s): %s", self.request_id, self.operation.name, name)
        self.refuse(service_failure(self.dialect.service.failure_code))


WriteResponse = Callable[[Request, Members], Awaitable[None]]
"""Writes the response of an operation from its output."""

DirectHandler = Callable[[Request], None]
"""Serves one operation without a task: responds on the request's exchange, now or later. May raise
`ApiError` before it has responded."""


def send(exchange: Exchange, response: WireResponse, request_id: str) -> None:
    """Send a rendered response."""
    headers = [*response.headers, ("x-amzn-RequestId", request_id), *shown_to_pages(exchange)]
    exchange.respond(response.status, headers, response.body)
