"""Responses of integrations that are no proxies: which one is chosen, and what it makes.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-integration-settings-integration-response.html
"""

from collections.abc import Mapping
from typing import NamedTuple

from lambent.kit.linear_regex import PatternError, Work, compile_pattern
from lambent.model.document import Body
from lambent.triggers.apis.parameters import Multi, Parameters, body_value, source_value
from lambent.triggers.apis.rest.gateway_responses import GatewayError

_JSON = "application/json"
_HEADER = "method.response.header."


class IntegrationResult(NamedTuple):
    """What an integration returned."""

    status: int
    headers: Multi
    body: bytes
    selector: str
    """What selection patterns are matched with: the status, or the error message of a function."""


def choose_response(responses: Mapping[str, Body], selector: str) -> Body:
    """The response whose pattern matches all of the selector, else the one without a pattern.
    Raises `GatewayError` if there is none."""
    default = None
    for body in responses.values():
        pattern = body.get("selectionPattern")
        if not pattern:
            default = default or body
        elif _matches(pattern, selector):
            return body
    if default is None:
        raise GatewayError("API_CONFIGURATION_ERROR", "No integration response matches.")
    return default


def _matches(pattern: str, selector: str) -> bool:
    try:
        return compile_pattern(pattern).matches(selector, Work())
    except PatternError as error:
        raise GatewayError("API_CONFIGURATION_ERROR", f"{pattern[:100]!r}: {error}") from None


def choose_template(templates: Mapping[str, str | None], accept: str) -> tuple[str, str | None]:
    """The content type of a response, and the template for it; None if the body stays as it is."""
    if not templates:
        return _JSON, None
    if accept in templates:
        return accept, templates[accept]
    kind = _JSON if _JSON in templates else next(iter(templates))
    return kind, templates[kind]


def mapped_headers(
    mappings: Mapping[str, str],
    result: IntegrationResult,
    context: Mapping[str, object],
    variables: Mapping[str, str],
) -> list[tuple[str, str]]:
    """The headers that `responseParameters` make: `method.response.header.X` from a literal, a
    header or a part of the body of the integration's response, `context` or a stage variable."""
    of_integration = Parameters(result.headers, {}, {})
    headers = []
    for target, source in mappings.items():
        if not target.startswith(_HEADER):
            continue
        if source.startswith("integration.response.body"):
            value = body_value(result.body, source.removeprefix("integration.response.body"))
        else:
            value = source_value(
                source, of_integration, context, variables, prefix="integration.response"
            )
        if value is not None:
            headers.append((target.removeprefix(_HEADER), value))
    return headers
