"""Execution roles: the identity that a function's code acts with, and its permissions.

A relaxed platform checks no execution role; every `require…` returns at once there.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
"""

from lambent.identity.authorizer import ASSUME_ROLE, Access, Authorizer, Caller
from lambent.identity.keyring import Keyring
from lambent.model.arn import AccountId, Arn
from lambent.model.credentials import Credentials
from lambent.model.delivery import rights_at
from lambent.model.errors import ApiError, invalid_parameter
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.identity import Identity, session_principal
from lambent.model.policy import AccessRequest, Verdict, decide, statements_of
from lambent.model.principal import service

_UNKNOWN_ROLE_ID = "AROA"
"""A relaxed platform accepts roles that do not exist."""


class ExecutionRoles:
    """Issues the credentials of execution roles and checks what the roles may do."""

    def __init__(self, keyring: Keyring, authorizer: Authorizer, *, session_s: float) -> None:
        self._keyring = keyring
        self._authorizer = authorizer
        self._session_s = session_s

    @property
    def are_checked(self) -> bool:
        """Whether roles must exist and policies decide."""
        return self._authorizer.is_strict

    def credentials(self, function: FunctionVersion) -> Credentials:
        """Temporary credentials of the function's role. They belong to the function's account,
        also if the role's ARN was made up."""
        role = self._keyring.role(function.role)
        principal = session_principal(
            function.role,
            function.key.name,
            role_id=role.id if role is not None else _UNKNOWN_ROLE_ID,
            account=function.key.account,
        )
        return self._keyring.sessions.issue(principal, lifetime_s=self._session_s)

    def require_assumable(self, role_arn: str, account: AccountId) -> None:
        """Check that functions of an account may have this role.

        Raises `AccessDeniedException` for a role of another account,
        `InvalidParameterValueException` for one that does not exist or does not trust Lambda.
        """
        if not self.are_checked:
            return
        if Arn.parse(role_arn).account != account:
            raise ApiError(
                "AccessDeniedException", "Cross-account pass role is not allowed.", status=403
            )
        role = self._keyring.role(role_arn)
        if role is None or not _trusts_lambda(role):
            raise invalid_parameter(
                "The role defined for the function cannot be assumed by Lambda."
            )

    async def require(self, key: FunctionKey, role_arn: str, action: str, resource: str) -> None:
        """Check that a function's role may do an action (`sqs:ReceiveMessage`) to a resource, an
        ARN. Raises `AccessDeniedException`."""
        if not self.are_checked:
            return
        principal = session_principal(
            role_arn, key.name, role_id=_UNKNOWN_ROLE_ID, account=key.account
        )
        caller = Caller(principal=principal, scope=key.scope, service=None, access_key_id=None)
        owner = Arn.parse(resource).account or key.account
        await self._authorizer.check(caller, Access(action, resource, owner))

    async def require_call(
        self, key: FunctionKey, role_arn: str, action: str, resource: str, service_name: str
    ) -> None:
        """As `require`, for a configuration that needs the action. `service_name` is for the
        error's message (`SQS`). Raises `InvalidParameterValueException`."""
        try:
            await self.require(key, role_arn, action, resource)
        except ApiError as error:
            if error.status >= 500:
                raise
            raise invalid_parameter(
                "The provided execution role does not have permissions to call"
                f" {action.partition(':')[2]} on {service_name}"
            ) from error

    async def require_delivery(
        self, key: FunctionKey, role_arn: str, target: str, object_prefix: str = ""
    ) -> None:
        """Check that a function's role may deliver records to a target, an ARN; in a bucket, to
        objects whose keys begin with the prefix. Raises `InvalidParameterValueException`."""
        for service_name, action, resource in rights_at(target, object_prefix):
            await self.require_call(key, role_arn, action, resource, service_name)


def _trusts_lambda(role: Identity) -> bool:
    request = AccessRequest(
        principal=service("lambda.amazonaws.com"), action=ASSUME_ROLE, resource=role.arn
    )
    trust = statements_of([role.trust or {}])
    return decide(request, identity=(), resource=trust, owner=role.key.account) is Verdict.ALLOWED
