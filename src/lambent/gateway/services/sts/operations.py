"""Operations on temporary credentials."""

import dataclasses
import datetime
import re
from collections.abc import Mapping

from lambent.control.identities import Identities
from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.identity.session_tokens import SessionTokens
from lambent.model.credentials import Credentials
from lambent.model.errors import ApiError
from lambent.model.identity import Identity, session_principal

_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_GET_SESSION_S = 43_200
_SHORT_S = 3600
"""For a session of the root, and of a role that was assumed by another role's session."""
_NOT_OFFERED = (
    *("Policy", "PolicyArns", "ProvidedContexts", "SerialNumber", "SourceIdentity", "Tags"),
    *("TokenCode", "TransitiveTagKeys"),
)
"""Would change the rights of a session. A relaxed platform, where everything is allowed, ignores
them."""


@dataclasses.dataclass(frozen=True, slots=True)
class StsRooms:
    """What the operations need of the platform."""

    identities: Identities
    sessions: SessionTokens
    is_strict: bool


async def get_caller_identity(rooms: StsRooms, call: Call) -> Members:
    """GetCallerIdentity."""
    principal = call.caller.principal
    return {
        "Account": principal.account,
        "UserId": principal.user_id,
        "Arn": principal.arn,
    }


async def get_session_token(rooms: StsRooms, call: Call) -> Members:
    """GetSessionToken."""
    principal = call.caller.principal
    if principal.is_session:
        raise _denied("Cannot call GetSessionToken with session credentials")
    if rooms.is_strict:
        _require_offered(call)
    lifetime_s = call.params.get("DurationSeconds", _GET_SESSION_S)
    if rooms.is_strict and principal.kind == "root":
        lifetime_s = min(lifetime_s, _SHORT_S)
    principal = dataclasses.replace(principal, session_key=call.caller.access_key_id)
    return {"Credentials": _view(rooms.sessions.issue(principal, lifetime_s=lifetime_s))}


async def assume_role(rooms: StsRooms, call: Call) -> Members:
    """AssumeRole. Whether the caller may was decided before."""
    caller, arn = call.caller.principal, call.params["RoleArn"]
    session = call.params["RoleSessionName"]
    if _SESSION_NAME.fullmatch(session) is None:
        raise ApiError("ValidationError", "RoleSessionName is not valid.")
    if rooms.is_strict:
        _require_offered(call)
        if caller.kind == "root":
            raise _denied("Roles may not be assumed by root accounts.")
    role = await rooms.identities.role(arn)
    lifetime_s = call.params.get("DurationSeconds", _SHORT_S)
    _check_lifetime(lifetime_s, role, is_chained=caller.kind == "role")
    role_id = role.id if role is not None else "AROA"
    principal = session_principal(arn, session, role_id=role_id)
    return {
        "Credentials": _view(rooms.sessions.issue(principal, lifetime_s=lifetime_s)),
        "AssumedRoleUser": {"AssumedRoleId": principal.user_id, "Arn": principal.arn},
    }


OPERATIONS: Mapping[str, Operation[StsRooms]] = {
    "GetCallerIdentity": get_caller_identity,
    "GetSessionToken": get_session_token,
    "AssumeRole": assume_role,
}


def _check_lifetime(lifetime_s: int, role: Identity | None, *, is_chained: bool) -> None:
    if role is not None and lifetime_s > role.max_session_s:
        raise ApiError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )
    if is_chained and lifetime_s > _SHORT_S:
        raise ApiError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by"
            " role chaining.",
        )


def _require_offered(call: Call) -> None:
    for member in _NOT_OFFERED:
        if call.params.get(member):
            raise ApiError(
                "ValidationError",
                f"Lambent does not offer {member}: a session has all rights of its role or user,"
                " without multi-factor authentication. Leave it out.",
            )


def _denied(message: str) -> ApiError:
    return ApiError("AccessDenied", message, status=403)


def _view(credentials: Credentials) -> Members:
    return {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": datetime.datetime.fromtimestamp(credentials.expires_at, datetime.UTC),
    }
