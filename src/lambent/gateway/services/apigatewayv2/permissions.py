"""What each operation needs permission for: the HTTP method on the path, as AWS has it."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

from lambent.control.apis.openapi.reading import read_document
from lambent.control.apis.v2.integrations import CALLERS_OWN_ROLE
from lambent.gateway.models import OperationModel, load_model
from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.by_path import PathOf
from lambent.gateway.permissions.needs import TAGS, Key, Need, Needs, Resource, Values
from lambent.gateway.services.apigatewayv2.operations import OPERATIONS
from lambent.model.arn import Arn

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
_PASSED_IN_DOCUMENTS = ("credentials", "authorizerCredentials")


def _type_of(operation: OperationModel) -> str:
    path = operation.http["requestUri"]
    if path.endswith("/cache/authorizers"):
        return "AuthorizersCache"
    literals = [part for part in path.strip("/").split("/") if not part.startswith("{")]
    kind = _TYPES[literals[-1]]
    is_one = path.endswith("}") or literals[-1] in ("accesslogsettings", "cors", "template")
    return kind if is_one else f"{kind}s"


def _passed_role(member: str) -> Resource:
    async def find(asked: Asked) -> Sequence[Target]:
        return _roles([asked.params[member]])

    return Resource(("role",), find)


async def _imported_roles(asked: Asked) -> Sequence[Target]:
    return _roles(_credentials_in(await read_document(asked.params["Body"])))


def _roles(values: Iterable[str]) -> Sequence[Target]:
    """Those that are ARNs; others are refused later, and that of the caller is not passed."""
    found = {value: Arn.try_parse(value) for value in values if value != CALLERS_OWN_ROLE}
    return [Target(role, arn.account) for role, arn in found.items() if arn is not None]


def _credentials_in(node: object) -> Iterator[str]:
    """The roles anywhere in an OpenAPI document."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            if name in _PASSED_IN_DOCUMENTS and isinstance(value, str):
                yield value
            yield from _credentials_in(value)
    elif isinstance(node, list):
        for item in node:
            yield from _credentials_in(item)


async def _passed_to(_: Asked) -> Values:
    return {"iam:passedtoservice": ["apigateway.amazonaws.com"]}


def _path_of(operation: OperationModel) -> Callable[[Asked], Awaitable[Values]]:
    find = PathOf(operation)

    async def values(asked: Asked) -> Values:
        return {"iam:associatedresourcearn": [target.arn for target in await find(asked)]}

    return values


PASSED_TO = Key("iam:PassedToService", _passed_to)
IMPORTED_ROLES = Resource(("role",), _imported_roles)


def _needs(name: str) -> Needs:
    operation = load_model("apigatewayv2").operation_model(name)
    method = operation.http["method"]
    resource = Resource((_type_of(operation),), PathOf(operation))
    needs = [Need(f"apigateway:{method}", resource, () if method == "GET" else TAGS)]
    passed = (PASSED_TO, Key("iam:AssociatedResourceArn", _path_of(operation)))
    # API Gateway uses the role for everyone who calls the API.
    needs += [
        Need("iam:PassRole", _passed_role(member), passed, only_with=member)
        for member in _PASSED
        if member in operation.input_shape.members
    ]
    if "Body" in operation.input_shape.members:
        needs.append(Need("iam:PassRole", IMPORTED_ROLES, passed))
    return tuple(needs)


PERMISSIONS: Mapping[str, Needs] = {name: _needs(name) for name in OPERATIONS}
RESOURCE_NAMES = (
    ("Api, Route, Stage and so on", "`arn:aws:apigateway:REGION::/apis/ID/routes/ID`: the path"),
)
