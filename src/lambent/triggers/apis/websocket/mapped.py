"""Integrations that are no proxies of functions: `AWS`, `HTTP`, `HTTP_PROXY` and `MOCK`.

A template makes the request of the backend from a message, another one makes the message for the
client from the backend's response. Which ones, selection expressions say. Proxies have no
templates.
https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-data-mapping.html
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.kit.computing import computed
from lambent.kit.linear_regex import compile_pattern
from lambent.kit.strict_json import parse_loosely
from lambent.kit.tasks import start_task
from lambent.model.document import Body
from lambent.model.selection_expressions import Selection, parse_selection
from lambent.triggers.apis.backends.exchange import BackendError, BackendResponse, Prepared
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.parameters import last_values
from lambent.triggers.apis.vtl.budget import TemplateError
from lambent.triggers.apis.vtl.gateway import UTIL, input_variable
from lambent.triggers.apis.vtl.template import compile_template
from lambent.triggers.apis.websocket.answers import (
    BAD_RESULT,
    FAILED,
    LATE,
    MESSAGE_BYTES_MAX,
    Answer,
)
from lambent.triggers.apis.websocket.backends import Backend, Failed
from lambent.triggers.apis.websocket.events import RouteRequest
from lambent.triggers.apis.websocket.integrations import Done
from lambent.triggers.apis.websocket.mapping import map_request, map_response, reads_bodies

_DEFAULT = "$default"
_JSON = "application/json"
_UNSUPPORTED = Answer(415, error="Unsupported Media Type")
_BAD_PARAMETERS = Answer(400, error="Bad Request Parameters")
_ANSWERS = {
    "API_CONFIGURATION_ERROR": FAILED,
    "BAD_REQUEST_PARAMETERS": _BAD_PARAMETERS,
    "INTEGRATION_FAILURE": BAD_RESULT,
    "INTEGRATION_TIMEOUT": LATE,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """Templates by key, and what selects one of them."""

    by_key: Mapping[str, str]
    selection: Selection | None

    @classmethod
    def of(cls, body: Body, member: str) -> "Templates":
        """Those of a document. Raises ValueError for an expression that is none."""
        expression = body.get("TemplateSelectionExpression")
        return cls(
            by_key=body.get(member) or {},
            selection=None if not expression else parse_selection(expression),
        )

    def choose(self, values: Mapping[str, Any], unselected: str = _DEFAULT) -> str | None:
        """The template that is selected, else `$default`; None if there is none. `unselected` is
        the key if nothing selects."""
        key = unselected if self.selection is None else self.selection.evaluate(values)
        return self.by_key.get(key, self.by_key.get(_DEFAULT))


class Response:
    """What an integration makes of responses with certain statuses."""

    def __init__(self, body: Body) -> None:
        """Raises ValueError for an expression that is none."""
        self.templates = Templates.of(body, "ResponseTemplates")
        self.parameters: Mapping[str, str] = body.get("ResponseParameters") or {}


class MappedIntegration:
    """See the module."""

    def __init__(
        self,
        context: ApiContext,
        backend: Backend,
        body: Body,
        responses: Sequence[Body],
        *,
        is_proxy: bool = False,
    ) -> None:
        """`responses` are the integration's responses. Raises ValueError for an expression that is
        none."""
        self._context = context
        self._backend = backend
        self._is_proxy = is_proxy
        self._templates = Templates.of(body, "RequestTemplates")
        self._passthrough = body.get("PassthroughBehavior") or "WHEN_NO_MATCH"
        self._parameters: Mapping[str, str] = body.get("RequestParameters") or {}
        self._reads_bodies = reads_bodies(self._parameters)
        self._responses = {
            response["IntegrationResponseKey"]: Response(response) for response in responses
        }
        self._patterns = [
            (compile_pattern(key[1:-1]), response)
            for key, response in self._responses.items()
            if len(key) > 1 and key.startswith("/") and key.endswith("/")
        ]
        """Such as `/2\\d\\d/`."""

    def run(self, request: RouteRequest, done: Done) -> None:
        """See `Integration`."""
        start_task(self._context.tasks, lambda _: done(FAILED), self._run, request, done)

    async def _run(self, request: RouteRequest, done: Done) -> None:
        try:
            answer = await self._serve(request)
        except Failed as failed:
            answer = failed.answer
        except BackendError as error:
            answer = _ANSWERS[error.type]._replace(detail=str(error))
        except (TemplateError, ValueError) as error:
            answer = FAILED._replace(detail=f"The template fails: {error}")
        except TimeoutError:
            answer = LATE
        done(answer)

    async def _serve(self, request: RouteRequest) -> Answer:
        context = request.context()
        values = {"request": {"body": _json_of(request.body or "")}, "context": context}
        text = request.body or ""
        if not self._is_proxy:
            text = await self._request_text(request, context, values)
        parameters = await self._map(request, context)
        prepared = Prepared(text.encode("utf-8", "replace"), parameters, _JSON)
        return await self._answer(
            await self._backend.call(prepared, request), request, context, values
        )

    # -- the request of the backend ------------------------------------------------------------

    async def _request_text(
        self, request: RouteRequest, context: dict[str, Any], values: Mapping[str, Any]
    ) -> str:
        """Raises `TemplateError` and `Failed`."""
        text = request.body or ""
        template = self._templates.choose(values)
        if template is not None:
            return await self._render(template, text, request, context)
        if self._passthrough == "NEVER" or (
            self._passthrough == "WHEN_NO_TEMPLATES" and self._templates.by_key
        ):
            raise Failed(_UNSUPPORTED)
        return text

    async def _map(
        self, request: RouteRequest, context: Mapping[str, Any]
    ) -> Mapping[str, Mapping[str, str]]:
        given = request.body or "", request.parameters(), context, request.stage_variables
        if self._reads_bodies:
            return await computed(map_request, self._parameters, *given)
        return map_request(self._parameters, *given)

    # -- the answer to the client --------------------------------------------------------------

    async def _answer(
        self,
        response: BackendResponse,
        request: RouteRequest,
        context: dict[str, Any],
        values: dict[str, Any],
    ) -> Answer:
        """Raises `TemplateError` and ValueError."""
        if self._is_proxy:
            headers: Mapping[str, str] = last_values(response.headers)
            return _checked(Answer(response.status, response.body, headers))
        chosen = self._response_of(response.status)
        if chosen is None:
            return _checked(Answer(response.status, response.body))
        values["integration"] = {"response": {"statuscode": response.status}}
        template = chosen.templates.choose(values, unselected=str(response.status))
        body = response.body
        if template is not None:
            made = await self._render(template, body.decode("utf-8", "replace"), request, context)
            body = made.encode("utf-8", "replace")
        given = chosen.parameters, response, context, request.stage_variables
        headers = await computed(map_response, *given) if chosen.parameters else {}
        return _checked(Answer(response.status, body, headers))

    def _response_of(self, status: int) -> Response | None:
        """The response for a status: its own, that of a pattern, or the default."""
        own = self._responses.get(str(status))
        if own is not None:
            return own
        for pattern, response in self._patterns:
            if pattern.matches(str(status)):
                return response
        return self._responses.get(_DEFAULT)

    async def _render(
        self, template: str, text: str, request: RouteRequest, context: dict[str, Any]
    ) -> str:
        """Raises `TemplateError`."""
        variables = {
            "input": input_variable(text, request.parameters().single()),
            "util": UTIL,
            "context": context,
            "stageVariables": dict(request.stage_variables),
        }
        return await computed(compile_template(template).render, variables)


def _checked(answer: Answer) -> Answer:
    """An answer that a client can get: messages are texts, and not too large."""
    if len(answer.body) > MESSAGE_BYTES_MAX:
        return BAD_RESULT._replace(detail="The response is larger than a message may be.")
    try:
        answer.body.decode()
    except UnicodeDecodeError:
        return BAD_RESULT._replace(detail="The response is no text.")
    return answer


def _json_of(text: str) -> Any:
    try:
        return parse_loosely(text)
    except ValueError:
        return None
