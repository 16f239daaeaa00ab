"""AWS Identity and Access Management: users, groups, roles, their policies and keys."""

from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.iam.operations import OPERATIONS, IamRooms
from lambent.gateway.services.iam.permissions import DIFFERENCES, PERMISSIONS, RESOURCE_NAMES

IAM: ServiceDefinition[IamRooms] = ServiceDefinition(
    name="iam",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    takes_session_tokens=False,
    differences=DIFFERENCES,
    resource_names=RESOURCE_NAMES,
    coverage=Coverage(
        note="Users, groups and roles with inline and managed policies and tags, and users' keys:"
        " the parts that control access to this platform. Permissions boundaries, instance"
        " profiles (the list of a role's is empty) and service-linked roles are refused."
    ),
)
