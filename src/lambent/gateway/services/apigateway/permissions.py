"""What each operation on REST APIs needs permission for: the HTTP method, on the path."""

from collections.abc import Mapping, Sequence

from lambent.control.apis.openapi.reading import read_document
from lambent.control.apis.v1.importing.plan import POLICY
from lambent.control.apis.v1.patches import read_patches
from lambent.gateway.models import OperationModel, load_model
from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.by_path import PathOf
from lambent.gateway.permissions.needs import TAGS, Difference, Need, Needs, Resource
from lambent.gateway.permissions.passed_roles import passing, role_in, roles_in_document
from lambent.gateway.services.apigateway.operations import OPERATIONS

_TYPES = {
    "account": "Account",
    "apikeys": "ApiKey",
    "authorizers": "Authorizer",
    "basepathmappings": "BasePathMapping",
    "default_template": "Template",
    "deployments": "Deployment",
    "domainnames": "DomainName",
    "exports": "Stage",
    "gatewayresponses": "GatewayResponse",
    "integration": "Integration",
    "keys": "UsagePlanKey",
    "methods": "Method",
    "models": "Model",
    "parts": "DocumentationPart",
    "requestvalidators": "RequestValidator",
    "resources": "Resource",
    "restapis": "RestApi",
    "stages": "Stage",
    "tags": "Tags",
    "usageplans": "UsagePlan",
    "versions": "DocumentationVersion",
}
"""AWS's names of the types of resources, by the last literal of the path."""
_ONES = ("account", "default_template", "integration", "tags")
"""Literals that are no lists."""
_PASSED = {"PutIntegration": "credentials", "CreateAuthorizer": "authorizerCredentials"}
"""Members that name a role."""
_PATCHED = {
    "UpdateIntegration": "/credentials",
    "UpdateAuthorizer": "/authorizerCredentials",
    "UpdateAccount": "/cloudwatchRoleArn",
}
"""The same, as paths of patch operations."""
_IMPORTS = ("ImportRestApi", "PutRestApi")


def _type_of(operation: OperationModel) -> str:
    path = operation.http["requestUri"].partition("?")[0].removesuffix("/usage")
    if "/cache/" in path:
        return "Stage"
    literals = [part for part in path.strip("/").split("/") if not part.startswith("{")]
    if literals[-1] == "responses":
        return "IntegrationResponse" if "integration" in literals else "MethodResponse"
    kind = _TYPES[literals[-1]]
    return kind if path.endswith("}") or literals[-1] in _ONES else f"{kind}s"


class _PolicyOf(PathOf):
    """The API whose resource policy a request changes; nothing if it changes none."""

    async def __call__(self, asked: Asked) -> Sequence[Target]:
        params = asked.params
        if "body" in params:
            is_changed = POLICY in await read_document(params["body"])
        else:
            is_changed = "policy" in params or bool(_patched(params, "/policy"))
        return await super().__call__(asked) if is_changed else []


def _patched(params: Mapping[str, object], path: str) -> Sequence[str]:
    """The values that patch operations set at a path; an empty one removes."""
    operations: object = params.get("patchOperations")
    patches = read_patches(operations if isinstance(operations, list) else None)
    return [patch.text for patch in patches if patch.path == path]


def _needs(name: str) -> Needs:
    operation = load_model("apigateway").operation_model(name)
    method = operation.http["method"]
    resource = Resource((_type_of(operation),), PathOf(operation))
    needs = [Need(f"apigateway:{method}", resource, () if method == "GET" else TAGS)]
    if name in ("CreateRestApi", "UpdateRestApi", *_IMPORTS):
        kind = "RestApi" if operation.http["requestUri"].endswith("}") else "RestApis"
        policy = Resource((kind,), _PolicyOf(operation))
        needs.append(Need("apigateway:UpdateRestApiPolicy", policy))
    if name in _PASSED:
        member = _PASSED[name]
        needs.append(passing(operation, role_in(member), only_with=member))
    if name in _PATCHED:
        path = _PATCHED[name]

        async def roles(asked: Asked) -> Sequence[str]:
            return _patched(asked.params, path)

        needs.append(passing(operation, roles))
    if name in _IMPORTS:
        needs.append(passing(operation, roles_in_document("body")))
    return tuple(needs)


PERMISSIONS: Mapping[str, Needs] = {name: _needs(name) for name in OPERATIONS}
RESOURCE_NAMES = (
    ("RestApi, Method, Stage and so on", "`arn:aws:apigateway:REGION::/restapis/ID/…`: the path"),
)
_UNLISTED = "Every operation needs its HTTP method on its path, also where AWS's list has none."
DIFFERENCES = (
    Difference("resource Template", True, _UNLISTED, ("apigateway:GET",)),
    *(
        Difference(f"resource {kind}", True, _UNLISTED, ("apigateway:POST",))
        for kind in ("Authorizer", "Resource")
    ),
    *(
        Difference(f"resource {kind}", True, _UNLISTED, ("apigateway:PUT",))
        for kind in ("DocumentationParts", "Integration")
    ),
    Difference("resource Method", True, _UNLISTED, ("apigateway:POST", "apigateway:PUT")),
)
