"""`AWS` with another service than Lambda, which gets the request that the templates make."""

from collections.abc import Mapping

from lambent.kit.tasks import start_task
from lambent.model.document import Body
from lambent.model.function_uris import expand_variables
from lambent.triggers.apis.api import Stage
from lambent.triggers.apis.backends.exchange import BackendError, Prepared
from lambent.triggers.apis.backends.service import Service
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.inner_exchange import InnerExchange
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.integration_responses import IntegrationResult
from lambent.triggers.apis.rest.integrations.custom import Done
from lambent.triggers.apis.rest.integrations.integration import TIMEOUT_MS


class ServiceBackend:
    """See the module."""

    def __init__(
        self, context: ApiContext, stage: Stage, body: Body, variables: Mapping[str, str]
    ) -> None:
        """Raises ValueError if the document names no service that is known."""
        self._context = context
        self._service = Service(
            context,
            stage.root.scope,
            expand_variables(body.get("uri") or "", variables),
            role=body.get("credentials") or "",
            method=body.get("httpMethod") or "POST",
            timeout_s=(body.get("timeoutInMillis") or TIMEOUT_MS) / 1000,
        )

    def begin(self, call: RestCall, prepared: Prepared, done: Done) -> None:
        """See `Backend`."""
        try:
            request = self._service.request(prepared)
        except BackendError as error:
            raise GatewayError(error.type, str(error)) from None
        call.note(f"Sending request to {self._service.name}: {request.method} {request.path}")
        start_task(self._context.tasks, call.fail, self._exchange, call, request, done)

    async def _exchange(self, call: RestCall, request: InnerExchange, done: Done) -> None:
        try:
            response = await self._service.exchange(request)
        except BackendError as error:
            call.refuse(GatewayError(error.type, str(error)))
        else:
            done(call, IntegrationResult(*response, str(response.status)))
