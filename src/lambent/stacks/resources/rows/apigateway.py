"""Amazon API Gateway: REST APIs."""

from collections.abc import Mapping
from typing import Any

from lambent.model.errors import ApiError
from lambent.model.stack_documents import TOKEN_TAG
from lambent.stacks.resources.bodies import fetch_body
from lambent.stacks.resources.conversion import as_text
from lambent.stacks.resources.resource_type import Properties, Step
from lambent.stacks.resources.row_type import (
    Call,
    Find,
    Name,
    Part,
    Patch,
    Path,
    Prepare,
    Retag,
    Row,
    only,
    op,
)
from lambent.stacks.resources.rows.apigateway_paths import (
    items,
    stage_details,
    stage_paths,
    texts,
    usage_plan_paths,
)

_SERVICE = "apigateway"
_ARN = "arn:aws:apigateway:{$region}::"


def _retag(path: str) -> Retag:
    return Retag("TagResource", "UntagResource", {"resourceArn": f"{_ARN}{path}"})


def _without(ignored: str) -> Prepare:
    """Ignores a property that has no effect."""
    return lambda properties, _: {
        name: value for name, value in properties.items() if name != ignored
    }


def _import(properties: Properties, step: Step) -> dict[str, Any]:
    """A definition replaces an earlier one. Its title becomes the API's name, unless the template
    has a name."""
    made = {"FirstName": properties.get("Name"), **properties}
    if "Body" in properties:
        made.setdefault("Mode", "overwrite")
        made["FirstName"] = properties.get("Name", step.name)
    return made


def _rest_api(properties: Properties) -> Mapping[str, Path]:
    endpoint = properties.get("EndpointConfiguration") or {}
    types = endpoint.get("Types") or ()
    return {
        **texts(
            properties,
            *("Name", "Description", "Version", "Policy", "DisableExecuteApiEndpoint"),
            *("SecurityPolicy", "MinimumCompressionSize"),
            ApiKeySourceType="apiKeySource",
        ),
        **items(properties, "BinaryMediaTypes"),
        **({"/endpointConfiguration/types/0": Path(types[0], "setting")} if types else {}),
    }


REST_API = Row(
    name="AWS::ApiGateway::RestApi",
    service=_SERVICE,
    renamed={"ApiKeySourceType": "apiKeySource"},
    create=op("CreateRestApi", name="{FirstName}"),
    physical="{.id}",
    find=Find(only("GetRestApis"), "items", {f"tags.{TOKEN_TAG}": "{$token}"}),
    keys={"restApiId": "{$id}"},
    read=only("GetRestApi"),
    delete=only("DeleteRestApi"),
    fetch=fetch_body,
    prepare=_import,
    uses=frozenset({"Body", "BodyS3Location", "FailOnWarnings", "Mode", "Parameters"}),
    parts=(
        Part(
            of=("Body",),
            with_=("Mode", "Parameters"),
            put=only(
                "PutRestApi",
                body="{Body}",
                mode="{Mode}",
                parameters="{Parameters}",
                failOnWarnings="{FailOnWarnings}",
            ),
        ),
    ),
    resets=("Body",),
    patch=Patch(
        only("UpdateRestApi"),
        _rest_api,
        (
            *("Name", "Description", "Version", "Policy", "DisableExecuteApiEndpoint"),
            *("SecurityPolicy", "MinimumCompressionSize", "ApiKeySourceType"),
            *("BinaryMediaTypes", "EndpointConfiguration"),
        ),
    ),
    attributes={"RestApiId": "{.id}", "RootResourceId": "{.rootResourceId}"},
    tags="tags",
    is_marked=True,
    retag=_retag("/restapis/{$id}"),
    note=f"Has the tag `{TOKEN_TAG}`.",
)

