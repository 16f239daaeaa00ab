"""The operations on REST APIs. Each is a use case of the same name."""

import datetime
from collections.abc import Mapping
from functools import partial
from typing import Any

from lambent.control.apis.v1.operations import OFFERED, RestApis
from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation

_MOMENTS = ("createdDate", "lastUpdatedDate", "certificateUploadDate")
"""Members that are stored as seconds since 1970."""
_LISTS = ("items", "item")


async def _perform(name: str, apis: RestApis, call: Call) -> Members:
    return with_moments(await apis.perform(name, call.scope, call.params))


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


OPERATIONS: Mapping[str, Operation[RestApis]] = {
    name: partial(_perform, name) for name in sorted(OFFERED)
}
