"""StartLiveTail: what is logged, as a stream of events, until the client has seen enough."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambent.gateway.call import Call, Members
from lambent.gateway.protocols.event_stream import CONTENT_TYPE, encode_event, encode_exception
from lambent.gateway.request import Request, WriteResponse
from lambent.gateway.services.logs.rooms import LogsRooms
from lambent.kit.clock import Clock
from lambent.kit.computing import computed
from lambent.model.errors import ApiError
from lambent.model.resources import parse_log_group
from lambent.telemetry.live_tail import SESSION_S_MAX, SESSIONS_MAX, Followed, LiveTails, Update
from lambent.telemetry.patterns import compile_pattern

_JSON = "application/json"
_UPDATE_S = 1.0
_FOLLOWED = "followed"
_ECHOED = ("logGroupIdentifiers", "logStreamNames", "logStreamNamePrefixes")


async def start_live_tail(rooms: LogsRooms, call: Call) -> Members:
    """StartLiveTail; `write_live_tail` writes the stream."""
    params = call.params
    names, prefixes = params.get("logStreamNames"), params.get("logStreamNamePrefixes")
    if names and prefixes:
        raise _invalid("Specify either logStreamNames or logStreamNamePrefixes, not both.")
    groups = groups_of(params["logGroupIdentifiers"], call)
    if (names or prefixes) and len(groups) > 1:
        raise _invalid("Names and prefixes of log streams need exactly one log group.")
    pattern = params.get("logEventFilterPattern", "")
    matches = compile_pattern(pattern)
    if not rooms.tails.has_room(call.scope.account):
        raise ApiError(
            "LimitExceededException",
            f"There are {SESSIONS_MAX} Live Tail sessions. End one of them first.",
        )
    for group in groups:
        if not await rooms.logs.has_group(*call.scope, group):
            raise ApiError("ResourceNotFoundException", "The specified log group does not exist.")
    followed = Followed(
        scope=call.scope,
        groups=groups,
        streams=frozenset(names or ()),
        prefixes=tuple(prefixes or ()),
        pattern=pattern,
        matches=matches,
    )
    start = {name: params[name] for name in _ECHOED if params.get(name)}
    if pattern:
        start["logEventFilterPattern"] = pattern
    session = {"requestId": call.request_id, "sessionId": str(uuid.uuid4()), **start}
    return {_FOLLOWED: followed, "sessionStart": session}


def groups_of(identifiers: Sequence[str], call: Call) -> tuple[str, ...]:
    """The names of groups, each once. Raises `ApiError`."""
    return tuple(
        dict.fromkeys(parse_log_group(None, each, call.scope).name for each in identifiers)
    )


def live_tail_writer(
    tails: LiveTails, clock: Clock, is_closing: Callable[[], bool]
) -> WriteResponse:
    """Writes sessions. They end with the client, after three hours, and when the platform stops."""

    async def write(request: Request, output: Members) -> None:
        followed: Followed = output[_FOLLOWED]
        exchange = request.exchange
        is_writable = _Writable()
        exchange.on_writable(is_writable.note)
        headers = [("Content-Type", CONTENT_TYPE), ("x-amzn-RequestId", request.request_id)]
        with tails.open(followed) as tail:
            ends = clock.monotonic() + SESSION_S_MAX
            first = await tails.next_update(tail)
            exchange.start(200, headers)
            exchange.write(encode_event("initial-response", _JSON, b"{}"))
            exchange.write(_event("sessionStart", output["sessionStart"]))
            if first.events:
                exchange.write(await _encoded(first, followed, clock))
            while exchange.is_open and not is_closing():
                await clock.sleep(_UPDATE_S)
                if clock.monotonic() >= ends:
                    exchange.write(_timeout())
                    break
                if is_writable.is_behind:
                    continue
                data = await _encoded(await tails.next_update(tail), followed, clock)
                is_writable.is_behind = not exchange.write(data)
        exchange.finish()

    return write


class _Writable:
    """Whether a client keeps up."""

    def __init__(self) -> None:
        self.is_behind = False

    def note(self) -> None:
        """It has caught up."""
        self.is_behind = False


async def _encoded(update: Update, followed: Followed, clock: Clock) -> bytes:
    account, now_ms = followed.scope.account, int(clock.now() * 1000)
    document = {
        "sessionMetadata": {"sampled": update.is_sampled},
        "sessionResults": [
            {
                "logStreamName": line.stream,
                "logGroupIdentifier": f"{account}:{group}",
                "message": line.message.decode("utf-8", "replace"),
                "timestamp": line.timestamp_ms,
                "ingestionTime": now_ms,
            }
            for group, line in update.events
        ],
    }
    return await computed(_event, "sessionUpdate", document)


def _event(name: str, document: Mapping[str, Any]) -> bytes:
    return encode_event(name, _JSON, json.dumps(document).encode())


def _timeout() -> bytes:
    hours = int(SESSION_S_MAX // 3600)
    message = f"The session has timed out after {hours} hours."
    return encode_exception(
        "SessionTimeoutException", _JSON, json.dumps({"message": message}).encode()
    )


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)
