"""How documents look in responses."""

import datetime
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lambent.gateway.call import Call, Members

_TIMES = ("CreatedDate", "LastUpdatedDate")


def shown(output: Mapping[str, Any], call: Call, domain: str) -> Members:
    """Output members: times as datetimes, APIs and lists of them with their addresses."""
    members = dict(output)
    for name in _TIMES:
        if name in members:
            members[name] = datetime.datetime.fromtimestamp(members[name], datetime.UTC)
    if "ProtocolType" in members:
        members["ApiEndpoint"] = api_endpoint(
            members["ApiId"], members["ProtocolType"], call, domain
        )
    if "Items" in members:
        members["Items"] = [shown(item, call, domain) for item in members["Items"]]
    return members


def api_endpoint(api: str, protocol: str, call: Call, domain: str) -> str:
    """Where an API is reached, with the scheme and port by which the caller has reached the
    platform: `https://<id>.execute-api.<region>.<domain>`."""
    reached = urlsplit(call.endpoint)
    port = reached.netloc.rpartition("]")[2].partition(":")[2]
    scheme = (
        reached.scheme if protocol == "HTTP" else {"http": "ws", "https": "wss"}[reached.scheme]
    )
    host = f"{api}.execute-api.{call.scope.region}.{domain}"
    return f"{scheme}://{host}{':' + port if port else ''}"
