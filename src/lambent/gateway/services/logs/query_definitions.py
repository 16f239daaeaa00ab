"""Saved queries: PutQueryDefinition, DescribeQueryDefinitions, DeleteQueryDefinition."""

from collections.abc import Mapping

from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.gateway.services.logs.errors import invalid
from lambent.gateway.services.logs.rooms import LogsRooms
from lambent.gateway.services.logs.tokens import page_of, with_token


async def put_query_definition(rooms: LogsRooms, call: Call) -> Members:
    """PutQueryDefinition."""
    params = call.params
    if params.get("queryLanguage", "CWLI") != "CWLI":
        raise invalid("Lambent offers the query language CWLI.")
    if params.get("parameters"):
        raise invalid("Lambent does not offer parameters of queries: leave them out.")
    return {"queryDefinitionId": await rooms.definitions.put(call.scope, params)}


async def describe_query_definitions(rooms: LogsRooms, call: Call) -> Members:
    """DescribeQueryDefinitions."""
    params = call.params
    prefix = params.get("queryDefinitionNamePrefix", "")
    found = [
        each
        for each in await rooms.definitions.list(call.scope)
        if each["name"].startswith(prefix) and params.get("queryLanguage", "CWLI") == "CWLI"
    ]
    limits = {"limit": params.get("maxResults", 1000), "nextToken": params.get("nextToken")}
    page, token = page_of(found, limits, 1000, lambda each: each["queryDefinitionId"])
    return with_token({"queryDefinitions": page}, token)


async def delete_query_definition(rooms: LogsRooms, call: Call) -> Members:
    """DeleteQueryDefinition."""
    await rooms.definitions.delete(call.scope, call.params["queryDefinitionId"])
    return {"success": True}


OPERATIONS: Mapping[str, Operation[LogsRooms]] = {
    "PutQueryDefinition": put_query_definition,
    "DescribeQueryDefinitions": describe_query_definitions,
    "DeleteQueryDefinition": delete_query_definition,
}
