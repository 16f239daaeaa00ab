"""Amazon API Gateway's management API: clients that are connected to WebSocket APIs."""

from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.apigatewaymanagementapi.operations import OPERATIONS, Connections
from lambent.gateway.services.apigatewaymanagementapi.permissions import (
    PERMISSIONS,
    RESOURCE_NAMES,
)

APIGATEWAYMANAGEMENTAPI: ServiceDefinition[Connections] = ServiceDefinition(
    name="apigatewaymanagementapi",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    resource_names=RESOURCE_NAMES,
    coverage=Coverage(
        note="The operations are reached at the address of an API's stage, as in AWS."
        " [WebSocket APIs](../websocket-apis.md) describes the addresses."
    ),
)
