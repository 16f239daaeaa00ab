"""Operations on layers that show where a version's content is."""

from lambent.control.layers import listed
from lambent.gateway.call import Call, Members
from lambent.gateway.services.lambda_.rooms import LambdaRooms
from lambent.model.layer import LayerVersion


async def publish_layer_version(rooms: LambdaRooms, call: Call) -> Members:
    """PublishLayerVersion."""
    token = call.caller.token
    return _view(rooms, call, await rooms.control.layers.publish(call.scope, call.params, token))


async def get_layer_version(rooms: LambdaRooms, call: Call) -> Members:
    """GetLayerVersion."""
    return _view(rooms, call, await rooms.control.layers.get(call.scope, call.params))


async def get_layer_version_by_arn(rooms: LambdaRooms, call: Call) -> Members:
    """GetLayerVersionByArn."""
    return _view(rooms, call, await rooms.control.layers.get_by_arn(call.scope, call.params))


def _view(rooms: LambdaRooms, call: Call, version: LayerVersion) -> Members:
    return {
        **listed(version),
        "LayerArn": version.key.arn,
        "Content": {
            "Location": rooms.links.url(call.endpoint, version.code_key),
            "CodeSha256": version.code_sha256,
            "CodeSize": version.code_size,
        },
    }


OPERATIONS = {
    "PublishLayerVersion": publish_layer_version,
    "GetLayerVersion": get_layer_version,
    "GetLayerVersionByArn": get_layer_version_by_arn,
}
