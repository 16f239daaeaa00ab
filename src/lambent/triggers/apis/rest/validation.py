"""Request validators: required parameters; what checks bodies is in `body_validation`.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
"""

from collections.abc import Mapping
from typing import Any

from lambent.triggers.apis.parameters import Parameters
from lambent.triggers.apis.rest.gateway_responses import GatewayError

STEPS_AT_ONCE = 300
"""Applications of keywords on the event loop: a few milliseconds."""


def missing_parameters(required: Mapping[str, Any], parameters: Parameters) -> list[str]:
    """The names of required parameters that a request lacks. `required` is the method's
    `requestParameters`: `method.request.header.X` and whether it is required."""
    missing = []
    for source, is_required in required.items():
        place, _, name = source.removeprefix("method.request.").partition(".")
        if is_required in (True, "true") and not parameters.of(place, name):
            missing.append(name)
    return missing


def check_parameters(required: Mapping[str, Any], parameters: Parameters) -> None:
    """Raises `GatewayError`."""
    missing = missing_parameters(required, parameters)
    if missing:
        names = ", ".join(missing)
        raise GatewayError(
            "BAD_REQUEST_PARAMETERS", message=f"Missing required request parameters: [{names}]"
        )


class TooManySteps(Exception):
    """A schema and a body take too long."""
