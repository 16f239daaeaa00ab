"""Mapping templates of integrations: which one is used, with which variables, and where.

A template is rendered at once with a small budget. If that does not suffice, it is rendered again
in a thread: nothing but its own variables has changed.
"""

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

from lambent.kit.computing import LOOP_BYTES_MAX, computed
from lambent.triggers.apis.parameters import Parameters
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.vtl.budget import (
    STEPS_MAX,
    Budget,
    InputError,
    OverBudget,
    TemplateError,
)
from lambent.triggers.apis.vtl.gateway import UTIL, input_variable
from lambent.triggers.apis.vtl.template import compile_template

STEPS_AT_ONCE = 2_000
"""Steps that a template may take on the event loop: about five milliseconds."""
_JSON = "application/json"


class Rendering(NamedTuple):
    """What goes into a template."""

    template: str
    body: str
    parameters: Parameters
    context: Mapping[str, Any]
    variables: Mapping[str, str]
    response_override: Mapping[str, Any] = {}
    """What the request template has set; see `Rendered`."""


class Rendered(NamedTuple):
    """What comes out."""

    text: str
    request_override: Mapping[str, Any]
    """By `header`, `path` and `querystring`."""
    response_override: Mapping[str, Any]
    """`header` and `status`."""


def render_nowait(rendering: Rendering) -> Rendered | None:
    """Render with the small budget; None if that does not suffice. Raises `TemplateError`."""
    if len(rendering.body) > LOOP_BYTES_MAX or len(rendering.template) > LOOP_BYTES_MAX // 2:
        return None
    try:
        return _render(rendering, STEPS_AT_ONCE)
    except OverBudget:
        return None


async def render(rendering: Rendering) -> Rendered:
    """Render in a thread. Raises `TemplateError`."""
    return await computed(_render, rendering, STEPS_MAX)


def _render(rendering: Rendering, steps: int) -> Rendered:
    overrides = {
        "requestOverride": {"header": {}, "path": {}, "querystring": {}},
        "responseOverride": {"header": {}, **copy.deepcopy(dict(rendering.response_override))},
    }
    context: dict[str, Any] = {**copy.deepcopy(dict(rendering.context)), **overrides}
    variables = {
        "context": context,
        "input": input_variable(rendering.body, rendering.parameters.single()),
        "stageVariables": dict(rendering.variables),
        "util": UTIL,
    }
    text = compile_template(rendering.template).render(variables, Budget(steps))
    return Rendered(
        text, _map(context.get("requestOverride")), _map(context.get("responseOverride"))
    )


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def request_error(error: TemplateError) -> GatewayError:
    """What a client gets whose request cannot be transformed."""
    if isinstance(error, InputError):
        return GatewayError("BAD_REQUEST_BODY", str(error), message=str(error)[:500])
    return GatewayError("API_CONFIGURATION_ERROR", f"The template fails: {error}")


def choose_request_template(
    templates: Mapping[str, str | None], content_type: str, passthrough: str
) -> str | None:
    """The template for a request's media type, which is JSON if it names none; None if the body
    passes through as it is. Raises `GatewayError` (415) if it may not.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/integration-passthrough-behaviors.html
    """
    template = templates.get(content_type or _JSON)
    if template is not None:
        return template
    may_pass = passthrough == "WHEN_NO_MATCH" or (
        passthrough == "WHEN_NO_TEMPLATES" and not templates
    )
    if not may_pass:
        raise GatewayError("UNSUPPORTED_MEDIA_TYPE")
    return None
