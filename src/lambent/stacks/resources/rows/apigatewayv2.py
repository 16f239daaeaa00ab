"""Amazon API Gateway: HTTP and WebSocket APIs."""

from typing import Any

from lambent.model.errors import ApiError
from lambent.model.stack_documents import TOKEN_TAG
from lambent.stacks.resources.bodies import fetch_body
from lambent.stacks.resources.conversion import convert
from lambent.stacks.resources.facts import input_of
from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import (
    Call,
    Find,
    Name,
    Part,
    Retag,
    Row,
    Several,
    only,
    op,
)

_SERVICE = "apigatewayv2"
_API_ARN = "arn:aws:apigateway:{$region}::/apis/"


def _import(properties: Properties, step: Step) -> dict[str, Any]:
    """The title of a definition becomes the API's name, unless the template has a name."""
    made = {"FirstName": properties.get("Name"), **properties}
    if "Body" in properties:
        made["FirstName"] = properties.get("Name", step.name)
        made.setdefault("ProtocolType", "HTTP")
    return made


API = Row(
    name="AWS::ApiGatewayV2::Api",
    service=_SERVICE,
    create=op("CreateApi", Name="{FirstName}"),
    physical="{.ApiId}",
    find=Find(only("GetApis"), "Items", {f"Tags.{TOKEN_TAG}": "{$token}"}),
    keys={"ApiId": "{$id}"},
    read=only("GetApi"),
    update=(op("UpdateApi"),),
    delete=only("DeleteApi"),
    fetch=fetch_body,
    prepare=_import,
    uses=frozenset({"Body", "BodyS3Location", "BasePath", "FailOnWarnings"}),
    parts=(
        Part(
            of=("Body",),
            put=only(
                "ReimportApi",
                Body="{Body}",
                Basepath="{BasePath}",
                FailOnWarnings="{FailOnWarnings}",
            ),
        ),
        Part(
            of=("CorsConfiguration",),
            on_create=False,
            put=only("UpdateApi", CorsConfiguration="{CorsConfiguration}"),
            remove=only("DeleteCorsConfiguration"),
        ),
    ),
    resets=("Body",),
    attributes={
        "ApiEndpoint": "{.ApiEndpoint}",
        "ApiId": "{.ApiId}",
        "ExecuteApiArn": "arn:aws:execute-api:{$region}:{$account}:{$id}",
    },
    tags="Tags",
    is_marked=True,
    retag=Retag("TagResource", "UntagResource", {"ResourceArn": f"{_API_ARN}{{$id}}"}),
    defaults={"Description": "", "DisableExecuteApiEndpoint": False, "Version": ""},
    note=f"Has the tag `{TOKEN_TAG}`.",
)


def _child(kind: str, match: dict[str, Any], **more: Any) -> Row:
    """A part of an API with an id that the service chooses."""
    return Row(
        **{
            "name": f"AWS::ApiGatewayV2::{kind}",
            "service": _SERVICE,
            "create": op(f"Create{kind}"),
            "physical": f"{{.{kind}Id}}",
            "find": Find(only(f"Get{kind}s"), "Items", match),
            "keys": {"ApiId": "{ApiId}", f"{kind}Id": "{$id}"},
            "read": only(f"Get{kind}"),
            "update": (op(f"Update{kind}"),),
            "delete": only(f"Delete{kind}"),
            "attributes": {f"{kind}Id": f"{{.{kind}Id}}"},
            **more,
        }
    )


STAGE = Row(
    name="AWS::ApiGatewayV2::Stage",
    service=_SERVICE,
    named=Name("StageName", 128, parent="ApiId"),
    create=op("CreateStage"),
    physical="{StageName}",
    keys={"ApiId": "{ApiId}", "StageName": "{$id}"},
    read=only("GetStage"),
    update=(op("UpdateStage"),),
    delete=only("DeleteStage"),
    tags="Tags",
    retag=Retag(
        "TagResource", "UntagResource", {"ResourceArn": f"{_API_ARN}{{ApiId}}/stages/{{$id}}"}
    ),
    parts=(
        Part(
            of=("AccessLogSettings",),
            on_create=False,
            put=only("UpdateStage", AccessLogSettings="{AccessLogSettings}"),
            remove=only("DeleteAccessLogSettings"),
        ),
    ),
    defaults={
        "AutoDeploy": False,
        "DefaultRouteSettings": {},
        "Description": "",
        "RouteSettings": {},
        "StageVariables": {},
    },
)

