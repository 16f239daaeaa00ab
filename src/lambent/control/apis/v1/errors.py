"""Errors that only REST APIs have: see `control.apis.errors` for the others."""

from lambent.model.errors import ApiError


def limit_exceeded(message: str) -> ApiError:
    """429 `LimitExceededException`: a quota of the account or of an API is reached."""
    return ApiError("LimitExceededException", message, status=429)


def invalid_mapping(expression: str) -> ApiError:
    """400 `BadRequestException`: what a parameter is mapped to is nothing that a request has."""
    return ApiError(
        "BadRequestException",
        "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid"
        f" mapping expression specified: {expression[:200]}]",
    )
