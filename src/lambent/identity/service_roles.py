"""Roles that an AWS service acts with for a resource: the role of an integration, of a target.

A relaxed platform accepts roles that do not exist, and within an account it asks no policy.
"""

from lambent.identity.authorizer import ASSUME_ROLE, Caller
from lambent.identity.keyring import Keyring
from lambent.model.arn import Arn, Scope
from lambent.model.errors import ApiError
from lambent.model.identity import Identity, session_principal
from lambent.model.policy import AccessRequest, Verdict, decide, statements_of
from lambent.model.principal import Principal, service
from lambent.model.variables import Context

_UNKNOWN_ROLE_ID = "AROA"


class ServiceRoles:
    """Makes the callers that services are with a role."""

    def __init__(self, keyring: Keyring, *, are_checked: bool) -> None:
        self._keyring = keyring
        self._are_checked = are_checked
        self._trusting: dict[tuple[str, str], bool] = {}
        self._generation = -1

    def assume(
        self,
        role_arn: str,
        service_name: str,
        scope: Scope,
        session: str,
        *,
        source_arn: str = "",
    ) -> Caller:
        """The service as a session of the role, acting in `scope`, for the resource `source_arn`,
        which trust policies may ask for.

        Raises `AccessDeniedException` if the role belongs to another account than `scope`, does
        not exist or does not trust the service (`apigateway.amazonaws.com`).
        """
        arn = Arn.try_parse(role_arn)
        role = self._keyring.role(role_arn)
        is_ours = arn is not None and arn.account == scope.account
        context = _context(scope, source_arn) if source_arn else {}
        is_trusting = is_ours and role is not None and self._trusts(role, service_name, context)
        if arn is None or (self._are_checked and not is_trusting):
            raise ApiError(
                "AccessDeniedException",
                f"{service_name} cannot assume the role {role_arn[:256]}.",
                status=403,
            )
        role_id = role.id if role is not None else _UNKNOWN_ROLE_ID
        return Caller(
            principal=session_principal(role_arn, session, role_id=role_id),
            scope=scope,
            service=None,
            access_key_id=None,
        )

    def _trusts(self, role: Identity, service_name: str, context: Context) -> bool:
        if context:  # There are as many as schedules.
            return trusts(role, service(service_name), context)
        if self._generation != self._keyring.generation:
            self._generation = self._keyring.generation
            self._trusting.clear()
        key = (role.arn, service_name)
        known = self._trusting.get(key)
        if known is None:
            known = self._trusting[key] = trusts(role, service(service_name))
        return known


def _context(scope: Scope, source_arn: str) -> Context:
    return {"aws:sourcearn": (source_arn,), "aws:sourceaccount": (scope.account,)}


def trusts(role: Identity, principal: Principal, context: Context | None = None) -> bool:
    """Whether a role lets a principal assume it."""
    request = AccessRequest(
        principal=principal, action=ASSUME_ROLE, resource=role.arn, context=context or {}
    )
    trust = statements_of([role.trust or {}])
    return decide(request, identity=(), resource=trust, owner=role.key.account) is Verdict.ALLOWED
