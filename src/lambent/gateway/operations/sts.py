"""Security Token Service: who am I, and let me be somebody else for a while."""

import datetime
import re
from collections.abc import Mapping
from typing import Any

from lambent.control.identities import Identities
from lambent.gateway.call import Call, OperationHandler
from lambent.identity.session_tokens import SessionTokens
from lambent.model.credentials import Credentials
from lambent.model.errors import ApiError
from lambent.model.identity import session_principal
from lambent.model.policy import Request, trusts
from lambent.model.principal import Principal

Answer = Mapping[str, Any]

_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_GET_SESSION_S = 43_200


def operations(
    identities: Identities, sessions: SessionTokens, *, is_strict: bool
) -> Mapping[str, OperationHandler]:
    """The operations of this module, by name."""

    async def get_caller_identity(call: Call) -> Answer:
        principal = call.caller.principal
        return {
            "Account": principal.account,
            "UserId": principal.user_id,
            "Arn": principal.arn,
        }

    async def get_session_token(call: Call) -> Answer:
        lifetime_s = call.params.get("DurationSeconds", _GET_SESSION_S)
        return {"Credentials": _view(sessions.issue(call.caller.principal, lifetime_s=lifetime_s))}

    async def assume_role(call: Call) -> Answer:
        arn, session = call.params["RoleArn"], call.params["RoleSessionName"]
        if _SESSION_NAME.fullmatch(session) is None or arn.count(":") < 5:
            raise ApiError("ValidationError", "RoleArn or RoleSessionName is not valid.")
        lifetime_s = call.params.get("DurationSeconds", 3600)
        role = await identities.role(arn)
        caller = call.caller.principal
        if role is None and is_strict:
            raise _refused(caller, arn)
        if role is not None:
            request = Request(principal=caller, action="sts:AssumeRole", resource=arn)
            if is_strict and not trusts(role.trust or {}, request):
                raise _refused(caller, arn)
            if lifetime_s > role.max_session_s:
                raise ApiError(
                    "ValidationError",
                    "The requested DurationSeconds exceeds the MaxSessionDuration set for this"
                    " role.",
                )
        role_id = role.id if role is not None else "AROA"
        principal = session_principal(arn, session, role_id=role_id)
        return {
            "Credentials": _view(sessions.issue(principal, lifetime_s=lifetime_s)),
            "AssumedRoleUser": {"AssumedRoleId": principal.user_id, "Arn": principal.arn},
        }

    return {
        "GetCallerIdentity": get_caller_identity,
        "GetSessionToken": get_session_token,
        "AssumeRole": assume_role,
    }


def _refused(caller: Principal, arn: str) -> ApiError:
    return ApiError(
        "AccessDenied",
        f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}",
        status=403,
    )


def _view(credentials: Credentials) -> Answer:
    return {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": datetime.datetime.fromtimestamp(credentials.expires_at, datetime.UTC),
    }
