"""AWS Identity and Access Management: users, roles, their policies and keys."""

from lambent.control.identities import Identities
from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.iam.operations import OPERATIONS
from lambent.gateway.services.iam.permissions import DIFFERENCES, PERMISSIONS, RESOURCE_NAMES

IAM: ServiceDefinition[Identities] = ServiceDefinition(
    name="iam",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    takes_session_tokens=False,
    differences=DIFFERENCES,
    resource_names=RESOURCE_NAMES,
    coverage=Coverage(
        note="Users and roles with inline policies and tags, and users' keys: the parts that"
        " control access to this platform. Permissions boundaries are refused."
    ),
)
