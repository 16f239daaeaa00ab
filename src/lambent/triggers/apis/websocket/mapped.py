"""Integrations with templates: `AWS` with a function, and `MOCK`.

A template makes the request of the backend from a message, another one makes the message for the
client from the backend's response. Which ones, selection expressions say.
https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-data-mapping.html
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from lambent.kit.computing import computed
from lambent.kit.ids import new_request_id
from lambent.kit.linear_regex import compile_pattern
from lambent.kit.strict_json import parse_loosely
from lambent.kit.tasks import start_task
from lambent.model.arn import Scope
from lambent.model.document import Body
from lambent.model.invocation import Refused, Succeeded
from lambent.model.names import FunctionReference
from lambent.model.selection_expressions import Selection, parse_selection
from lambent.triggers.apis.calls import ApiCall, FunctionCalls
from lambent.triggers.apis.context import ApiContext
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
from lambent.triggers.apis.websocket.events import RouteRequest
from lambent.triggers.apis.websocket.integrations import Done

_DEFAULT = "$default"
_UNSUPPORTED = Answer(415, error="Unsupported Media Type")


class Failed(Exception):
    """A backend failed; the answer says how."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.error)
        self.answer = answer


class BackendResponse(NamedTuple):
    """What a backend returned."""

    status: int
    body: str


class Backend(Protocol):
    """What is behind the templates."""

    async def call(self, body: str, request: RouteRequest) -> BackendResponse:
        """Send a request that a template has made. Raises `Failed`."""
        ...


class NoBackend:
    """`MOCK`: the template itself says which status the backend would return."""

    async def call(self, body: str, request: RouteRequest) -> BackendResponse:
        """See `Backend`."""
        try:
            document = parse_loosely(body)
        except ValueError:
            raise Failed(FAILED) from None
        status = document.get("statusCode") if isinstance(document, dict) else None
        if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
            raise Failed(FAILED)
        return BackendResponse(status, body)


class FunctionBackend:
    """`AWS` with a function: what the template makes is the event, and the result is the body."""

    def __init__(
        self,
        calls: FunctionCalls,
        scope: Scope,
        function: FunctionReference,
        source_arn: str,
        role: str | None,
        timeout_s: float,
    ) -> None:
        self._calls = calls
        self._scope = scope
        self._function = function
        self._source_arn = source_arn
        self._role = role
        self._timeout_s = timeout_s

    async def call(self, body: str, request: RouteRequest) -> BackendResponse:
        """See `Backend`."""
        try:
            parse_loosely(body)
        except ValueError:
            raise Failed(FAILED) from None  # Functions take JSON alone.
        call = ApiCall(
            scope=self._scope,
            function=self._function,
            source_arn=self._source_arn,
            event=body.encode(),
            request_id=new_request_id(),
            trace_id=request.connection.trace_id,
            role=self._role,
        )
        outcome = await self._calls.call(call, deadline_s=self._timeout_s)
        if isinstance(outcome, Succeeded):
            return BackendResponse(200, outcome.payload.decode("utf-8", "replace"))
        raise Failed(FAILED if isinstance(outcome, Refused) else BAD_RESULT)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    """Templates by key, and what selects one of them."""

    by_key: Mapping[str, str]
    selection: Selection | None

    @classmethod
    def of(cls, body: Body, member: str) -> "Templates":
        """Those of a document."""
        expression = body.get("TemplateSelectionExpression")
        return cls(
            by_key=body.get(member) or {},
            selection=None if not expression else parse_selection(expression),
        )

    def choose(self, values: Mapping[str, Any]) -> str | None:
        """The template that is selected; None if none is."""
        return None if self.selection is None else self.by_key.get(self.selection.evaluate(values))


class MappedIntegration:
    """See the module."""

    def __init__(
        self, context: ApiContext, backend: Backend, body: Body, responses: Sequence[Body]
    ) -> None:
        """`responses` are the integration's responses. Raises ValueError for an expression that is
        none."""
        self._context = context
        self._backend = backend
        self._templates = Templates.of(body, "RequestTemplates")
        self._passthrough = body.get("PassthroughBehavior") or "WHEN_NO_MATCH"
        self._responses = {
            response["IntegrationResponseKey"]: Templates.of(response, "ResponseTemplates")
            for response in responses
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
        except (TemplateError, ValueError):
            answer = FAILED
        except TimeoutError:
            answer = LATE
        done(answer)

    async def _serve(self, request: RouteRequest) -> Answer:
        text, context = request.body or "", request.context()
        values = {"request": {"body": _json_of(text)}, "context": context}
        template = self._templates.choose(values)
        if template is not None:
            text = await self._render(template, text, request, context)
        elif self._passthrough == "NEVER" or (
            self._passthrough == "WHEN_NO_TEMPLATES" and self._templates.by_key
        ):
            raise Failed(_UNSUPPORTED)
        response = await self._backend.call(text, request)
        made = response.body
        chosen = self._response_of(response.status)
        if chosen is not None:
            values["integration"] = {"response": {"statuscode": response.status}}
            template = chosen.choose(values)
            if template is not None:
                made = await self._render(template, made, request, context)
        body = made.encode("utf-8", "replace")
        return BAD_RESULT if len(body) > MESSAGE_BYTES_MAX else Answer(response.status, body)

    def _response_of(self, status: int) -> Templates | None:
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
            "input": input_variable(text, {}),
            "util": UTIL,
            "context": context,
            "stageVariables": dict(request.stage_variables),
        }
        return await computed(compile_template(template).render, variables)


def _json_of(text: str) -> Any:
    try:
        return parse_loosely(text)
    except ValueError:
        return None
