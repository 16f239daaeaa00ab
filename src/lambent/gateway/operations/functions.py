"""Operations on functions."""

from collections.abc import Mapping
from typing import Any

from lambent.control.room import Control
from lambent.gateway.call import Call, OperationHandler
from lambent.gateway.code_links import CodeLinks
from lambent.gateway.views import function_configuration, qualified_arn

Answer = Mapping[str, Any]


def operations(control: Control, links: CodeLinks) -> Mapping[str, OperationHandler]:
    """The handlers, by operation name."""

    async def create_function(call: Call) -> Answer:
        version = await control.functions.create(call.scope, call.params)
        # Unqualified even if version 1 was published and is shown.
        return function_configuration(version, arn=version.key.arn)

    async def get_function(call: Call) -> Answer:
        found = await control.functions.get(call.scope, call.params)
        answer: dict[str, Any] = {
            "Configuration": function_configuration(found.version, arn=found.reference.arn),
            "Code": {
                "RepositoryType": "S3",
                "Location": links.url(call.endpoint, found.version.code_key),
            },
        }
        denied = call.hidden.get("Tags")
        if denied is not None:
            answer["TagsError"] = {"ErrorCode": denied.code, "Message": denied.message}
        elif found.tags:
            answer["Tags"] = found.tags
        if found.reserved_concurrency is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": found.reserved_concurrency}
        return answer

    async def get_function_configuration(call: Call) -> Answer:
        found = await control.functions.get(call.scope, call.params)
        return function_configuration(found.version, arn=found.reference.arn)

    async def list_functions(call: Call) -> Answer:
        page = await control.functions.list(call.scope, call.params)
        has_all_versions = call.params.get("FunctionVersion") == "ALL"
        answer: dict[str, Any] = {
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
            answer["NextMarker"] = page.next_marker
        return answer

    async def update_function_configuration(call: Call) -> Answer:
        version = await control.functions.update_configuration(call.scope, call.params)
        return function_configuration(version, arn=version.arn)

    async def update_function_code(call: Call) -> Answer:
        version = await control.functions.update_code(call.scope, call.params)
        return function_configuration(version, arn=version.arn)

    async def delete_function(call: Call) -> Answer:
        await control.functions.delete(call.scope, call.params)
        return {}

    return {
        "CreateFunction": create_function,
        "GetFunction": get_function,
        "GetFunctionConfiguration": get_function_configuration,
        "ListFunctions": list_functions,
        "UpdateFunctionConfiguration": update_function_configuration,
        "UpdateFunctionCode": update_function_code,
        "DeleteFunction": delete_function,
    }
