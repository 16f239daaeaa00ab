"""Operations on function URLs."""

from urllib.parse import urlsplit

from lambent.gateway.call import Call, Members
from lambent.gateway.services.lambda_.rooms import LambdaRooms
from lambent.model.function_url import FunctionUrl


async def create(rooms: LambdaRooms, call: Call) -> Members:
    """CreateFunctionUrlConfig."""
    return _view(rooms, call, await rooms.control.urls.create(call.scope, call.params))


async def get(rooms: LambdaRooms, call: Call) -> Members:
    """GetFunctionUrlConfig."""
    return _whole_view(rooms, call, await rooms.control.urls.get(call.scope, call.params))


async def update(rooms: LambdaRooms, call: Call) -> Members:
    """UpdateFunctionUrlConfig."""
    return _view(rooms, call, await rooms.control.urls.update(call.scope, call.params))


async def delete(rooms: LambdaRooms, call: Call) -> Members:
    """DeleteFunctionUrlConfig."""
    return await rooms.control.urls.delete(call.scope, call.params)


async def list_configs(rooms: LambdaRooms, call: Call) -> Members:
    """ListFunctionUrlConfigs."""
    page = await rooms.control.urls.list(call.scope, call.params)
    shown = [_whole_view(rooms, call, url) for url in page.items]
    return page.members("FunctionUrlConfigs", shown)


def _whole_view(rooms: LambdaRooms, call: Call, url: FunctionUrl) -> Members:
    """With the default invoke mode, which responses to changes leave out."""
    return {"InvokeMode": "BUFFERED", **_view(rooms, call, url)}


def _view(rooms: LambdaRooms, call: Call, url: FunctionUrl) -> Members:
    reached = urlsplit(call.endpoint)
    port = reached.netloc.rpartition("]")[2].partition(":")[2]
    members = {
        "FunctionUrl": url.address(scheme=reached.scheme, domain=rooms.url_domain, port=port),
        "FunctionArn": url.arn,
        "AuthType": url.auth_type,
        "Cors": url.cors,
        "CreationTime": url.created,
        "LastModifiedTime": url.modified,
        "InvokeMode": url.invoke_mode,
    }
    return {name: value for name, value in members.items() if value is not None}


OPERATIONS = {
    "CreateFunctionUrlConfig": create,
    "GetFunctionUrlConfig": get,
    "UpdateFunctionUrlConfig": update,
    "DeleteFunctionUrlConfig": delete,
    "ListFunctionUrlConfigs": list_configs,
}
