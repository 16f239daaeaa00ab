"""`AWS` with another service than Lambda: `action/` and `path/`.

The request that the templates make is served as one of the integration's role: a strict platform
asks the role's policies. A service is the emulator's, or a server that the settings name.
https://docs.aws.amazon.com/apigateway/latest/api/API_Integration.html
"""

import dataclasses
import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode

import anyio

from lambent.identity.authorizer import Caller
from lambent.kit.tasks import start_task
from lambent.model.arn import Region
from lambent.model.document import Body
from lambent.model.errors import ApiError
from lambent.model.function_uris import expand_variables
from lambent.model.names import is_region
from lambent.model.rest_services import FORM, SERVICE_URI, TARGETS, VERSIONS
from lambent.triggers.apis.api import Stage
from lambent.triggers.apis.calls import SERVICE
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.inner_exchange import InnerExchange
from lambent.triggers.apis.rest.integration_responses import IntegrationResult
from lambent.triggers.apis.rest.integrations.custom import Done, Prepared
from lambent.triggers.apis.rest.integrations.integration import TIMEOUT_MS

_VARIABLE = re.compile(r"\{([^{}]{1,128})\}")
_SESSION = "BackplaneAssumeRoleSession"
_PASSED = frozenset({"content-type", "x-amz-target", "accept", "cache-control"})
"""Headers that mappings may set, with all that begin with `x-amz-meta-`: others say who asks."""


class ServiceBackend:
    """See the module."""

    def __init__(
        self, context: ApiContext, stage: Stage, body: Body, variables: Mapping[str, str]
    ) -> None:
        """Raises ValueError if the document names no service that is known."""
        uri = expand_variables(body.get("uri") or "", variables)
        found = SERVICE_URI.fullmatch(uri)
        if found is None or not is_region(found["region"]):
            raise ValueError(f"No service is known for {uri[:200]!r}.")
        self._context = context
        self._service = found["service"]
        self._scope = stage.root.scope._replace(region=Region(found["region"]))
        self._home = stage.root.scope
        self._action = found["name"]
        """None if the URI has a path."""
        self._path = (found["rest"] or "").lstrip("/")
        self._role = body.get("credentials") or ""
        self._method = body.get("httpMethod") or "POST"
        self._timeout_s = (body.get("timeoutInMillis") or TIMEOUT_MS) / 1000

    def begin(self, call: RestCall, prepared: Prepared, done: Done) -> None:
        """See `Backend`."""
        exchange = self._request(prepared)
        call.note(f"Sending request to {self._service}: {exchange.method} {exchange.path}")
        start_task(self._context.tasks, call.fail, self._exchange, call, exchange, done)

    async def _exchange(self, call: RestCall, exchange: InnerExchange, done: Done) -> None:
        refusals: list[ApiError] = []

        def refuse(error: ApiError) -> None:
            refusals.append(error)
            exchange.abort()

        try:
            with anyio.fail_after(self._timeout_s):
                if not self._context.forward(exchange, self._caller(), self._service, refuse):
                    raise ApiError("UnknownServiceException", f"Nothing serves {self._service}.")
                await exchange.wait()
        except ApiError as error:
            refusals.append(error)
        except TimeoutError:
            call.refuse(GatewayError("INTEGRATION_TIMEOUT", "The integration has timed out."))
            return
        if refusals or not exchange.status or exchange.is_too_large:
            reason = refusals[0].message if refusals else "The response is incomplete."
            call.refuse(GatewayError("INTEGRATION_FAILURE", reason))
            return
        headers: dict[str, list[str]] = {}
        for name, value in exchange.response_headers:
            headers.setdefault(name.lower(), []).append(value)
        status = exchange.status
        done(call, IntegrationResult(status, headers, bytes(exchange.response_body), str(status)))

    def _caller(self) -> Caller:
        """Raises `AccessDeniedException`."""
        caller = self._context.roles.assume(self._role, SERVICE, self._home, _SESSION)
        return dataclasses.replace(caller, scope=self._scope, service=self._service)

    def _request(self, prepared: Prepared) -> InnerExchange:
        """Raises `GatewayError`."""
        given = prepared.parameters
        headers = {"content-type": prepared.content_type}
        for name, value in given["header"].items():
            lowered = name.lower()
            if lowered in _PASSED or lowered.startswith("x-amz-meta-"):
                headers[lowered] = value
        headers["host"] = f"{self._service}.{self._scope.region}.amazonaws.com"
        query, body, method = given["querystring"], prepared.body, self._method
        path = f"/{_VARIABLE.sub(lambda found: _variable(given['path'], found[1]), self._path)}"
        if self._action is not None and self._service in TARGETS:
            prefix, version = TARGETS[self._service]
            headers["x-amz-target"] = f"{prefix}.{self._action}"
            headers["content-type"] = f"application/x-amz-json-{version}"
        elif self._service in VERSIONS:
            headers["content-type"], method = FORM, "POST"
            body, query, path = self._form(path, query, prepared), {}, "/"
        if self._service != "s3":
            method, path = "POST", "/"
        return InnerExchange(method, path, urlencode(query), list(headers.items()), body)

    def _form(self, path: str, query: Mapping[str, str], prepared: Prepared) -> bytes:
        """A request of the query protocol: what the URI says, the mappings and the body."""
        fields = dict(query)
        if self._action is not None:
            fields["Action"] = self._action
        fields.setdefault("Version", VERSIONS[self._service])
        if self._service == "sqs" and path != "/":
            fields["QueueUrl"] = f"https://sqs.{self._scope.region}.amazonaws.com{path}"
        parts = [urlencode(fields).encode()]
        kind = prepared.parameters["header"].get("Content-Type", prepared.content_type)
        if prepared.body and kind.partition(";")[0].strip().lower() == FORM:
            parts.append(prepared.body)
        return b"&".join(parts)


def _variable(path: Mapping[str, str], name: str) -> str:
    value = path.get(name)
    if value is None:
        raise GatewayError(
            "API_CONFIGURATION_ERROR", f"Nothing is mapped to the variable {name[:100]!r}."
        )
    if any(part in (".", "..") for part in value.split("/")):
        raise GatewayError("BAD_REQUEST_PARAMETERS", "A path leads out of the bucket.")
    return quote(value, safe="/~-._")
