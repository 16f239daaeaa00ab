"""Who may sign in."""

from lambent.control.cognito.errors import not_authorized
from lambent.control.cognito.users import RESET_REQUIRED, UNCONFIRMED
from lambent.model.errors import ApiError
from lambent.store.pool_users import PoolUser


def check_account(user: PoolUser) -> None:
    """Raise `ApiError` for a user who may not sign in."""
    if not user.document["enabled"]:
        raise not_authorized("User is disabled.")
    if user.document["status"] == UNCONFIRMED:
        raise ApiError("UserNotConfirmedException", "User is not confirmed.")
    if user.document["status"] == RESET_REQUIRED:
        raise ApiError("PasswordResetRequiredException", "Password reset required for the user")