DOMAIN_NAME = Row(
    name="AWS::ApiGatewayV2::DomainName",
    service=_SERVICE,
    named=Name("DomainName", 512),
    create=op("CreateDomainName"),
    physical="{DomainName}",
    keys={"DomainName": "{$id}"},
    read=only("GetDomainName"),
    update=(op("UpdateDomainName"),),
    delete=only("DeleteDomainName"),
    attributes={
        "DomainNameArn": "{.DomainNameArn}",
        "RegionalDomainName": "{.DomainNameConfigurations.0.ApiGatewayDomainName}",
        "RegionalHostedZoneId": "{.DomainNameConfigurations.0.HostedZoneId}",
    },
    tags="Tags",
    retag=Retag(
        "TagResource",
        "UntagResource",
        {"ResourceArn": "arn:aws:apigateway:{$region}::/domainnames/{$id}"},
    ),
)

API_MAPPING = Row(
    name="AWS::ApiGatewayV2::ApiMapping",
    service=_SERVICE,
    create=op("CreateApiMapping"),
    physical="{.ApiMappingId}",
    find=Find(
        only("GetApiMappings", DomainName="{DomainName}"),
        "Items",
        {"ApiId": "{ApiId}", "ApiMappingKey": "{ApiMappingKey}"},
    ),
    keys={"DomainName": "{DomainName}", "ApiMappingId": "{$id}"},
    read=only("GetApiMapping"),
    update=(op("UpdateApiMapping"),),
    delete=only("DeleteApiMapping"),
    attributes={"ApiMappingId": "{.ApiMappingId}"},
)


def _override(kind: str, name: str) -> Several:
    """Changes what the quick create of an API has made."""

    async def put(call: Call, api: str, properties: Properties, _: Any) -> None:
        operation = f"Update{kind}"
        given = convert(properties[kind], input_of(_SERVICE, operation), kind)
        listed = await call(_SERVICE, f"Get{kind}s", {"ApiId": api})
        found = [each for each in listed["Items"] if each.get("ApiGatewayManaged")]
        if not found:
            message = f"The API {api} has no {kind.lower()} that its quick create has made."
            raise ApiError("ValidationError", message)
        await call(_SERVICE, operation, {"ApiId": api, name: found[0][name], **given})

    return Several(put, (f"Update{kind}",))


MANAGED_OVERRIDES = Row(
    name="AWS::ApiGatewayV2::ApiGatewayManagedOverrides",
    service=_SERVICE,
    create=None,
    physical="{ApiId}",
    keys={"ApiId": "{ApiId}"},
    read=only("GetApi"),
    attributes={"Id": "{$id}"},
    uses=frozenset({"ApiId"}),
    parts=tuple(
        Part(of=(kind,), put=_override(kind, name))
        for kind, name in (
            ("Integration", "IntegrationId"),
            ("Route", "RouteId"),
            ("Stage", "StageName"),
        )
    ),
    note="What it has set stays when it is deleted.",
)

ROWS = (
    API,
    _child(
        "Route",
        {"RouteKey": "{RouteKey}"},
        defaults={
            "ApiKeyRequired": False,
            "AuthorizationScopes": [],
            "AuthorizationType": "NONE",
            "OperationName": "",
            "RequestParameters": {},
        },
    ),
    _child(
        "Integration",
        {
            "IntegrationType": "{IntegrationType}",
            "IntegrationUri": "{IntegrationUri}",
            "IntegrationSubtype": "{IntegrationSubtype}",
            "Description": "{Description}",
        },
        defaults={
            "CredentialsArn": "",
            "Description": "",
            "RequestParameters": {},
            "RequestTemplates": {},
            "ResponseParameters": {},
        },
        note="After a stop of the platform an integration is found by its type, its URI and its"
        " description.",
    ),
    STAGE,
    Row(
        name="AWS::ApiGatewayV2::Deployment",
        service=_SERVICE,
        create=op("CreateDeployment"),
        physical="{.DeploymentId}",
        find=Find(only("GetDeployments"), "Items", {TOKEN_TAG: "{$token}"}),
        keys={"ApiId": "{ApiId}", "DeploymentId": "{$id}"},
        read=only("GetDeployment"),
        update=(op("UpdateDeployment"),),
        delete=only("DeleteDeployment"),
        attributes={"DeploymentId": "{.DeploymentId}"},
        defaults={"Description": ""},
    ),
    _child("Authorizer", {"Name": "{Name}"}),
    _child("Model", {"Name": "{Name}"}, defaults={"Description": ""}),
    _child(
        "RouteResponse",
        {"RouteResponseKey": "{RouteResponseKey}"},
        keys={"ApiId": "{ApiId}", "RouteId": "{RouteId}", "RouteResponseId": "{$id}"},
    ),
    _child(
        "IntegrationResponse",
        {"IntegrationResponseKey": "{IntegrationResponseKey}"},
        keys={
            "ApiId": "{ApiId}",
            "IntegrationId": "{IntegrationId}",
            "IntegrationResponseId": "{$id}",
        },
    ),
    DOMAIN_NAME,
    API_MAPPING,
    MANAGED_OVERRIDES,
)
