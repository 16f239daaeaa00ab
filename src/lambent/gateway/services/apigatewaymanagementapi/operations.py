"""The operations on clients that are connected to a WebSocket API.

The request says which API and stage they are about by the address it is sent to. What finds that
out adds `ApiId` and `Stage` to the parameters.
"""

import datetime
import re
from collections.abc import Mapping
from typing import Protocol

from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.model.errors import ApiError

_ID = re.compile(r"[A-Za-z0-9_+/-]{8,64}={0,2}")


class ConnectionStatus(Protocol):
    """What is known of a connection."""

    @property
    def connected_at(self) -> float:
        """Epoch seconds."""
        ...

    @property
    def last_active_at(self) -> float:
        """Epoch seconds: when a message was sent or received last."""
        ...

    @property
    def source_ip(self) -> str: ...

    @property
    def user_agent(self) -> str: ...


class Connections(Protocol):
    """The open connections of all WebSocket APIs. A connection is named by its API, its stage and
    its id; for one that is not open, the methods return None or False. Raises `ApiError` if the
    node that has it does not answer."""

    async def status_of(self, api_id: str, stage: str, id: str) -> ConnectionStatus | None:
        """What is known of it."""
        ...

    async def post(self, api_id: str, stage: str, id: str, text: bytes) -> bool | None:
        """Send a message, which is UTF-8; False if the client does not read and too much waits."""
        ...

    async def disconnect(self, api_id: str, stage: str, id: str) -> bool:
        """Close it."""
        ...


async def post_to_connection(connections: Connections, call: Call) -> Members:
    """PostToConnection: a message for the client."""
    data: bytes = call.params.get("Data", b"")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise ApiError(
            "BadRequestException",
            f"Data is not UTF-8 at byte {error.start}: WebSocket APIs send text, as in AWS."
            " Encode binary data, for example with base64.",
        ) from error
    sent = await connections.post(*_connection_of(call), data)
    if sent is None:
        raise _gone()
    if not sent:
        raise ApiError(
            "LimitExceededException",
            "The client does not read its messages, and too many bytes wait for it.",
            status=429,
        )
    return {}


async def get_connection(connections: Connections, call: Call) -> Members:
    """GetConnection: since when, and from where."""
    status = await connections.status_of(*_connection_of(call))
    if status is None:
        raise _gone()
    return {
        "ConnectedAt": _time(status.connected_at),
        "LastActiveAt": _time(status.last_active_at),
        "Identity": {"SourceIp": status.source_ip, "UserAgent": status.user_agent},
    }


async def delete_connection(connections: Connections, call: Call) -> Members:
    """DeleteConnection: close it."""
    if not await connections.disconnect(*_connection_of(call)):
        raise _gone()
    return {}


OPERATIONS: Mapping[str, Operation[Connections]] = {
    "DeleteConnection": delete_connection,
    "GetConnection": get_connection,
    "PostToConnection": post_to_connection,
}


def _connection_of(call: Call) -> tuple[str, str, str]:
    """API, stage and id. Raises `BadRequestException` for an id that is none."""
    params = call.params
    if _ID.fullmatch(params["ConnectionId"]) is None:
        shown = params["ConnectionId"][:64]
        raise ApiError("BadRequestException", f"Invalid connectionId: {shown}")
    return params["ApiId"], params["Stage"], params["ConnectionId"]


def _gone() -> ApiError:
    return ApiError("GoneException", "The connection is not open.", status=410)


def _time(epoch_s: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC)
