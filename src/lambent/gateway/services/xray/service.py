"""AWS X-Ray: traces of functions, and those that instrumented programs send."""

from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.xray.operations import OPERATIONS
from lambent.gateway.services.xray.permissions import PERMISSIONS, RESOURCE_NAMES
from lambent.gateway.services.xray.rooms import XRayRooms

XRAY: ServiceDefinition[XRayRooms] = ServiceDefinition(
    name="xray",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    resource_names=RESOURCE_NAMES,
    failure_code="InternalFailure",
    unoffered_code="InvalidRequestException",
    coverage=Coverage(
        note="Traces can be sent, searched by filter expressions, read, and shown as graphs."
        " Sampling rules are served to SDKs; every client may use the whole reservoir of a rule."
        " Groups, insights, encryption settings, resource policies and root causes are not offered."
        " Counts that clients report are not kept."
    ),
)
