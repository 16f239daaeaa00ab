"""Makes the integrations of HTTP APIs from their documents."""

from lambent.model.document import Body
from lambent.triggers.apis.api import Stage
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.http.function import FunctionIntegration
from lambent.triggers.apis.http.integration import Integration, NoIntegration
from lambent.triggers.apis.http.proxy import ProxyIntegration
from lambent.triggers.apis.http.service import ServiceIntegration


def make_integration(context: ApiContext, stage: Stage, body: Body) -> Integration:
    """What serves the requests of an integration. One that cannot work, because a stage variable is
    missing for example, responds with 500."""
    try:
        return _make(context, stage, body)
    except (KeyError, ValueError) as error:
        return NoIntegration(str(error))


def _make(context: ApiContext, stage: Stage, body: Body) -> Integration:
    kind = body.get("IntegrationType")
    if kind == "AWS_PROXY" and body.get("IntegrationSubtype"):
        return ServiceIntegration(context, stage, body)
    if kind == "AWS_PROXY":
        return FunctionIntegration(context, stage, body)
    if kind == "HTTP_PROXY" and body.get("ConnectionType", "INTERNET") == "INTERNET":
        return ProxyIntegration(context, stage, body)
    raise ValueError(f"integrations of the type {kind} are not served")
