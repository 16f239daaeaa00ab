"""Errors that both models of API Gateway have."""

from lambent.model.errors import ApiError


def bad_request(message: str) -> ApiError:
    """400 `BadRequestException`."""
    return ApiError("BadRequestException", message)


def not_found(message: str, **members: object) -> ApiError:
    """404 `NotFoundException`."""
    return ApiError("NotFoundException", message, status=404, members=members)


def conflict(message: str) -> ApiError:
    """409 `ConflictException`."""
    return ApiError("ConflictException", message, status=409)


def too_many(message: str) -> ApiError:
    """429 `TooManyRequestsException`; AWS uses it for quotas of resources as well."""
    return ApiError("TooManyRequestsException", message, status=429)


def unsupported(what: str) -> ApiError:
    """400 `BadRequestException`: what is not enforced here cannot be configured."""
    return bad_request(f"Lambent does not support {what}.")
