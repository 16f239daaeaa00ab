"""Errors of user pools, in AWS's words."""

from lambent.model.errors import ApiError

INCORRECT = "Incorrect username or password."
WRONG_CODE = "Invalid verification code provided, please try again."


def invalid(message: str) -> ApiError:
    """400 `InvalidParameterException`."""
    return ApiError("InvalidParameterException", message)


def not_authorized(message: str = INCORRECT) -> ApiError:
    """400 `NotAuthorizedException`."""
    return ApiError("NotAuthorizedException", message)


def missing(message: str) -> ApiError:
    """400 `ResourceNotFoundException`."""
    return ApiError("ResourceNotFoundException", message)


def user_not_found(message: str = "User does not exist.") -> ApiError:
    """400 `UserNotFoundException`."""
    return ApiError("UserNotFoundException", message)


def wrong_code() -> ApiError:
    """400 `CodeMismatchException`."""
    return ApiError("CodeMismatchException", WRONG_CODE)


def not_offered(what: str) -> ApiError:
    """400 `InvalidParameterException`: the platform does not do this."""
    return invalid(f"Lambent does not offer {what}.")
