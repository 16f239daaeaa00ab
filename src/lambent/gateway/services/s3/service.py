"""Amazon S3: buckets of the platform's own, for what deployments upload."""

from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.s3.operations import OPERATIONS, S3Rooms
from lambent.gateway.services.s3.permissions import DIFFERENCES, PERMISSIONS, RESOURCE_NAMES
from lambent.gateway.services.s3.routing import S3Router

S3: ServiceDefinition[S3Rooms] = ServiceDefinition(
    name="s3",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    failure_code="InternalError",
    unoffered_code="NotImplemented",
    router=S3Router,
    is_replaceable=True,
    differences=DIFFERENCES,
    resource_names=RESOURCE_NAMES,
    coverage=Coverage(
        note="Buckets for what deployments upload, if no other server of S3 is configured."
        " Configurations of buckets are stored and shown, and have no effect; objects have no"
        " versions. Access control lists, notifications, object locks, tags of objects and keys of"
        " customers are refused. [Other AWS services](../services.md#buckets-for-deployments)"
        " describes them."
    ),
)
