"""Operations on published versions."""

from typing import Any

from lambent.gateway.call import Call, Members
from lambent.gateway.services.lambda_.rooms import LambdaRooms
from lambent.gateway.services.lambda_.views import function_configuration, qualified_arn


async def publish_version(rooms: LambdaRooms, call: Call) -> Members:
    """PublishVersion."""
    version = await rooms.control.versions.publish(call.scope, call.params)
    return function_configuration(version, arn=qualified_arn(version))


async def list_versions_by_function(rooms: LambdaRooms, call: Call) -> Members:
    """ListVersionsByFunction."""
    page = await rooms.control.versions.list(call.scope, call.params)
    output: dict[str, Any] = {
        "Versions": [
            function_configuration(version, arn=qualified_arn(version), is_listed=True)
            for version in page.items
        ]
    }
    if page.next_marker is not None:
        output["NextMarker"] = page.next_marker
    return output


OPERATIONS = {
    "PublishVersion": publish_version,
    "ListVersionsByFunction": list_versions_by_function,
}
