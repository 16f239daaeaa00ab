"""What each operation of STS needs permission for."""

from collections.abc import Mapping, Sequence

from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import Difference, Key, Needs, Resource, Values, each
from lambent.model.errors import ApiError
from lambent.model.resources import parse_role_arn


async def _assumed_role(asked: Asked) -> Sequence[Target]:
    role = parse_role_arn(asked.params["RoleArn"])
    if role is None:
        raise ApiError("ValidationError", f"{asked.params['RoleArn']} is invalid")
    return [Target(role.arn, role.account)]


async def _external_id(asked: Asked) -> Values:
    value = asked.params.get("ExternalId")
    return {} if value is None else {"sts:externalid": [value]}


async def _session_name(asked: Asked) -> Values:
    return {"sts:rolesessionname": [asked.params["RoleSessionName"]]}


PERMISSIONS: Mapping[str, Needs] = {
    **each(
        "sts",
        ("AssumeRole",),
        Resource(("role",), _assumed_role),
        Key("sts:ExternalId", _external_id),
        Key("sts:RoleSessionName", _session_name),
    ),
    "GetCallerIdentity": (),
    "GetSessionToken": (),
}

_NO_POLICY = "No policy decides about it, as in AWS."
_SESSIONS = "Session tags and source identities are not offered; a request with them is refused."
DIFFERENCES = (
    Difference("action sts:GetCallerIdentity", False, _NO_POLICY),
    Difference("action sts:GetSessionToken", False, _NO_POLICY),
    Difference("key aws:RequestTag/${TagKey}", False, _SESSIONS, ("sts:AssumeRole",)),
    Difference("key aws:TagKeys", False, _SESSIONS, ("sts:AssumeRole",)),
    Difference("key sts:SourceIdentity", False, _SESSIONS),
    Difference("key sts:TransitiveTagKeys", False, _SESSIONS),
)
