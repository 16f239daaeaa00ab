"""What each operation on REST APIs needs permission for: the HTTP method, on the path."""

from collections.abc import Mapping, Sequence

from lambent.control.apis.v1.rest_apis import changes_policy
from lambent.gateway.models import load_model
from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.by_path import PathOf, by_path
from lambent.gateway.permissions.needs import Difference, Need, Needs, Resource
from lambent.gateway.services.apigateway.operations import OPERATIONS

_MODEL = load_model("apigateway")
_IN_APIS = (
    *("Authorizer", "Deployment", "DocumentationPart", "DocumentationVersion", "GatewayResponse"),
    *("Integration", "IntegrationResponse", "Method", "MethodResponse", "Model"),
    *("RequestValidator", "Resource", "RestApi", "Stage"),
)
_IN_ACCOUNTS = (
    *("ApiKey", "BasePathMapping", "ClientCertificate", "DomainName", "PrivateBasePathMapping"),
    *("PrivateDomainName", "UsagePlan", "UsagePlanKey", "VpcLink"),
)
_COLLECTIONS = (
    *("ApiKeys", "Authorizers", "BasePathMappings", "ClientCertificates", "Deployments"),
    *("DocumentationParts", "DocumentationVersions", "DomainNameAccessAssociations"),
    *("DomainNames", "GatewayResponses", "Models", "PrivateBasePathMappings"),
    *("RequestValidators", "Resources", "RestApis", "Stages", "UsagePlanKeys", "UsagePlans"),
    "VpcLinks",
)
TYPES: Mapping[str, tuple[str, ...]] = {
    "DELETE": (*_IN_APIS, *_IN_ACCOUNTS, "DomainNameAccessAssociation", "Tags", "Template"),
    "GET": (*_IN_APIS, *_IN_ACCOUNTS, *_COLLECTIONS, "Account", "Sdk", "Tags"),
    "PATCH": (*_IN_APIS, *_IN_ACCOUNTS, "Account", "Template"),
    "POST": (*_COLLECTIONS, "IntegrationResponse", "MethodResponse"),
    "PUT": (
        *("DocumentationPart", "GatewayResponse", "IntegrationResponse", "MethodResponse"),
        *("RestApi", "Tags"),
    ),
}
"""AWS's names of the types of resources, by HTTP method."""


class _PolicyOf(PathOf):
    """The API whose resource policy a request changes; nothing if it changes none."""

    async def __call__(self, asked: Asked) -> Sequence[Target]:
        return await super().__call__(asked) if changes_policy(asked.params) else []


def _policy(operation: str) -> Need:
    resource = Resource(("RestApi", "RestApis"), _PolicyOf(_MODEL.operation_model(operation)))
    return Need("apigateway:UpdateRestApiPolicy", resource)


_BY_PATH = by_path(_MODEL, tuple(OPERATIONS), TYPES)
PERMISSIONS: Mapping[str, Needs] = {
    **_BY_PATH,
    **{
        name: (*_BY_PATH[name], _policy(name))
        for name in ("CreateRestApi", "UpdateRestApi")
        if name in _BY_PATH
    },
}
_KEYS = (
    *("Request/AccessAssociationSource", "Request/AccessLoggingDestination"),
    *("Request/AccessLoggingFormat", "Request/ApiKeyRequired", "Request/ApiName"),
    *("Request/AuthorizerType", "Request/DisableExecuteApiEndpoint", "Request/DomainNameArn"),
    *("Request/EndpointType", "Request/MtlsTrustStoreUri", "Request/MtlsTrustStoreVersion"),
    *("Request/RouteAuthorizationType", "Request/SecurityPolicy", "Request/StageName"),
    *("Resource/AccessLoggingDestination", "Resource/AccessLoggingFormat"),
    *("Resource/ApiKeyRequired", "Resource/ApiName", "Resource/AuthorizerType"),
    *("Resource/DisableExecuteApiEndpoint", "Resource/EndpointType", "Resource/MtlsTrustStoreUri"),
    *("Resource/MtlsTrustStoreVersion", "Resource/RouteAuthorizationType"),
    *("Resource/RoutingMode", "Resource/SecurityPolicy"),
)
_NO_KEYS = "Requests do not have the condition keys of API Gateway yet: name resources instead."
DIFFERENCES = tuple(Difference(f"key apigateway:{key}", False, _NO_KEYS) for key in _KEYS)
RESOURCE_NAMES = (
    ("everything of API Gateway", "`arn:aws:apigateway:REGION::/PATH`, the path of the request"),
)
