"""What integrations of HTTP APIs have in common."""

from typing import NamedTuple, Protocol

from lambent.model.document import Body
from lambent.model.parameter_mapping import (
    Changes,
    parse_request_changes,
    parse_response_changes,
)
from lambent.triggers.apis.http.call import HttpCall
from lambent.triggers.apis.http.mapping import map_response
from lambent.triggers.cors import Headers

TIMEOUT_MS = 30_000
"""The timeout of an integration that names none, which is the longest."""


class Integration(Protocol):
    """Serves the requests of the routes that lead to it."""

    def handle(self, call: HttpCall) -> None:
        """Respond to a request, at once or later. Called on the event loop; must not block."""
        ...


class NoIntegration:
    """In the place of an integration that is missing or cannot work."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def handle(self, call: HttpCall) -> None:
        """See `Integration`."""
        call.integration_error = self._reason
        call.fail()


class Common(NamedTuple):
    """What the documents of all kinds of integrations say."""

    timeout_s: float
    request_changes: Changes
    response_changes: dict[int, Changes]
    role: str | None

    @classmethod
    def of(cls, body: Body, *, has_request_changes: bool = True) -> "Common":
        """Raises ValueError for a mapping that cannot be read."""
        parameters = body.get("RequestParameters") or {}
        return cls(
            (body.get("TimeoutInMillis") or TIMEOUT_MS) / 1000,
            parse_request_changes(parameters) if has_request_changes else (),
            dict(parse_response_changes(body.get("ResponseParameters") or {})),
            body.get("CredentialsArn") or None,
        )

    def respond(self, call: HttpCall, status: int, headers: Headers, body: bytes) -> None:
        """Send the response of the integration, with the changes for its status."""
        changes = self.response_changes.get(status)
        if changes:
            try:
                status, headers = map_response(changes, call, status, headers, body)
            except ValueError as error:
                call.integration_error = str(error)
                call.fail()
                return
        call.respond(status, headers, body)
