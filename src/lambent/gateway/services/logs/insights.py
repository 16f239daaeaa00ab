"""Queries of CloudWatch Logs Insights: StartQuery, GetQueryResults, StopQuery, DescribeQueries; and
single events by their pointers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.gateway.call import Call, Members, missing_header, without_nodes
from lambent.gateway.definitions import Operation
from lambent.gateway.protocols.protocol import WireResponse
from lambent.gateway.request import Request, send
from lambent.gateway.services.logs.errors import invalid, not_found
from lambent.gateway.services.logs.rooms import LogsRooms
from lambent.gateway.services.logs.tokens import page_of, with_token
from lambent.kit.computing import computed
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.model.resources import LogGroupKey, parse_log_group
from lambent.telemetry.insights.all_queries import Listed
from lambent.telemetry.insights.query import compile_query
from lambent.telemetry.insights.records import Record, Source, parse_pointer
from lambent.telemetry.insights.runner import WAITING_MAX, Asked, TooManyQueries
from lambent.telemetry.insights.scanner import QueryError
from lambent.telemetry.insights.values import text_of

GROUPS_MAX = 50
_SECONDS_MAX = 10**10
"""Times above are in milliseconds; the API takes both."""
_ROWS, _REST = "rows", "rest"


async def start_query(rooms: LogsRooms, call: Call) -> Members:
    """StartQuery."""
    params = call.params
    if params.get("queryLanguage", "CWLI") != "CWLI":
        raise invalid("Lambent offers the query language CWLI.")
    groups = names_of_query(params, call.scope)
    start_ms, end_ms = _milliseconds(params["startTime"]), _milliseconds(params["endTime"])
    if params["endTime"] < _SECONDS_MAX:
        end_ms += 999  # The second is included.
    if start_ms > end_ms:
        raise invalid("endTime is before startTime.")
    await computed(check_query, params["queryString"], params.get("limit"))
    kept_since: dict[str, int] = {}
    for group in groups:
        if not await rooms.logs.has_group(*call.scope, group):
            raise _no_group(group, call)
        kept_since[group] = await rooms.groups.oldest_ms(LogGroupKey(call.scope, group))
    asked = Asked(
        scope=call.scope,
        text=params["queryString"],
        groups=kept_since,
        start_ms=start_ms,
        end_ms=end_ms,
        limit=params.get("limit"),
    )
    try:
        query = rooms.queries.start(asked)
    except TooManyQueries as error:
        message = f"There are {WAITING_MAX} queries that have not ended. Wait for one of them."
        raise ApiError("LimitExceededException", message) from error
    return {"queryId": query.id}


def names_of_query(params: Mapping[str, Any], scope: Scope) -> Sequence[str]:
    """The names of the groups that StartQuery is about. Raises `ApiError`."""
    given = [
        params[name]
        for name in ("logGroupName", "logGroupNames", "logGroupIdentifiers")
        if params.get(name)
    ]
    if len(given) != 1:
        raise invalid("Specify exactly one of logGroupName, logGroupNames, logGroupIdentifiers.")
    identifiers = [given[0]] if isinstance(given[0], str) else given[0]
    if len(identifiers) > GROUPS_MAX:
        raise invalid(f"A query has at most {GROUPS_MAX} log groups.")
    keys = [parse_log_group(None, each, scope) for each in identifiers]
    return tuple(dict.fromkeys(key.name for key in keys))


def check_query(text: str, limit: int | None = None) -> None:
    """Raises `MalformedQueryException` for a query that cannot be run."""
    try:
        compile_query(text, limit=limit, now_ms=0)
    except QueryError as error:
        location = {"startCharOffset": error.start, "endCharOffset": error.end}
        raise ApiError(
            "MalformedQueryException",
            f"{error.message} (characters {error.start} to {error.end})",
            members={"queryCompileError": {"location": location, "message": error.message}},
        ) from error


async def get_query_results(rooms: LogsRooms, call: Call) -> Members:
    """GetQueryResults; `write_query_results` writes it. The rows are JSON already, so that a large
    result is not encoded on the event loop."""
    params = call.params
    first = _offset_of(params.get("nextToken"))
    found = await rooms.queries.results(
        call.scope, params["queryId"], first, params.get("maxItems")
    )
    if found is None:
        raise _no_query()
    last = first + len(found.rows)
    rest: dict[str, Any] = {
        "queryLanguage": "CWLI",
        "status": found.status,
        "statistics": {**found.statistics, "resultCount": float(found.total)},
    }
    if last < found.total:
        rest["nextToken"] = str(last)
    return without_nodes({_ROWS: found.rows, _REST: rest}, found.missing)


async def write_query_results(request: Request, output: Members) -> None:
    """Write what `get_query_results` returned."""
    rows: Sequence[bytes] = output[_ROWS]
    rest = json.dumps(output[_REST]).encode().removeprefix(b"{")
    body = b"".join((b'{"results":[', b",".join(rows), b"],", rest))
    headers = [("Content-Type", "application/x-amz-json-1.1"), *missing_header(output)]
    send(request.exchange, WireResponse(200, headers, body), request.request_id)


async def stop_query(rooms: LogsRooms, call: Call) -> Members:
    """StopQuery."""
    stopped = await rooms.queries.stop(call.scope, call.params["queryId"])
    if stopped is None:
        raise _no_query()
    if not stopped:
        raise invalid("The query has ended already.")
    return {"success": True}


async def describe_queries(rooms: LogsRooms, call: Call) -> Members:
    """DescribeQueries, newest first."""
    params = call.params
    group, status = params.get("logGroupName"), params.get("status")
    queries, missing = await rooms.queries.all_of(call.scope)
    found = [
        query
        for query in queries
        if (group is None or group in query.groups)
        and (status is None or status == query.status)
        and params.get("queryLanguage", "CWLI") == "CWLI"
    ]
    limits = {"limit": params.get("maxResults", 1000), "nextToken": params.get("nextToken")}
    page, token = page_of(found, limits, 1000, lambda query: query.id)
    output = with_token({"queries": [_query_view(query) for query in page]}, token)
    return without_nodes(output, missing)


async def get_log_record(rooms: LogsRooms, call: Call) -> Members:
    """GetLogRecord: all fields of an event, by its `@ptr`."""
    try:
        group, stream, position = parse_pointer(call.params["logRecordPointer"])
    except ValueError as error:
        raise invalid("The specified logRecordPointer is invalid.") from error
    event = await rooms.logs.event_at(*call.scope, group, stream, position)
    if event is None:
        raise not_found("The specified log record does not exist.")
    record = Record(Source(call.scope.account, group, stream), event)
    fields = await computed(record.automatic_fields)
    return {"logRecord": {name: text_of(value) for name, value in fields.items()}}


def _no_query() -> ApiError:
    return not_found("The specified query does not exist.")


def _query_view(query: Listed) -> Members:
    return {
        "queryLanguage": "CWLI",
        "queryId": query.id,
        "queryString": query.text,
        "status": query.status,
        "createTime": query.created_ms,
        "logGroupName": query.groups[0],
        "queryDuration": query.duration_ms,
        "bytesScanned": query.bytes_scanned,
    }


def _offset_of(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isascii() or not token.isdecimal() or len(token) > 9:
        raise invalid("The specified nextToken is invalid.")
    return int(token)


def _milliseconds(value: int) -> int:
    return value if value >= _SECONDS_MAX else value * 1000


def _no_group(group: str, call: Call) -> ApiError:
    account, region = call.scope
    return ApiError(
        "ResourceNotFoundException",
        f"Log group '{group}' does not exist for account ID '{account}' in {region}.",
    )


OPERATIONS: Mapping[str, Operation[LogsRooms]] = {
    "StartQuery": start_query,
    "GetQueryResults": get_query_results,
    "StopQuery": stop_query,
    "DescribeQueries": describe_queries,
    "GetLogRecord": get_log_record,
}
