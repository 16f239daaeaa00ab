"""What the operations on connected clients need permission for: one action for all of them."""

from collections.abc import Mapping, Sequence

from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import Need, Needs, Resource
from lambent.model.errors import ApiError

_METHODS = {"DeleteConnection": "DELETE", "GetConnection": "GET", "PostToConnection": "POST"}


def _connection(method: str) -> Resource:
    async def find(asked: Asked) -> Sequence[Target]:
        params = asked.params
        if "ApiId" not in params:
            raise ApiError(
                "BadRequestException",
                "Send this to the stage of an API: set the client's endpoint to"
                " https://<api id>.execute-api.<region>.<domain>/<stage>, or to"
                " <address of the platform>/_lambent/api/<api id>/<stage>.",
            )
        arn = (
            f"arn:aws:execute-api:{params['Region']}:{params['Account']}:{params['ApiId']}"
            f"/{params['Stage']}/{method}/@connections/{params['ConnectionId']}"
        )
        return [Target(arn, params["Account"])]

    return Resource(("execute-api-general",), find)


PERMISSIONS: Mapping[str, Needs] = {
    operation: (Need("execute-api:ManageConnections", _connection(method)),)
    for operation, method in _METHODS.items()
}
RESOURCE_NAMES = (
    (
        "execute-api-general",
        "`arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/POST/@connections/ID`,"
        " also with `GET` and `DELETE`",
    ),
)
