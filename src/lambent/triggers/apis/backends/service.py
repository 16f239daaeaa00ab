"""Other services than Lambda: `action/` and `path/`.

A request is served as one of the integration's role: a strict platform asks the role's policies. A
service is the platform's own, the emulator's, or a server that the settings name.
https://docs.aws.amazon.com/apigateway/latest/api/API_Integration.html
"""

import dataclasses
import re
from collections.abc import Mapping
from urllib.parse import urlencode

import anyio

from lambent.identity.authorizer import Caller
from lambent.model.arn import Region, Scope
from lambent.model.errors import ApiError
from lambent.model.names import is_region
from lambent.model.rest_services import FORM, SERVICE_URI, TARGETS, VERSIONS
from lambent.triggers.apis.backends.exchange import (
    BackendError,
    BackendResponse,
    Prepared,
    path_value,
)
from lambent.triggers.apis.calls import SERVICE
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.inner_exchange import InnerExchange

_VARIABLE = re.compile(r"\{([^{}]{1,128})\}")
_SAFE = "/~-._"
_SESSION = "BackplaneAssumeRoleSession"
_PASSED = frozenset({"content-type", "x-amz-target", "accept", "cache-control"})
"""Headers that mappings may set, with all that begin with `x-amz-meta-`: others say who asks."""


class Service:
    """The service of one integration."""

    def __init__(
        self,
        context: ApiContext,
        scope: Scope,
        uri: str,
        *,
        role: str,
        method: str,
        timeout_s: float,
    ) -> None:
        """`scope` is the API's. Raises ValueError for a URI that names no service that is known."""
        found = SERVICE_URI.fullmatch(uri)
        if found is None or not is_region(found["region"]):
            raise ValueError(f"No service is known for {uri[:200]!r}.")
        self._context = context
        self.name: str = found["service"]
        self._scope = scope._replace(region=Region(found["region"]))
        self._home = scope
        self._action = found["name"]
        """None if the URI has a path."""
        self._path = (found["rest"] or "").lstrip("/")
        self._role = role
        self._method = method
        self._timeout_s = timeout_s

    def request(self, prepared: Prepared) -> InnerExchange:
        """The request for the service. Raises `BackendError`."""
        given = prepared.parameters
        headers = {"content-type": prepared.content_type}
        for name, value in given["header"].items():
            lowered = name.lower()
            if lowered in _PASSED or lowered.startswith("x-amz-meta-"):
                headers[lowered] = value
        headers["host"] = f"{self.name}.{self._scope.region}.amazonaws.com"
        query, body, method = given["querystring"], prepared.body, self._method
        path = "/" + _VARIABLE.sub(
            lambda found: path_value(given["path"], found[1], safe=_SAFE), self._path
        )
        if self._action is not None and self.name in TARGETS:
            prefix, version = TARGETS[self.name]
            headers["x-amz-target"] = f"{prefix}.{self._action}"
            headers["content-type"] = f"application/x-amz-json-{version}"
        elif self.name in VERSIONS:
            headers["content-type"], method = FORM, "POST"
            body, query, path = self._form(path, query, prepared), {}, "/"
        if self.name != "s3":
            method, path = "POST", "/"
        return InnerExchange(method, path, urlencode(query), list(headers.items()), body)

    async def exchange(self, request: InnerExchange) -> BackendResponse:
        """Send a request; returns the response when it is complete. Raises `BackendError`."""
        failures: list[ApiError] = []

        def fail(error: ApiError) -> None:
            failures.append(error)
            request.abort()

        try:
            with anyio.fail_after(self._timeout_s):
                self._context.serve(request, self._caller(), fail)
                await request.wait()
        except ApiError as error:
            failures.append(error)
        except TimeoutError:
            raise BackendError("INTEGRATION_TIMEOUT", "The integration has timed out.") from None
        if failures or not request.status or request.is_too_large:
            reason = failures[0].message if failures else "The response is incomplete."
            raise BackendError("INTEGRATION_FAILURE", reason)
        headers: dict[str, list[str]] = {}
        for name, value in request.response_headers:
            headers.setdefault(name.lower(), []).append(value)
        return BackendResponse(request.status, headers, bytes(request.response_body))

    def _caller(self) -> Caller:
        """Raises `AccessDeniedException`."""
        caller = self._context.roles.assume(self._role, SERVICE, self._home, _SESSION)
        return dataclasses.replace(caller, scope=self._scope, service=self.name)

    def _form(self, path: str, query: Mapping[str, str], prepared: Prepared) -> bytes:
        """A request of the query protocol: what the URI says, the mappings and the body."""
        fields = dict(query)
        if self._action is not None:
            fields["Action"] = self._action
        fields.setdefault("Version", VERSIONS[self.name])
        if self.name == "sqs" and path != "/":
            fields["QueueUrl"] = f"https://sqs.{self._scope.region}.amazonaws.com{path}"
        kind = prepared.header("content-type") or prepared.content_type
        if not prepared.body or kind.partition(";")[0].strip().lower() != FORM:
            return urlencode(fields).encode()
        return b"&".join([urlencode(fields).encode(), prepared.body])
