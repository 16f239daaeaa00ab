"""Makes the integrations of HTTP APIs from their documents."""

import dataclasses

from lambent.aws.client import AwsClient
from lambent.identity.service_roles import ServiceRoles
from lambent.model.document import Body
from lambent.triggers.apis.api import Stage
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.http.function import FunctionIntegration
from lambent.triggers.apis.http.integration import Integration, NoIntegration
from lambent.triggers.apis.http.proxy import ProxyIntegration
from lambent.triggers.apis.http.service import ServiceIntegration
from lambent.triggers.apis.outbound import Outbound


@dataclasses.dataclass(frozen=True, slots=True)
class Integrations:
    """See the module."""

    context: ApiContext
    outbound: Outbound
    aws: AwsClient
    roles: ServiceRoles

    def compile(self, stage: Stage, body: Body) -> Integration:
        """What serves the requests of an integration. One that cannot work, because a stage
        variable is missing for example, responds with 500."""
        try:
            return self._compile(stage, body)
        except (KeyError, ValueError) as error:
            return NoIntegration(str(error))

    def _compile(self, stage: Stage, body: Body) -> Integration:
        kind = body.get("IntegrationType")
        if kind == "AWS_PROXY" and body.get("IntegrationSubtype"):
            return ServiceIntegration(self.context, self.aws, self.roles, stage, body)
        if kind == "AWS_PROXY":
            return FunctionIntegration(self.context, stage, body)
        if kind == "HTTP_PROXY" and body.get("ConnectionType", "INTERNET") == "INTERNET":
            return ProxyIntegration(self.context, self.outbound, stage, body)
        raise ValueError(f"integrations of the type {kind} are not served")
