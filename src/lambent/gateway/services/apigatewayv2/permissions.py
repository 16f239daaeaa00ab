"""What each operation needs permission for: the HTTP method on the path, as AWS has it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote

from lambent.control.apis.openapi.reading import read_document
from lambent.gateway.models import OperationModel, load_model
from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import TAG_KEYS, TAGS, Key, Need, Needs, Resource
from lambent.gateway.services.apigatewayv2.operations import OPERATIONS
from lambent.model.arn import Arn

_LABEL = re.compile(r"\{([^}]+)\}")
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


def _resource(operation: OperationModel) -> Resource:
    path = operation.http["requestUri"].partition("?")[0].removeprefix("/v2")
    labels = {
        member.serialization["name"]: name
        for name, member in operation.input_shape.members.items()
        if member.serialization.get("location") == "uri"
    }

    async def find(asked: Asked) -> Sequence[Target]:
        def value(match: re.Match[str]) -> str:
            return quote(asked.params[labels[match[1]]], safe="$-_.~")

        account, region = asked.scope
        return [Target(f"arn:aws:apigateway:{region}::{_LABEL.sub(value, path)}", account)]

    literals = [part for part in path.strip("/").split("/") if not part.startswith("{")]
    kind = "AuthorizersCache" if path.endswith("/cache/authorizers") else _TYPES[literals[-1]]
    is_one = path.endswith("}") or literals[-1] in ("accesslogsettings", "cors", "template")
    plural = kind if is_one or kind == "AuthorizersCache" else f"{kind}s"
    return Resource((plural,), find)


def _passed_role(member: str) -> Resource:
    async def find(asked: Asked) -> Sequence[Target]:
        return _roles([asked.params[member]])

    return Resource(("role",), find)


async def _imported_roles(asked: Asked) -> Sequence[Target]:
    return _roles(_credentials_in(await read_document(asked.params["Body"])))


def _roles(values: Iterable[str]) -> Sequence[Target]:
    """Those that are ARNs; others are refused later."""
    found = {value: Arn.try_parse(value) for value in values}
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


IMPORTED_ROLES = Resource(("role",), _imported_roles)


def _needs(name: str) -> Needs:
    operation = load_model("apigatewayv2").operation_model(name)
    keys: tuple[Key, ...] = TAGS if "Tags" in operation.input_shape.members else ()
    if "TagKeys" in operation.input_shape.members:
        keys = (TAG_KEYS,)
    needs = [Need(f"apigateway:{operation.http['method']}", _resource(operation), keys)]
    # API Gateway uses the role for everyone who calls the API.
    needs += [
        Need("iam:PassRole", _passed_role(member), only_with=member)
        for member in _PASSED
        if member in operation.input_shape.members
    ]
    if "Body" in operation.input_shape.members:
        needs.append(Need("iam:PassRole", IMPORTED_ROLES))
    return tuple(needs)


PERMISSIONS: Mapping[str, Needs] = {name: _needs(name) for name in OPERATIONS}
RESOURCE_NAMES = (
    ("Api, Route, Stage and so on", "`arn:aws:apigateway:REGION::/apis/ID/routes/ID`: the path"),
)
