"""Errors a caller of the API may see.

One class serves every error of every service model: the model says status code and the
name of the message member, so typing each exception by hand would only repeat it. A
function's own failure is never one of these; it is an Outcome (`model/invocation.py`).
"""

from collections.abc import Mapping


class ApiError(Exception):
    """A request was refused; rendered once, in the gateway, by the service's model.

    `code` is AWS's exception name (`ResourceNotFoundException`), `message` AWS's wording.
    `members` are further members of the error's shape, for example `{"Reason": "…"}`.
    `status` is only needed for errors the service model does not define
    (`ValidationException`, `AccessDeniedException`); the model's status wins otherwise.
    A member that is None, such as `Type` of some errors, is left out.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 400,
        members: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members: Mapping[str, object] = members or {}


class InitFailed(Exception):
    """A version that is initialised when it is published cannot be; the message says why.
    `reason_code` is one of `StateReasonCode` of the service model."""

    def __init__(self, message: str, reason_code: str) -> None:
        super().__init__(message)
        self.reason_code = reason_code


def invalid_parameter(message: str) -> ApiError:
    """400 `InvalidParameterValueException`: a value is well-formed but not acceptable."""
    return ApiError("InvalidParameterValueException", message)


def invalid_parameter_untyped(message: str) -> ApiError:
    """As `invalid_parameter`; of these AWS leaves out `Type`."""
    return ApiError("InvalidParameterValueException", message, members={"Type": None})


def not_found(message: str) -> ApiError:
    """404 `ResourceNotFoundException`."""
    return ApiError("ResourceNotFoundException", message, status=404)


class FunctionNotFound(ApiError):
    """404 `ResourceNotFoundException`: there is no such function, version or alias to call."""

    def __init__(self, message: str) -> None:
        super().__init__("ResourceNotFoundException", message, status=404)


def conflict(message: str) -> ApiError:
    """409 `ResourceConflictException`."""
    return ApiError("ResourceConflictException", message, status=409)


def service_failure(code: str = "ServiceException") -> ApiError:
    """500: a bug of ours, or something of the machine's, which was logged; the caller gets no
    details."""
    return ApiError(code, "An error occurred and the request cannot be processed.", status=500)