RESOURCE = Row(
    name="AWS::ApiGateway::Resource",
    service=_SERVICE,
    create=op("CreateResource"),
    physical="{.id}",
    find=Find(only("GetResources"), "items", {"parentId": "{ParentId}", "pathPart": "{PathPart}"}),
    keys={"restApiId": "{RestApiId}", "resourceId": "{$id}"},
    read=only("GetResource"),
    delete=only("DeleteResource"),
    attributes={"ResourceId": "{.id}"},
)


def _split_method(properties: Properties, _step: Step) -> dict[str, Any]:
    """Responses of the integration have an operation of their own."""
    made = {"AuthorizationType": "NONE", **properties}
    integration = properties.get("Integration")
    if integration is not None:
        made["Integration"] = {
            name: value for name, value in integration.items() if name != "IntegrationResponses"
        }
        made["IntegrationResponses"] = integration.get("IntegrationResponses")
    return made


METHOD = Row(
    name="AWS::ApiGateway::Method",
    service=_SERVICE,
    create=op("PutMethod"),
    physical="{RestApiId}|{ResourceId}|{HttpMethod}",
    keys={
        "restApiId": "{RestApiId}",
        "resourceId": "{ResourceId}",
        "httpMethod": "{HttpMethod}",
    },
    read=only("GetMethod"),
    delete=only("DeleteMethod"),
    is_remade=True,
    prepare=_split_method,
    parts=(
        Part(of=("MethodResponses",), is_each=True, put=only("PutMethodResponse", "{*}")),
        Part(
            of=("Integration",),
            put=only(
                "PutIntegration",
                type="{Integration.Type}",
                integrationHttpMethod="{Integration.IntegrationHttpMethod}",
                uri="{Integration.Uri}",
                connectionType="{Integration.ConnectionType}",
                connectionId="{Integration.ConnectionId}",
                credentials="{Integration.Credentials}",
                requestParameters="{Integration.RequestParameters}",
                requestTemplates="{Integration.RequestTemplates}",
                passthroughBehavior="{Integration.PassthroughBehavior}",
                cacheNamespace="{Integration.CacheNamespace}",
                cacheKeyParameters="{Integration.CacheKeyParameters}",
                contentHandling="{Integration.ContentHandling}",
                timeoutInMillis="{Integration.TimeoutInMillis}",
                responseTransferMode="{Integration.ResponseTransferMode}",
                integrationTarget="{Integration.IntegrationTarget}",
            ),
        ),
        Part(of=("IntegrationResponses",), is_each=True, put=only("PutIntegrationResponse", "{*}")),
    ),
    note="A change deletes the method and makes it again. Stages serve their deployments"
    " meanwhile.",
)

MODEL = Row(
    name="AWS::ApiGateway::Model",
    service=_SERVICE,
    named=Name("Name", 128, is_alphanumeric=True, parent="RestApiId"),
    create=op("CreateModel"),
    physical="{Name}",
    keys={"restApiId": "{RestApiId}", "modelName": "{$id}"},
    read=only("GetModel"),
    delete=only("DeleteModel"),
    prepare=lambda properties, _: {"ContentType": "application/json", **properties},
    patch=Patch(
        only("UpdateModel"),
        lambda properties: texts(properties, "Description", "Schema"),
        ("Description", "Schema"),
    ),
)

REQUEST_VALIDATOR = Row(
    name="AWS::ApiGateway::RequestValidator",
    service=_SERVICE,
    create=op("CreateRequestValidator"),
    physical="{.id}",
    find=Find(
        only("GetRequestValidators"),
        "items",
        {
            "name": "{Name}",
            "validateRequestBody": "{ValidateRequestBody}",
            "validateRequestParameters": "{ValidateRequestParameters}",
        },
    ),
    keys={"restApiId": "{RestApiId}", "requestValidatorId": "{$id}"},
    read=only("GetRequestValidator"),
    delete=only("DeleteRequestValidator"),
    prepare=lambda properties, _: {
        "ValidateRequestBody": False,
        "ValidateRequestParameters": False,
        **properties,
    },
    patch=Patch(
        only("UpdateRequestValidator"),
        lambda properties: texts(properties, "ValidateRequestBody", "ValidateRequestParameters"),
        ("ValidateRequestBody", "ValidateRequestParameters"),
    ),
    attributes={"RequestValidatorId": "{.id}"},
)

