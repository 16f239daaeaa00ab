"""What each operation needs permission for: the HTTP method on the path, as AWS has it."""

from collections.abc import Mapping

from lambent.gateway.models import OperationModel, load_model
from lambent.gateway.permissions.by_path import PathOf
from lambent.gateway.permissions.needs import TAGS, Need, Needs, Resource
from lambent.gateway.permissions.passed_roles import passing, role_in, roles_in_document
from lambent.gateway.services.apigatewayv2.operations import OPERATIONS

_TYPES = {
    "accesslogsettings": "AccessLogSettings",
    "apimappings": "ApiMapping",
    "apis": "Api",
    "authorizers": "Authorizer",
    "cors": "Cors",
    "deployments": "Deployment",
    "domainnames": "DomainName",
    "exports": "ExportedAPI",
    "integrationresponses": "IntegrationResponse",
    "integrations": "Integration",
    "models": "Model",
    "requestparameters": "RouteRequestParameter",
    "routeresponses": "RouteResponse",
    "routes": "Route",
    "routesettings": "RouteSettings",
    "stages": "Stage",
    "tags": "Tags",
    "template": "ModelTemplate",
}
"""AWS's names of resource types, by the last literal of the path."""
_PASSED = ("CredentialsArn", "AuthorizerCredentialsArn")


def _type_of(operation: OperationModel) -> str:
    path = operation.http["requestUri"]
    if path.endswith("/cache/authorizers"):
        return "AuthorizersCache"
    literals = [part for part in path.strip("/").split("/") if not part.startswith("{")]
    kind = _TYPES[literals[-1]]
    is_one = path.endswith("}") or literals[-1] in ("accesslogsettings", "cors", "template")
    return kind if is_one else f"{kind}s"


def _needs(name: str) -> Needs:
    operation = load_model("apigatewayv2").operation_model(name)
    method = operation.http["method"]
    resource = Resource((_type_of(operation),), PathOf(operation))
    needs = [Need(f"apigateway:{method}", resource, () if method == "GET" else TAGS)]
    needs += [
        passing(operation, role_in(member), only_with=member)
        for member in _PASSED
        if member in operation.input_shape.members
    ]
    if "Body" in operation.input_shape.members:
        needs.append(passing(operation, roles_in_document("Body")))
    return tuple(needs)


PERMISSIONS: Mapping[str, Needs] = {name: _needs(name) for name in OPERATIONS}
RESOURCE_NAMES = (
    ("Api, Route, Stage and so on", "`arn:aws:apigateway:REGION::/apis/ID/routes/ID`: the path"),
)
