"""Parameters of integrations: what a request for a backend has besides its body, and what of a
backend's response a client gets besides its body.

A message has no headers: there are such of a client that connects only.
https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-data-mapping.html
"""

from collections.abc import Mapping
from typing import Any

from lambent.model.websocket_mapping import REQUEST_TARGET, RESPONSE_HEADER, SOURCES
from lambent.triggers.apis.backends.exchange import BackendResponse
from lambent.triggers.apis.parameters import Parameters, body_value, source_value

_RESPONSE = "integration.response"


def reads_bodies(mappings: Mapping[str, str]) -> bool:
    """Whether messages have to be parsed for these mappings of requests."""
    return any(
        source.startswith(f"{prefix}.body") for source in mappings.values() for prefix in SOURCES
    )


def map_request(
    mappings: Mapping[str, str],
    text: str,
    parameters: Parameters,
    context: Mapping[str, Any],
    variables: Mapping[str, str],
) -> dict[str, dict[str, str]]:
    """What `RequestParameters` make, by `header`, `querystring` and `path`. A source that has no
    value is left out. Blocks for as long as it takes to parse the message."""
    mapped: dict[str, dict[str, str]] = {"header": {}, "querystring": {}, "path": {}}
    for target, source in mappings.items():
        found = REQUEST_TARGET.fullmatch(target)
        prefix = next((known for known in SOURCES if source.startswith(f"{known}.")), "")
        if prefix and source.startswith(f"{prefix}.body"):
            path = source.removeprefix(f"{prefix}.body")
            value = body_value(text.encode(), path) if path else text
        else:
            value = source_value(source, parameters, context, variables, prefix)
        if found is not None and value is not None:
            mapped[found["place"]][found["name"]] = value
    return mapped


def map_response(
    mappings: Mapping[str, str],
    response: BackendResponse,
    context: Mapping[str, Any],
    variables: Mapping[str, str],
) -> dict[str, str]:
    """The headers that `ResponseParameters` make, by lower-case name."""
    of_backend, headers = Parameters(response.headers, {}, {}), dict[str, str]()
    for target, source in mappings.items():
        found = RESPONSE_HEADER.fullmatch(target)
        if source.startswith(f"{_RESPONSE}.body"):
            value = body_value(response.body, source.removeprefix(f"{_RESPONSE}.body"))
        else:
            value = source_value(source, of_backend, context, variables, _RESPONSE)
        if found is not None and value is not None:
            headers[found["name"].lower()] = value
    return headers
