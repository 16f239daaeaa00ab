"""Operations on function URLs."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lambent.control.room import Control
from lambent.gateway.call import Call, OperationHandler
from lambent.model.function_url import FunctionUrl

Answer = Mapping[str, Any]


def operations(control: Control, domain: str) -> Mapping[str, OperationHandler]:
    """The handlers, by operation name; `domain` is what URLs end in."""

    async def create(call: Call) -> Answer:
        return view(call, await control.urls.create(call.scope, call.params))

    async def get(call: Call) -> Answer:
        return whole_view(call, await control.urls.get(call.scope, call.params))

    async def update(call: Call) -> Answer:
        return view(call, await control.urls.update(call.scope, call.params))

    async def delete(call: Call) -> Answer:
        return await control.urls.delete(call.scope, call.params)

    async def list_configs(call: Call) -> Answer:
        page = await control.urls.list(call.scope, call.params)
        return page.members("FunctionUrlConfigs", [whole_view(call, url) for url in page.items])

    def whole_view(call: Call, url: FunctionUrl) -> Answer:
        """With the mode that nobody chose: the answers to changes leave it out."""
        return {"InvokeMode": "BUFFERED", **view(call, url)}

    def view(call: Call, url: FunctionUrl) -> Answer:
        reached = urlsplit(call.endpoint)
        port = reached.netloc.rpartition("]")[2].partition(":")[2]
        members = {
            "FunctionUrl": url.address(scheme=reached.scheme, domain=domain, port=port),
            "FunctionArn": url.arn,
            "AuthType": url.auth_type,
            "Cors": url.cors,
            "CreationTime": url.created,
            "LastModifiedTime": url.modified,
            "InvokeMode": url.invoke_mode,
        }
        return {name: value for name, value in members.items() if value is not None}

    return {
        "CreateFunctionUrlConfig": create,
        "GetFunctionUrlConfig": get,
        "UpdateFunctionUrlConfig": update,
        "DeleteFunctionUrlConfig": delete,
        "ListFunctionUrlConfigs": list_configs,
    }
