"""What forbids to run a version now, whatever the limits."""

from lambent.model.errors import ApiError, conflict, invalid_parameter
from lambent.model.function import FunctionVersion


def state_error(function: FunctionVersion) -> ApiError | None:
    """The error of a call that the version's state forbids; None if the version may run."""
    if function.state == "Pending" and function.snap_starts:
        return ApiError(
            "SnapStartNotReadyException",
            "Lambda is initializing your function. It will be ready to invoke once your"
            " function state becomes ACTIVE.",
            status=409,
        )
    if function.state == "Pending":
        return conflict(
            "The operation cannot be performed at this time. "
            "The function is currently in the following state: Pending"
        )
    if function.state == "Failed" and function.snap_starts:
        return ApiError("SnapStartException", function.state_reason or "", status=400)
    if function.state == "Failed":
        return ApiError(
            "InvalidZipFileException",
            function.state_reason or "The function's deployment package cannot be used.",
            status=502,
        )
    return None


def tenant_error(function: FunctionVersion, tenant_id: str) -> ApiError | None:
    """The error of a call that names a tenant although the function does not isolate tenants, or
    names none although it does."""
    if function.isolates_tenants and not tenant_id:
        return invalid_parameter(
            "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in"
            " your request and try again."
        )
    if tenant_id and not function.isolates_tenants:
        return invalid_parameter(
            "The invoked function is not enabled with tenancy configuration. Remove the tenant ID"
            " from your request and try again."
        )
    return None
