"""AWS Security Token Service: who the caller is, and temporary credentials."""

from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.sts.operations import OPERATIONS, StsRooms
from lambent.gateway.services.sts.permissions import DIFFERENCES, PERMISSIONS

STS: ServiceDefinition[StsRooms] = ServiceDefinition(
    name="sts",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    differences=DIFFERENCES,
    coverage=Coverage(
        note="In strict mode, session policies, session tags, source identities and codes of"
        " multi-factor authentication are refused."
    ),
)
