"""Amazon ECR: repositories as templates have them, without a registry of images."""

from lambent.control.repositories import Repositories
from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.ecr.operations import OPERATIONS
from lambent.gateway.services.ecr.permissions import DIFFERENCES, PERMISSIONS, RESOURCE_NAMES

ECR: ServiceDefinition[Repositories] = ServiceDefinition(
    name="ecr",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    differences=DIFFERENCES,
    resource_names=RESOURCE_NAMES,
    coverage=Coverage(
        note="Repositories, their policies and their tags are stored and shown, so that templates"
        " that have one deploy. There is no registry: images cannot be pushed, and"
        " GetAuthorizationToken is refused."
    ),
)
