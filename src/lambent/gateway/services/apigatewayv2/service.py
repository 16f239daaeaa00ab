"""Amazon API Gateway v2: HTTP and WebSocket APIs."""

from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.permissions.needs import Difference
from lambent.gateway.services.apigatewayv2.operations import OPERATIONS, ApiGatewayV2Rooms
from lambent.gateway.services.apigatewayv2.permissions import PERMISSIONS, RESOURCE_NAMES

APIGATEWAYV2: ServiceDefinition[ApiGatewayV2Rooms] = ServiceDefinition(
    name="apigatewayv2",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    resource_names=RESOURCE_NAMES,
    failure_code="InternalFailure",
    unoffered_code="BadRequestException",
    differences=(
        Difference(
            "action iam:PassRole",
            True,
            "An API uses the role for everyone who calls it, so its creator must be allowed to"
            " pass it. AWS's guide asks for it; its list does not.",
        ),
        Difference(
            "resource Tags",
            True,
            "TagResource of HTTP and WebSocket APIs is a POST on the path of tags. AWS's list has"
            " tags with PUT only, which is TagResource of REST APIs.",
            ("apigateway:POST",),
        ),
    ),
    coverage=Coverage(
        note="HTTP and WebSocket APIs, domain names and their mappings. Portals, VPC links, routing"
        " rules and mutual TLS are refused. [API Gateway](../api-gateway.md) says more.",
        stored={
            "CreateApi": ("ApiKeySelectionExpression", "DisableSchemaValidation", "IpAddressType"),
            "UpdateApi": ("ApiKeySelectionExpression", "DisableSchemaValidation", "IpAddressType"),
            "CreateAuthorizer": ("IdentityValidationExpression",),
            "UpdateAuthorizer": ("IdentityValidationExpression",),
            "CreateDomainName": (
                "DomainNameConfigurations.CertificateArn",
                "DomainNameConfigurations.SecurityPolicy",
            ),
            "CreateModel": ("all",),
            "CreateRoute": ("RequestParameters",),
            "UpdateRoute": ("RequestParameters",),
            "CreateRouteResponse": ("ResponseParameters",),
            "UpdateRouteResponse": ("ResponseParameters",),
            "CreateStage": ("DefaultRouteSettings.DetailedMetricsEnabled",),
            "UpdateStage": ("DefaultRouteSettings.DetailedMetricsEnabled",),
        },
        refused={
            "CreateIntegrationResponse": (
                "ContentHandlingStrategy",
                "ResponseParameters=headers but Sec-WebSocket-Protocol and Content-Type",
            ),
            "UpdateIntegrationResponse": (
                "ContentHandlingStrategy",
                "ResponseParameters=headers but Sec-WebSocket-Protocol and Content-Type",
            ),
            "CreateDomainName": ("MutualTlsAuthentication", "RoutingMode"),
            "UpdateDomainName": ("MutualTlsAuthentication", "RoutingMode"),
            "CreateIntegration": (
                "ConnectionId",
                "ConnectionType=VPC_LINK",
                "ContentHandlingStrategy=CONVERT_TO_BINARY",
                "IntegrationMethod=ANY of WebSocket APIs",
                "RequestParameters=those of AWS_PROXY of WebSocket APIs",
                "TlsConfig",
            ),
            "UpdateIntegration": (
                "ConnectionId",
                "ConnectionType=VPC_LINK",
                "ContentHandlingStrategy=CONVERT_TO_BINARY",
                "IntegrationMethod=ANY of WebSocket APIs",
                "RequestParameters=those of AWS_PROXY of WebSocket APIs",
                "TlsConfig",
            ),
            "CreateRoute": ("ApiKeyRequired", "ModelSelectionExpression", "RequestModels"),
            "UpdateRoute": ("ApiKeyRequired", "ModelSelectionExpression", "RequestModels"),
            "CreateRouteResponse": ("ModelSelectionExpression", "ResponseModels"),
            "UpdateRouteResponse": ("ModelSelectionExpression", "ResponseModels"),
            "CreateStage": (
                "ClientCertificateId",
                "DefaultRouteSettings.DataTraceEnabled",
                "DefaultRouteSettings.LoggingLevel",
            ),
            "UpdateStage": (
                "ClientCertificateId",
                "DefaultRouteSettings.DataTraceEnabled",
                "DefaultRouteSettings.LoggingLevel",
            ),
        },
        is_listed=True,
    ),
)
