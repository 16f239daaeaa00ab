"""The operations on REST APIs. Nearly each is a use case of the same name."""

import datetime
from collections.abc import Mapping
from functools import partial
from typing import Any

from lambent.control.apis.errors import unsupported
from lambent.control.apis.v1.operations import OFFERED
from lambent.control.apis.v1.stage_patches import check_variables
from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.gateway.services.apigateway.rooms import RestApiRooms, Trials
from lambent.model.stack_documents import TOKEN_TAG

_MOMENTS = ("createdDate", "lastUpdatedDate", "certificateUploadDate")
"""Members that are stored as seconds since 1970."""
_LISTS = ("items", "item")


async def _perform(name: str, rooms: RestApiRooms, call: Call) -> Members:
    return with_moments(await rooms.apis.perform(name, call.scope, call.params))


async def _create_deployment(rooms: RestApiRooms, call: Call) -> Members:
    params = {**call.params, TOKEN_TAG: call.caller.token}
    return with_moments(await rooms.apis.perform("CreateDeployment", call.scope, params))


async def _test_invoke_method(rooms: RestApiRooms, call: Call) -> Members:
    return await _trials(rooms, call).invoke_method(call.scope, call.params)


async def _test_invoke_authorizer(rooms: RestApiRooms, call: Call) -> Members:
    return await _trials(rooms, call).invoke_authorizer(call.scope, call.params)


def _trials(rooms: RestApiRooms, call: Call) -> Trials:
    check_variables(call.params.get("stageVariables") or {})
    if "clientCertificateId" in call.params:
        raise unsupported("client certificates")
    if rooms.trials is None:
        raise unsupported("requests to APIs without a data plane")
    return rooms.trials


def with_moments(output: Mapping[str, Any]) -> dict[str, Any]:
    """Output members with moments in place of seconds, also in lists."""
    members = dict(output)
    for name in _MOMENTS:
        if name in members:
            members[name] = datetime.datetime.fromtimestamp(members[name], datetime.UTC)
    for name in _LISTS:
        if isinstance(members.get(name), list):
            members[name] = [with_moments(item) for item in members[name]]
    return members


OPERATIONS: Mapping[str, Operation[RestApiRooms]] = {
    **{name: partial(_perform, name) for name in sorted(OFFERED)},
    "CreateDeployment": _create_deployment,
    "TestInvokeAuthorizer": _test_invoke_authorizer,
    "TestInvokeMethod": _test_invoke_method,
}
