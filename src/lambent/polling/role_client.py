"""Calls of AWS services as the execution role of a mapping's function."""

from collections.abc import Mapping
from typing import Any

from lambent.aws.client import AwsClient, AwsUnreachable, error_code
from lambent.aws.errors import ClientError
from lambent.identity.execution_roles import ExecutionRoles
from lambent.model.arn import AccountId, Region
from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey
from lambent.polling.ports import DATABASE_AWAY, SourceError

NOT_ALLOWED = "EVENT_SOURCE_AUTHZ_ERROR"
_PREFIXES = {"dynamodbstreams": "dynamodb"}


class RoleClient:
    """Calls AWS services as one role in one region."""

    def __init__(
        self, aws: AwsClient, roles: ExecutionRoles, key: FunctionKey, role: str, region: Region
    ) -> None:
        self._aws = aws
        self._roles = roles
        self._key = key
        self.role = role
        """The role's ARN."""
        self.region = region

    async def require(self, action: str, resource: str) -> None:
        """Raise `SourceError` unless the role may do an action to a resource."""
        try:
            await self._roles.require(self._key, self.role, action, resource)
        except ApiError as error:
            if error.status >= 500:
                raise SourceError(DATABASE_AWAY) from error
            raise SourceError(
                f"PROBLEM: The execution role is not allowed to call {action}", reason=NOT_ALLOWED
            ) from error

    async def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        resource: str,
        action: str | None = None,
        account: AccountId | None = None,
        deadline_s: float = 20.0,
    ) -> Any:
        """Make one request about a resource, an ARN, and return the members of the response.
        `action` is what the role must be allowed, if it has another name than the operation;
        `account` is the resource's, if it is not the function's.

        Raises `ClientError` when the service refuses, `SourceError` when it does not respond or the
        role is not allowed.
        """
        await self.require(action or f"{_PREFIXES.get(service, service)}:{operation}", resource)
        try:
            return await self._aws.call(
                service,
                operation,
                parameters,
                region=self.region,
                account=account or self._key.account,
                deadline_s=deadline_s,
            )
        except AwsUnreachable as error:
            raise unreachable(str(error)) from error


def unreachable(detail: str) -> SourceError:
    """The source does not respond."""
    return SourceError(
        "PROBLEM: Connection error. The event source cannot be reached", detail=detail
    )


def refused(error: ClientError) -> SourceError:
    """A service refused a request for a reason that the source has no better text for."""
    details = error.response.get("Error", {})
    code = error_code(error)
    is_denied = "AccessDenied" in code or code in ("UnrecognizedClientException", "AuthFailure")
    return SourceError(
        f"PROBLEM: {code}: {details.get('Message', '')}"[:500],
        reason=NOT_ALLOWED if is_denied else "",
    )
