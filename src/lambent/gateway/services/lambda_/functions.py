"""Operations on functions."""

from typing import Any

from lambent.gateway.call import Call, Members
from lambent.gateway.services.lambda_.rooms import LambdaRooms
from lambent.gateway.services.lambda_.views import function_configuration, qualified_arn


async def create_function(rooms: LambdaRooms, call: Call) -> Members:
    """CreateFunction."""
    version = await rooms.control.functions.create(call.scope, call.params)
    # Unqualified even if version 1 was published and is shown.
    return function_configuration(version, arn=version.key.arn)


async def get_function(rooms: LambdaRooms, call: Call) -> Members:
    """GetFunction."""
    found = await rooms.control.functions.get(call.scope, call.params)
    output: dict[str, Any] = {
        "Configuration": function_configuration(found.version, arn=found.reference.arn),
        "Code": {
            "RepositoryType": "S3",
            "Location": rooms.links.url(call.endpoint, found.version.code_key),
        },
    }
    denied = call.hidden.get("Tags")
    if denied is not None:
        output["TagsError"] = {"ErrorCode": denied.code, "Message": denied.message}
    elif found.tags:
        output["Tags"] = found.tags
    if found.reserved_concurrency is not None:
        output["Concurrency"] = {"ReservedConcurrentExecutions": found.reserved_concurrency}
    return output


async def get_function_configuration(rooms: LambdaRooms, call: Call) -> Members:
    """GetFunctionConfiguration."""
    found = await rooms.control.functions.get(call.scope, call.params)
    return function_configuration(found.version, arn=found.reference.arn)


async def list_functions(rooms: LambdaRooms, call: Call) -> Members:
    """ListFunctions."""
    page = await rooms.control.functions.list(call.scope, call.params)
    has_all_versions = call.params.get("FunctionVersion") == "ALL"
    output: dict[str, Any] = {
        "Functions": [
            function_configuration(
                version,
                arn=qualified_arn(version) if has_all_versions else version.key.arn,
                is_listed=True,
            )
            for version in page.items
        ]
    }
    if page.next_marker is not None:
        output["NextMarker"] = page.next_marker
    return output


async def update_function_configuration(rooms: LambdaRooms, call: Call) -> Members:
    """UpdateFunctionConfiguration."""
    version = await rooms.control.functions.update_configuration(call.scope, call.params)
    return function_configuration(version, arn=version.arn)


async def update_function_code(rooms: LambdaRooms, call: Call) -> Members:
    """UpdateFunctionCode."""
    version = await rooms.control.functions.update_code(call.scope, call.params)
    return function_configuration(version, arn=version.arn)


async def delete_function(rooms: LambdaRooms, call: Call) -> Members:
    """DeleteFunction."""
    await rooms.control.functions.delete(call.scope, call.params)
    return {}


OPERATIONS = {
    "CreateFunction": create_function,
    "GetFunction": get_function,
    "GetFunctionConfiguration": get_function_configuration,
    "ListFunctions": list_functions,
    "UpdateFunctionConfiguration": update_function_configuration,
    "UpdateFunctionCode": update_function_code,
    "DeleteFunction": delete_function,
}