_AUTHORIZER_TEXTS = (
    *("Name", "Type", "AuthType", "AuthorizerUri", "AuthorizerCredentials", "IdentitySource"),
    *("IdentityValidationExpression", "AuthorizerResultTtlInSeconds"),
)
AUTHORIZER = Row(
    name="AWS::ApiGateway::Authorizer",
    service=_SERVICE,
    create=op("CreateAuthorizer"),
    renamed={"ProviderARNs": "providerARNs"},
    physical="{.id}",
    find=Find(only("GetAuthorizers"), "items", {"name": "{Name}"}),
    keys={"restApiId": "{RestApiId}", "authorizerId": "{$id}"},
    read=only("GetAuthorizer"),
    delete=only("DeleteAuthorizer"),
    patch=Patch(
        only("UpdateAuthorizer"),
        lambda properties: {
            **texts(properties, *_AUTHORIZER_TEXTS),
            **items(properties, "ProviderARNs"),
        },
        (*_AUTHORIZER_TEXTS, "ProviderARNs"),
    ),
    attributes={"AuthorizerId": "{.id}"},
)


def _check_stage_description(properties: Properties, _step: Step) -> dict[str, Any]:
    """The stage that a deployment makes has a description and variables; a resource of its own can
    have more."""
    stage = properties.get("StageDescription") or {}
    unknown = sorted(set(stage) - {"Description", "Variables"})
    if unknown:
        raise ApiError(
            "ValidationError",
            f"Lambent does not offer StageDescription/{unknown[0]}; make an"
            " AWS::ApiGateway::Stage.",
        )
    return dict(properties)


async def _delete_own_stage(call: Call, id: str, properties: Properties) -> None:
    """The stage that the deployment made, if it still shows the deployment."""
    if "StageName" not in properties:
        return
    stage = {"restApiId": properties["RestApiId"], "stageName": properties["StageName"]}
    if (await call(_SERVICE, "GetStage", stage))["deploymentId"] == id:
        await call(_SERVICE, "DeleteStage", stage)


DEPLOYMENT = Row(
    name="AWS::ApiGateway::Deployment",
    service=_SERVICE,
    create=op(
        "CreateDeployment",
        stageDescription="{StageDescription.Description}",
        variables="{StageDescription.Variables}",
    ),
    renamed={"DeploymentCanarySettings": "canarySettings"},
    physical="{.id}",
    find=Find(only("GetDeployments"), "items", {TOKEN_TAG: "{$token}"}),
    keys={"restApiId": "{RestApiId}", "deploymentId": "{$id}"},
    read=only("GetDeployment"),
    delete=only("DeleteDeployment"),
    before_delete=_delete_own_stage,
    prepare=_check_stage_description,
    patch=Patch(
        only("UpdateDeployment"),
        lambda properties: texts(properties, "Description"),
        ("Description",),
    ),
    attributes={"DeploymentId": "{.id}"},
)

STAGE = Row(
    name="AWS::ApiGateway::Stage",
    service=_SERVICE,
    named=Name("StageName", 128, parent="RestApiId"),
    create=op("CreateStage"),
    renamed={"CanarySetting": "canarySettings"},
    physical="{StageName}",
    keys={"restApiId": "{RestApiId}", "stageName": "{$id}"},
    read=only("GetStage"),
    delete=only("DeleteStage"),
    patch=Patch(
        only("UpdateStage"),
        stage_paths,
        (
            *("AccessLogSetting", "CacheClusterEnabled", "CacheClusterSize", "DeploymentId"),
            *("ClientCertificateId", "Description", "DocumentationVersion", "MethodSettings"),
            *("TracingEnabled", "Variables"),
        ),
        stage_details,
    ),
    uses=frozenset({"AccessLogSetting", "ClientCertificateId", "MethodSettings"}),
    tags="tags",
    retag=_retag("/restapis/{RestApiId}/stages/{$id}"),
)

