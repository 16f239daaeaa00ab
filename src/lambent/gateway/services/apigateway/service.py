"""Amazon API Gateway: REST APIs."""

from lambent.control.apis.v1.limits import IMPORT_BYTES_MAX
from lambent.gateway.definitions import BodyLimit, Coverage, ServiceDefinition
from lambent.gateway.services.apigateway.operations import OPERATIONS
from lambent.gateway.services.apigateway.permissions import (
    DIFFERENCES,
    PERMISSIONS,
    RESOURCE_NAMES,
)
from lambent.gateway.services.apigateway.rooms import RestApiRooms

_LIMIT = BodyLimit(bytes_max=IMPORT_BYTES_MAX)

APIGATEWAY: ServiceDefinition[RestApiRooms] = ServiceDefinition(
    name="apigateway",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    unoffered_code="BadRequestException",
    body_limits=dict.fromkeys(OPERATIONS, _LIMIT),
    differences=DIFFERENCES,
    resource_names=RESOURCE_NAMES,
    coverage=Coverage(
        note="REST APIs, API keys and usage plans. What is not enforced is refused when it is"
        " configured: caches, client certificates, VPC links, private APIs, web ACLs,"
        " metrics, compression. SDKs are not made, documentation is only stored."
    ),
)
