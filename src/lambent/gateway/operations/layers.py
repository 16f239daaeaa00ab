"""Operations on layers that show where a version's content is."""

from collections.abc import Mapping
from typing import Any

from lambent.control.layers import listed
from lambent.control.room import Control
from lambent.gateway.call import Call, OperationHandler
from lambent.gateway.code_links import CodeLinks
from lambent.model.layer import LayerVersion

Answer = Mapping[str, Any]


def operations(control: Control, links: CodeLinks) -> Mapping[str, OperationHandler]:
    """The handlers, by operation name."""

    async def publish_layer_version(call: Call) -> Answer:
        return view(call, await control.layers.publish(call.scope, call.params))

    async def get_layer_version(call: Call) -> Answer:
        return view(call, await control.layers.get(call.scope, call.params))

    async def get_layer_version_by_arn(call: Call) -> Answer:
        return view(call, await control.layers.get_by_arn(call.scope, call.params))

    def view(call: Call, version: LayerVersion) -> Answer:
        return {
            **listed(version),
            "LayerArn": version.key.arn,
            "Content": {
                "Location": links.url(call.endpoint, version.code_key),
                "CodeSha256": version.code_sha256,
                "CodeSize": version.code_size,
            },
        }

    return {
        "PublishLayerVersion": publish_layer_version,
        "GetLayerVersion": get_layer_version,
        "GetLayerVersionByArn": get_layer_version_by_arn,
    }