ACCOUNT = Row(
    name="AWS::ApiGateway::Account",
    service=_SERVICE,
    create=None,
    physical="{$name}",
    parts=(
        Part(
            of=("CloudWatchRoleArn",),
            put=only(
                "UpdateAccount",
                patchOperations=[
                    {"op": "replace", "path": "/cloudwatchRoleArn", "value": "{CloudWatchRoleArn}"}
                ],
            ),
        ),
    ),
    attributes={"Id": "{$id}"},
    note="The account keeps the role when the resource is deleted.",
)

_KEY_TEXTS = ("Description", "Enabled", "CustomerId")
API_KEY = Row(
    name="AWS::ApiGateway::ApiKey",
    service=_SERVICE,
    named=Name("Name", 1024, is_shared=True),
    create=op("CreateApiKey"),
    physical="{.id}",
    find=Find(only("GetApiKeys", nameQuery="{Name}"), "items", {f"tags.{TOKEN_TAG}": "{$token}"}),
    keys={"apiKey": "{$id}"},
    read=only("GetApiKey"),
    delete=only("DeleteApiKey"),
    patch=Patch(
        only("UpdateApiKey"), lambda properties: texts(properties, *_KEY_TEXTS), _KEY_TEXTS
    ),
    attributes={"APIKeyId": "{.id}"},
    tags="tags",
    is_marked=True,
    retag=_retag("/apikeys/{$id}"),
    prepare=_without("StageKeys"),
    stored_only=frozenset({"StageKeys"}),
    in_place=frozenset({"StageKeys"}),
    note=f"Has the tag `{TOKEN_TAG}`. `StageKeys` has no effect: usage plans decide.",
)


async def _leave_stages(call: Call, id: str, properties: Properties) -> None:
    """A usage plan that has stages cannot be deleted."""
    stages = [path for path in usage_plan_paths(properties).items() if "#" in path[0]]
    operations = [
        {"op": "remove", "path": "/apiStages", "value": value.value} for _, value in stages
    ]
    if operations:
        changed = {"usagePlanId": id, "patchOperations": operations}
        await call(_SERVICE, "UpdateUsagePlan", changed)


USAGE_PLAN = Row(
    name="AWS::ApiGateway::UsagePlan",
    service=_SERVICE,
    named=Name("UsagePlanName", 255, is_shared=True),
    renamed={"UsagePlanName": "name"},
    create=op("CreateUsagePlan"),
    physical="{.id}",
    find=Find(only("GetUsagePlans"), "items", {f"tags.{TOKEN_TAG}": "{$token}"}),
    keys={"usagePlanId": "{$id}"},
    read=only("GetUsagePlan"),
    delete=only("DeleteUsagePlan"),
    before_delete=_leave_stages,
    patch=Patch(
        only("UpdateUsagePlan"),
        usage_plan_paths,
        ("UsagePlanName", "Description", "ApiStages", "Quota", "Throttle"),
    ),
    attributes={"Id": "{.id}"},
    tags="tags",
    is_marked=True,
    retag=_retag("/usageplans/{$id}"),
    note=f"Has the tag `{TOKEN_TAG}`.",
)

USAGE_PLAN_KEY = Row(
    name="AWS::ApiGateway::UsagePlanKey",
    service=_SERVICE,
    create=op("CreateUsagePlanKey"),
    physical="{KeyId}:{UsagePlanId}",
    keys={"usagePlanId": "{UsagePlanId}", "keyId": "{KeyId}"},
    read=only("GetUsagePlanKey"),
    delete=only("DeleteUsagePlanKey"),
    attributes={"Id": "{$id}"},
)

