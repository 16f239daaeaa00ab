"""Operations on published versions."""

from collections.abc import Mapping
from typing import Any

from lambent.control.room import Control
from lambent.gateway.call import Call, OperationHandler
from lambent.gateway.views import function_configuration, qualified_arn

Answer = Mapping[str, Any]


def operations(control: Control) -> Mapping[str, OperationHandler]:
    """The handlers, by operation name."""

    async def publish_version(call: Call) -> Answer:
        version = await control.versions.publish(call.scope, call.params)
        return function_configuration(version, arn=qualified_arn(version))

    async def list_versions_by_function(call: Call) -> Answer:
        page = await control.versions.list(call.scope, call.params)
        answer: dict[str, Any] = {
            "Versions": [
                function_configuration(version, arn=qualified_arn(version), is_listed=True)
                for version in page.items
            ]
        }
        if page.next_marker is not None:
            answer["NextMarker"] = page.next_marker
        return answer

    return {
        "PublishVersion": publish_version,
        "ListVersionsByFunction": list_versions_by_function,
    }
