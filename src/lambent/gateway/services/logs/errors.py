"""Errors of CloudWatch Logs, and the group that a request is about."""

from lambent.gateway.call import Call
from lambent.model.errors import ApiError
from lambent.model.resources import LogGroupKey, log_group_of


def group_of(call: Call) -> LogGroupKey:
    """The group that a request names. Raises as `parse_log_group`."""
    return log_group_of(call.params, call.scope)


def invalid(message: str) -> ApiError:
    """`InvalidParameterException`."""
    return ApiError("InvalidParameterException", message)


def not_found(message: str) -> ApiError:
    """`ResourceNotFoundException`."""
    return ApiError("ResourceNotFoundException", message)


def no_group() -> ApiError:
    """`ResourceNotFoundException` for a group."""
    return not_found("The specified log group does not exist.")


def no_stream() -> ApiError:
    """`ResourceNotFoundException` for a stream."""
    return not_found("The specified log stream does not exist.")