GATEWAY_RESPONSE = Row(
    name="AWS::ApiGateway::GatewayResponse",
    service=_SERVICE,
    create=op("PutGatewayResponse"),
    physical="{RestApiId}|{ResponseType}",
    keys={"restApiId": "{RestApiId}", "responseType": "{ResponseType}"},
    read=only("GetGatewayResponse"),
    update=(op("PutGatewayResponse"),),
    delete=only("DeleteGatewayResponse"),
    attributes={"Id": "{$id}"},
)


def _domain_name(properties: Properties) -> Mapping[str, Path]:
    return texts(properties, "CertificateArn", "RegionalCertificateArn", "SecurityPolicy")


DOMAIN_NAME = Row(
    name="AWS::ApiGateway::DomainName",
    service=_SERVICE,
    named=Name("DomainName", 512),
    create=op("CreateDomainName"),
    physical="{DomainName}",
    keys={"domainName": "{$id}"},
    read=only("GetDomainName"),
    delete=only("DeleteDomainName"),
    patch=Patch(
        only("UpdateDomainName"),
        _domain_name,
        ("CertificateArn", "RegionalCertificateArn", "SecurityPolicy"),
    ),
    attributes={
        "DistributionDomainName": "{.distributionDomainName}",
        "DistributionHostedZoneId": "{.distributionHostedZoneId}",
        "DomainNameArn": "{.domainNameArn}",
        "RegionalDomainName": "{.regionalDomainName}",
        "RegionalHostedZoneId": "{.regionalHostedZoneId}",
    },
    tags="tags",
    retag=_retag("/domainnames/{$id}"),
)

BASE_PATH_MAPPING = Row(
    name="AWS::ApiGateway::BasePathMapping",
    service=_SERVICE,
    create=op("CreateBasePathMapping"),
    physical="{DomainName}|{BasePath}",
    keys={"domainName": "{DomainName}", "basePath": "{BasePath}"},
    read=only("GetBasePathMapping"),
    delete=only("DeleteBasePathMapping"),
    prepare=lambda properties, _: {
        **properties,
        "BasePath": as_text(properties.get("BasePath") or "(none)"),
    },
    patch=Patch(
        only("UpdateBasePathMapping"),
        lambda properties: {
            **texts(properties, "Stage"),
            **texts(properties, RestApiId="restapiId"),
        },
        ("RestApiId", "Stage"),
    ),
)

DOCUMENTATION_PART = Row(
    name="AWS::ApiGateway::DocumentationPart",
    service=_SERVICE,
    create=op("CreateDocumentationPart"),
    physical="{.id}",
    keys={"restApiId": "{RestApiId}", "documentationPartId": "{$id}"},
    read=only("GetDocumentationPart"),
    delete=only("DeleteDocumentationPart"),
    patch=Patch(
        only("UpdateDocumentationPart"),
        lambda properties: texts(properties, "Properties"),
        ("Properties",),
    ),
    attributes={"DocumentationPartId": "{.id}"},
)

DOCUMENTATION_VERSION = Row(
    name="AWS::ApiGateway::DocumentationVersion",
    service=_SERVICE,
    named=Name("DocumentationVersion", 64, parent="RestApiId"),
    create=op("CreateDocumentationVersion"),
    physical="{DocumentationVersion}",
    renamed={"DocumentationVersion": "documentationVersion"},
    keys={"restApiId": "{RestApiId}", "documentationVersion": "{$id}"},
    read=only("GetDocumentationVersion"),
    delete=only("DeleteDocumentationVersion"),
    patch=Patch(
        only("UpdateDocumentationVersion"),
        lambda properties: texts(properties, "Description"),
        ("Description",),
    ),
)

ROWS = (
    REST_API,
    RESOURCE,
    METHOD,
    MODEL,
    REQUEST_VALIDATOR,
    AUTHORIZER,
    DEPLOYMENT,
    STAGE,
    ACCOUNT,
    API_KEY,
    USAGE_PLAN,
    USAGE_PLAN_KEY,
    GATEWAY_RESPONSE,
    DOMAIN_NAME,
    BASE_PATH_MAPPING,
    DOCUMENTATION_PART,
    DOCUMENTATION_VERSION,
)
