"""Parameter mappings of HTTP APIs: what cannot be evaluated later is refused."""

from collections.abc import Callable, Mapping
from typing import Any

from lambent.control.apis.errors import bad_request
from lambent.model.parameter_mapping import parse_request_changes, parse_response_changes
from lambent.model.service_integrations import Subtype, parse_parameters


def check_request_parameters(parameters: Mapping[str, str]) -> None:
    """Raise `BadRequestException` for a mapping of requests that is none."""
    _check(parse_request_changes, parameters)


def check_response_parameters(parameters: Mapping[str, Mapping[str, str]]) -> None:
    """Raise `BadRequestException` for a mapping of responses that is none."""
    _check(parse_response_changes, parameters)


def check_service_parameters(subtype: Subtype, parameters: Mapping[str, str]) -> None:
    """Raise `BadRequestException` for parameters of an AWS service that are missing, unknown, or
    no mapping."""
    _check(lambda given: parse_parameters(subtype, given), parameters)


def _check(parse: Callable[[Any], object], parameters: Mapping[str, Any]) -> None:
    try:
        parse(parameters)
    except ValueError as error:
        raise bad_request(str(error)) from error
