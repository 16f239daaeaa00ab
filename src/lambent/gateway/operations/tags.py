"""Operations on tags."""

from collections.abc import Mapping
from typing import Any

from lambent.control.control import Control
from lambent.gateway.call import Call, OperationHandler

Answer = Mapping[str, Any]


def operations(control: Control) -> Mapping[str, OperationHandler]:
    """The handlers, by operation name."""

    async def list_tags(call: Call) -> Answer:
        return {"Tags": await control.tags.list(call.scope, call.params)}

    async def tag_resource(call: Call) -> Answer:
        await control.tags.add(call.scope, call.params)
        return {}

    async def untag_resource(call: Call) -> Answer:
        await control.tags.remove(call.scope, call.params)
        return {}

    return {"ListTags": list_tags, "TagResource": tag_resource, "UntagResource": untag_resource}
