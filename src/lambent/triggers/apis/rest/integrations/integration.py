"""What integrations have in common."""

from typing import Protocol

from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.gateway_responses import GatewayError

TIMEOUT_MS = 29_000
"""The timeout of an integration that names none."""


class Integration(Protocol):
    """Serves the requests of one method."""

    def handle(self, call: RestCall) -> None:
        """Respond to a request, at once or later. Called on the event loop; must not block. Raises
        `GatewayError`."""
        ...


class NoIntegration:
    """In the place of an integration that is missing or cannot work."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def handle(self, call: RestCall) -> None:
        """See `Integration`."""
        raise GatewayError("API_CONFIGURATION_ERROR", self._reason)
