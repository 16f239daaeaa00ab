"""Errors of services, as Cloud Control names them: in a request that has failed, and at once."""

import re
from collections.abc import Mapping
from typing import Final

from lambent.model.errors import ApiError
from lambent.stacks.resources.stability import is_gone, is_taken

_MESSAGE_MAX: Final = 1024
_CODES: Final = (
    (re.compile(r"AccessDenied|NotAuthorized|Unauthorized"), "AccessDenied"),
    (re.compile(r"Thrott|TooManyRequests|RequestLimitExceeded|SlowDown"), "Throttling"),
    (re.compile(r"LimitExceeded|QuotaExceeded"), "ServiceLimitExceeded"),
    (re.compile(r"NotStabilized"), "NotStabilized"),
    (re.compile(r"NotUpdatable"), "NotUpdatable"),
    (re.compile(r"ServiceUnavailable|UnknownService"), "NetworkFailure"),
    (re.compile(r"InternalFailure|InternalError|ServiceException"), "InternalFailure"),
    (re.compile(r"Validation|Invalid|Malformed|Unsupported|BadRequest"), "InvalidRequest"),
)
_EXCEPTIONS: Final[Mapping[str, str]] = {
    "AccessDenied": "AccessDeniedException",
    "InternalFailure": "HandlerInternalFailureException",
    "NotFound": "ResourceNotFoundException",
    "GeneralServiceException": "GeneralServiceException",
}
_OWN: Final = frozenset({"UnsupportedActionException", "InvalidRequestException"})


def code_of(error: ApiError) -> str:
    """ErrorCode of a request that has failed with an error."""
    if is_gone(error):
        return "NotFound"
    for pattern, code in _CODES:
        if pattern.search(error.code):
            return code
    return "AlreadyExists" if is_taken(error) else "GeneralServiceException"


def message_of(error: ApiError) -> str:
    """StatusMessage, of a limited length."""
    return f"{error.message} ({error.code})"[:_MESSAGE_MAX]


def at_once(error: ApiError) -> ApiError:
    """The error of an operation that a service has refused."""
    if error.code in _OWN:
        return error
    code = code_of(error)
    return ApiError(
        _EXCEPTIONS.get(code, f"{code}Exception"), message_of(error), status=error.status
    )


def not_found(type: str, identifier: str) -> ApiError:
    """`ResourceNotFoundException`."""
    message = f"Resource of type '{type}' with identifier '{identifier}' was not found."
    return ApiError("ResourceNotFoundException", message)
