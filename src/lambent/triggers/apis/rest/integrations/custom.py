"""Integrations that are no proxies: templates make the request for the backend, and the response of
it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings.html
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from lambent.kit.computing import LOOP_BYTES_MAX, computed
from lambent.kit.tasks import start_task
from lambent.model.document import Body
from lambent.triggers.apis.backends.exchange import Prepared
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.parameters import body_value, source_value
from lambent.triggers.apis.rest.binary import (
    UndecodableError,
    converted_request,
    converted_response,
    is_binary,
    media_type_of,
)
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.integration_responses import (
    IntegrationResult,
    choose_response,
    choose_template,
    mapped_headers,
)
from lambent.triggers.apis.rest.templates import (
    Rendered,
    Rendering,
    choose_request_template,
    render,
    render_nowait,
    request_error,
)
from lambent.triggers.apis.vtl.budget import TemplateError
from lambent.triggers.url_response import is_sendable_header

_REQUEST = "integration.request."
_BODY = "method.request.body"


Done = Callable[[RestCall, IntegrationResult], None]


class Backend(Protocol):
    """What an integration sends its requests to."""

    def begin(self, call: RestCall, prepared: Prepared, done: Done) -> None:
        """Send a request; `done` is called with what comes back, or the call is refused. Raises
        `GatewayError`."""
        ...


def takes_long_to_map(body: Body, call: RestCall) -> bool:
    """Whether a large body is read for the `requestParameters` of an integration."""
    return len(call.request.exchange.body) > LOOP_BYTES_MAX and any(
        source.startswith(_BODY) for source in (body.get("requestParameters") or {}).values()
    )


def mapped_parameters(body: Body, call: RestCall) -> dict[str, dict[str, str]]:
    """What the `requestParameters` of an integration make, by `header`, `querystring` and `path`.
    May run in a thread; see `takes_long_to_map`."""
    mapped: dict[str, dict[str, str]] = {"header": {}, "querystring": {}, "path": {}}
    sent = call.request.exchange.body
    for target, source in (body.get("requestParameters") or {}).items():
        place, _, name = target.removeprefix(_REQUEST).partition(".")
        if source == _BODY:
            value: str | None = sent.decode("utf-8", "replace")
        elif source.startswith(_BODY):
            value = body_value(sent, source.removeprefix(_BODY))
        else:
            value = source_value(source, call.parameters, call.context, call.variables)
        if value is not None and place in mapped:
            mapped[place][name] = value
    return mapped


class CustomIntegration:
    """See the module."""

    def __init__(
        self, context: ApiContext, body: Body, binary_types: Sequence[str], backend: Backend
    ) -> None:
        self._context = context
        self._body = body
        self._binary_types = binary_types
        self._backend = backend

    # -- the request ---------------------------------------------------------------------------

    def handle(self, call: RestCall) -> None:
        """See `Integration`."""
        kind = media_type_of(call.request.exchange.headers.get("content-type"))
        template = choose_request_template(
            self._body.get("requestTemplates") or {},
            kind,
            self._body.get("passthroughBehavior") or "WHEN_NO_MATCH",
        )
        rendering = None if template is None else self._rendering(call, template)
        try:
            rendered = None if rendering is None else render_nowait(rendering)
        except TemplateError as error:
            raise request_error(error) from None
        is_rendered = rendering is None or rendered is not None
        if is_rendered and not takes_long_to_map(self._body, call):
            self._send(call, rendered, mapped_parameters(self._body, call))
        else:
            start_task(self._context.tasks, call.fail, self._handle_slowly, call, rendering)

    async def _handle_slowly(self, call: RestCall, rendering: Rendering | None) -> None:
        try:
            rendered = None if rendering is None else await render(rendering)
            mapped = await computed(mapped_parameters, self._body, call)
            self._send(call, rendered, mapped)
        except TemplateError as error:
            call.refuse(request_error(error))
        except GatewayError as error:
            call.refuse(error)

    def _rendering(self, call: RestCall, template: str) -> Rendering:
        body = self._converted(call)
        return Rendering(
            template,
            body.decode("utf-8", "replace"),
            call.parameters,
            call.context,
            call.variables,
        )

    def _converted(self, call: RestCall) -> bytes:
        handling = self._body.get("contentHandling")
        try:
            return converted_request(
                call.request.exchange.body, call.is_binary(self._binary_types), handling
            )
        except UndecodableError as error:
            raise GatewayError("API_CONFIGURATION_ERROR", str(error)) from None

    def _send(
        self, call: RestCall, rendered: Rendered | None, mapped: dict[str, dict[str, str]]
    ) -> None:
        if rendered is None:
            body = self._converted(call)
        else:
            body = rendered.text.encode("utf-8", "replace")
            call.response_override = rendered.response_override
            for place, values in rendered.request_override.items():
                if place in mapped and isinstance(values, Mapping):
                    mapped[place] |= {name: _text(value) for name, value in values.items()}
        call.note_data("Endpoint request headers", mapped["header"])
        call.note_data("Endpoint request body after transformations", body)
        kind = call.request.exchange.headers.get("content-type") or "application/json"
        self._backend.begin(call, Prepared(body, mapped, kind), self.done)

    # -- the response --------------------------------------------------------------------------

    def done(self, call: RestCall, result: IntegrationResult) -> None:
        """The backend has responded."""
        if call.is_done:
            return
        call.integration_status = result.status
        call.note(f"Received response. Status: {result.status}")
        call.note_data("Endpoint response headers", result.headers)
        call.note_data("Endpoint response body before transformations", result.body)
        try:
            response = choose_response(
                self._body.get("integrationResponses") or {}, result.selector
            )
            self._respond(call, result, response)
        except GatewayError as error:
            call.refuse(error)

    def _respond(self, call: RestCall, result: IntegrationResult, response: Body) -> None:
        accept = media_type_of(call.request.exchange.headers.get("accept"))
        kind, template = choose_template(response.get("responseTemplates") or {}, accept)
        body = self._converted_back(call, result, response)
        if not template:
            self._finish(call, response, result, body, kind, None)
            return
        rendering = Rendering(
            template,
            body.decode("utf-8", "replace"),
            call.parameters,
            call.context,
            call.variables,
            call.response_override,
        )
        try:
            rendered = render_nowait(rendering)
        except TemplateError as error:
            raise _response_error(error) from None
        if rendered is not None:
            self._finish(call, response, result, rendered.text.encode(), kind, rendered)
        else:
            start_task(
                self._context.tasks,
                call.fail,
                self._respond_slowly,
                call,
                response,
                result,
                kind,
                rendering,
            )

    async def _respond_slowly(
        self,
        call: RestCall,
        response: Body,
        result: IntegrationResult,
        kind: str,
        rendering: Rendering,
    ) -> None:
        try:
            rendered = await render(rendering)
            self._finish(call, response, result, rendered.text.encode(), kind, rendered)
        except TemplateError as error:
            call.refuse(_response_error(error))
        except GatewayError as error:
            call.refuse(error)

    def _converted_back(self, call: RestCall, result: IntegrationResult, response: Body) -> bytes:
        types = self._binary_types
        kinds = result.headers.get("content-type") or [""]
        accept = media_type_of(call.request.exchange.headers.get("accept"))
        handling = response.get("contentHandling")
        if not types and not handling:
            return result.body
        try:
            return converted_response(
                result.body,
                is_binary(media_type_of(kinds[-1]), types),
                is_binary(accept, types),
                handling,
            )
        except UndecodableError as error:
            raise GatewayError("API_CONFIGURATION_ERROR", str(error)) from None

    def _finish(
        self,
        call: RestCall,
        response: Body,
        result: IntegrationResult,
        body: bytes,
        kind: str,
        rendered: Rendered | None,
    ) -> None:
        override = call.response_override if rendered is None else rendered.response_override
        headers = mapped_headers(
            response.get("responseParameters") or {}, result, call.context, call.variables
        )
        replaced = override.get("header")
        for name, value in (replaced if isinstance(replaced, Mapping) else {}).items():
            headers = [item for item in headers if item[0].lower() != name.lower()]
            values = value if isinstance(value, list) else [value]
            headers += [(name, _text(item)) for item in values]
        if not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", kind))
        try:
            headers = [item for item in headers if is_sendable_header(item[0])]
        except ValueError as error:
            raise GatewayError("API_CONFIGURATION_ERROR", str(error)) from None
        call.respond(_status(override.get("status"), response), headers, body)


def _status(override: Any, response: Body) -> int:
    chosen = response.get("statusCode") if override in (None, "") else override
    try:
        status = int(str(chosen))
    except ValueError:
        status = 0
    if not 200 <= status <= 599:
        raise GatewayError("API_CONFIGURATION_ERROR", f"The status code {chosen!r} is none.")
    return status


def _response_error(error: TemplateError) -> GatewayError:
    return GatewayError("API_CONFIGURATION_ERROR", f"The response template fails: {error}")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)
