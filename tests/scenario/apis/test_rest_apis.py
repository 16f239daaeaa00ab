"""The control plane of REST APIs over HTTP, with boto3."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platforms import ACCOUNT, Platform

LAMBDA = (
    "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
    f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:any/invocations"
)


@pytest.fixture(scope="module")
def apis(platform: Platform) -> Any:
    """A client of `apigateway`."""
    return platform.client("apigateway")


@pytest.fixture
def api(apis: Any) -> Iterator[Any]:
    """A new API."""
    made = apis.create_rest_api(name="an-api")
    yield made
    apis.delete_rest_api(restApiId=made["id"])


def refusal(call: Any, **params: Any) -> tuple[str, str, int]:
    """Code, message and status of an error."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    response = caught.value.response
    error = response["Error"]
    return error["Code"], error["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def without_metadata(response: Any) -> dict[str, Any]:
    """Output members."""
    return {name: value for name, value in response.items() if name != "ResponseMetadata"}


def replace(path: str, value: str, op: str = "replace") -> list[dict[str, str]]:
    """One patch operation."""
    return [{"op": op, "path": path, "value": value}]


def test_an_api_has_aws_defaults(apis: Any) -> None:
    """No member is empty; reading it adds its tags."""
    made = apis.create_rest_api(name="plain")
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    members = without_metadata(made)
    id, created, root = (members.pop(name) for name in ("id", "createdDate", "rootResourceId"))
    assert len(id) == 10
    assert len(root) == 10
    assert created.year > 2020
    assert members == {
        "name": "plain",
        "apiKeySource": "HEADER",
        "disableExecuteApiEndpoint": False,
        "endpointConfiguration": {"types": ["EDGE"], "ipAddressType": "ipv4"},
    }
    read = without_metadata(apis.get_rest_api(restApiId=id))
    assert read == {**without_metadata(made), "tags": {}}
    assert apis.get_resources(restApiId=id)["items"] == [{"id": root, "path": "/"}]
    assert [model["name"] for model in apis.get_models(restApiId=id)["items"]] == ["Empty", "Error"]
    gone = apis.delete_rest_api(restApiId=id)
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert refusal(apis.get_rest_api, restApiId=id) == (
        "NotFoundException",
        f"Invalid API identifier specified {ACCOUNT}:{id}",
        404,
    )


def test_lists_stay_readable_after_chalice_patches(apis: Any, api: Any) -> None:
    """chalice unsets the compression and sets media types after each import."""
    patched = apis.update_rest_api(
        restApiId=api["id"],
        patchOperations=[
            {"op": "replace", "path": "/minimumCompressionSize", "value": ""},
            {"op": "add", "path": "/binaryMediaTypes/image~1png", "value": ""},
        ],
    )
    assert patched["binaryMediaTypes"] == ["image/png"]
    assert "minimumCompressionSize" not in patched
    listed = {item["id"]: item for item in apis.get_rest_apis(limit=500)["items"]}
    assert listed[api["id"]]["binaryMediaTypes"] == ["image/png"]


def test_pages_of_apis(apis: Any) -> None:
    """A page ends with a position where the next begins."""
    made = {apis.create_rest_api(name=f"page-{number}")["id"] for number in range(3)}
    found = []
    for page in apis.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 2}):
        assert len(page["items"]) <= 2
        found += [item["id"] for item in page["items"]]
    assert made <= set(found)
    assert len(found) == len(set(found))
    for id in made:
        apis.delete_rest_api(restApiId=id)


def test_a_resource_policy_is_shown_escaped(apis: Any, api: Any) -> None:
    """As in AWS; short resources become ARNs of the API."""
    policy = (
        '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*",'
        ' "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}}'
    )
    patches = replace("/policy", policy)
    shown = apis.update_rest_api(restApiId=api["id"], patchOperations=patches)["policy"]
    arn = f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{api['id']}/*"
    assert shown.startswith('{\\"Version\\":')
    assert arn in shown
    again = apis.update_rest_api(restApiId=api["id"], patchOperations=replace("/policy", shown))
    assert again["policy"] == shown
    code, text, _ = refusal(
        apis.update_rest_api, restApiId=api["id"], patchOperations=replace("/policy", "{}")
    )
    assert code == "BadRequestException"
    assert text.startswith("Invalid policy document.")


def test_resources_and_methods(apis: Any, api: Any) -> None:
    """A path, a method, what it calls and what it returns, as AWS shows them."""
    id, root = api["id"], api["rootResourceId"]
    pets = apis.create_resource(restApiId=id, parentId=root, pathPart="pets")
    assert without_metadata(pets) == {
        "id": pets["id"],
        "parentId": root,
        "path": "/pets",
        "pathPart": "pets",
    }
    at = {"restApiId": id, "resourceId": pets["id"], "httpMethod": "GET"}
    method = apis.put_method(**at, authorizationType="NONE")
    assert without_metadata(method) == {
        "apiKeyRequired": False,
        "authorizationType": "NONE",
        "httpMethod": "GET",
    }
    integration = apis.put_integration(
        **at, type="AWS_PROXY", integrationHttpMethod="POST", uri=LAMBDA
    )
    assert without_metadata(integration) == {
        "cacheKeyParameters": [],
        "cacheNamespace": pets["id"],
        "httpMethod": "POST",
        "passthroughBehavior": "WHEN_NO_MATCH",
        "timeoutInMillis": 29000,
        "type": "AWS_PROXY",
        "uri": LAMBDA,
    }
    answered = apis.put_method_response(
        **at, statusCode="200", responseModels={"application/json": "Empty"}
    )
    assert answered["responseModels"] == {"application/json": "Empty"}
    mapped = apis.put_integration_response(
        **at, statusCode="200", selectionPattern="", responseTemplates={"application/json": ""}
    )
    assert without_metadata(mapped) == {
        "selectionPattern": "",
        "statusCode": "200",
        "responseTemplates": {"application/json": None},
    }
    whole = apis.get_method(**at)
    assert list(whole["methodResponses"]) == ["200"]
    assert list(whole["methodIntegration"]["integrationResponses"]) == ["200"]
    listed = apis.get_resources(restApiId=id, embed=["methods"])["items"]
    assert listed[1]["resourceMethods"]["GET"]["methodIntegration"]["uri"] == LAMBDA
    assert apis.get_resource(restApiId=id, resourceId=pets["id"])["resourceMethods"] == {"GET": {}}
    assert apis.delete_method(**at)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refusal(apis.get_method, **at) == (
        "NotFoundException",
        "Invalid Method identifier specified",
        404,
    )


def test_resources_move_with_what_is_below(apis: Any, api: Any) -> None:
    """Their paths change; cycles and equal names are refused, in AWS's words."""
    id, root = api["id"], api["rootResourceId"]

    def add(parent: str, part: str) -> str:
        made = apis.create_resource(restApiId=id, parentId=parent, pathPart=part)
        return str(made["id"])

    pets = add(root, "pets")
    sub = add(pets, "sub")
    deep = add(sub, "{proxy+}")
    apis.update_resource(
        restApiId=id, resourceId=pets, patchOperations=replace("/pathPart", "dogs")
    )
    assert apis.get_resource(restApiId=id, resourceId=deep)["path"] == "/dogs/sub/{proxy+}"
    cycle = replace("/parentId", sub)
    assert refusal(apis.update_resource, restApiId=id, resourceId=pets, patchOperations=cycle) == (
        "BadRequestException",
        "Resources cannot be cyclical.",
        400,
    )
    assert refusal(apis.create_resource, restApiId=id, parentId=root, pathPart="dogs")[1] == (
        "Another resource with the same parent already has this name: dogs"
    )
    assert refusal(apis.create_resource, restApiId=id, parentId=deep, pathPart="x")[1] == (
        "Cannot create a child of a resource with a greedy path variable: {proxy+}"
    )
    assert refusal(apis.create_resource, restApiId=id, parentId=sub, pathPart="{x}")[1] == (
        "A sibling ({proxy+}) of this resource already has a variable path part -- only one is"
        " allowed"
    )
    apis.delete_resource(restApiId=id, resourceId=pets)
    assert [item["path"] for item in apis.get_resources(restApiId=id)["items"]] == ["/"]


def a_method(apis: Any, api: Any, verb: str = "GET") -> dict[str, str]:
    """A mock on the root resource."""
    at = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": verb}
    apis.put_method(**at, authorizationType="NONE")
    apis.put_integration(
        **at, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}
    )
    return at


def test_stages_run_deployments(apis: Any, api: Any) -> None:
    """Deploying makes the stage; a deployment that a stage runs stays."""
    id = api["id"]
    assert refusal(apis.create_deployment, restApiId=id)[1] == (
        "The REST API doesn't contain any methods"
    )
    a_method(apis, api)
    first = apis.create_deployment(restApiId=id, stageName="dev", variables={"color": "blue"})
    assert set(without_metadata(first)) == {"id", "createdDate"}
    stage = without_metadata(apis.get_stage(restApiId=id, stageName="dev"))
    for moment in ("createdDate", "lastUpdatedDate"):
        stage.pop(moment)
    assert stage == {
        "cacheClusterEnabled": False,
        "cacheClusterStatus": "NOT_AVAILABLE",
        "deploymentId": first["id"],
        "methodSettings": {},
        "stageName": "dev",
        "tracingEnabled": False,
        "variables": {"color": "blue"},
    }
    second = apis.create_deployment(restApiId=id, description="second")
    with_summary = apis.get_deployment(
        restApiId=id, deploymentId=second["id"], embed=["apisummary"]
    )
    assert with_summary["apiSummary"] == {
        "/": {"GET": {"authorizationType": "NONE", "apiKeyRequired": False}}
    }
    assert refusal(apis.delete_deployment, restApiId=id, deploymentId=first["id"]) == (
        "BadRequestException",
        "Active stages pointing to this deployment must be moved or deleted",
        400,
    )
    moved = apis.update_stage(
        restApiId=id, stageName="dev", patchOperations=replace("/deploymentId", second["id"])
    )
    assert moved["deploymentId"] == second["id"]
    apis.delete_deployment(restApiId=id, deploymentId=first["id"])
    assert [item["id"] for item in apis.get_deployments(restApiId=id)["items"]] == [second["id"]]
    filtered = apis.get_stages(restApiId=id, deploymentId=second["id"])["item"]
    assert [item["stageName"] for item in filtered] == ["dev"]
    assert refusal(apis.create_stage, restApiId=id, stageName="x", deploymentId="nowhere") == (
        "BadRequestException",
        "Deployment id does not exist",
        400,
    )


def test_stage_settings(apis: Any, api: Any) -> None:
    """Settings of methods, variables and canaries; what has no effect is refused."""
    id = api["id"]
    a_method(apis, api)
    first = apis.create_deployment(restApiId=id, stageName="dev")["id"]
    at = {"restApiId": id, "stageName": "dev"}
    changed = apis.update_stage(
        **at,
        patchOperations=[
            {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "12.5"},
            {"op": "replace", "path": "/variables/k", "value": "v"},
        ],
    )
    assert changed["variables"] == {"k": "v"}
    assert changed["methodSettings"] == {
        "*/*": {
            "metricsEnabled": False,
            "dataTraceEnabled": False,
            "throttlingBurstLimit": 5000,
            "throttlingRateLimit": 12.5,
            "cachingEnabled": False,
            "cacheTtlInSeconds": 300,
            "cacheDataEncrypted": False,
            "requireAuthorizationForCacheControl": True,
            "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
        }
    }
    second = apis.create_deployment(
        restApiId=id, stageName="dev", canarySettings={"percentTraffic": 40.0}
    )["id"]
    canary = apis.get_stage(**at)
    assert canary["deploymentId"] == first
    assert canary["canarySettings"] == {
        "deploymentId": second,
        "percentTraffic": 40.0,
        "useStageCache": False,
    }
    promoted = apis.update_stage(
        **at,
        patchOperations=[
            {"op": "copy", "path": "/deploymentId", "from": "/canarySettings/deploymentId"},
            {"op": "remove", "path": "/canarySettings"},
        ],
    )
    assert promoted["deploymentId"] == second
    assert "canarySettings" not in promoted
    for path in ("/cacheClusterEnabled", "/*/*/metrics/enabled"):
        code, text, _ = refusal(apis.update_stage, **at, patchOperations=replace(path, "true"))
        assert code == "BadRequestException"
        assert text.startswith("Lambent does not support")
    assert apis.flush_stage_authorizers_cache(**at)["ResponseMetadata"]["HTTPStatusCode"] == 202


def test_models_validators_and_authorizers(apis: Any, api: Any) -> None:
    """Each is created, used by a method, and stays while it is used."""
    id = api["id"]
    model = apis.create_model(
        restApiId=id, name="Pet", contentType="application/json", schema='{"type": "object"}'
    )
    assert len(model["id"]) == 6
    validator = apis.create_request_validator(restApiId=id, name="all", validateRequestBody=True)
    assert validator["validateRequestParameters"] is False
    authorizer = apis.create_authorizer(
        restApiId=id,
        name="mine",
        type="TOKEN",
        authorizerUri=LAMBDA,
        identitySource="method.request.header.Auth",
    )
    assert authorizer["authType"] == "custom"
    at = a_method(apis, api)
    apis.update_method(
        **at,
        patchOperations=[
            {"op": "add", "path": "/requestModels/application~1json", "value": "Pet"},
            {"op": "replace", "path": "/requestValidatorId", "value": validator["id"]},
            {"op": "replace", "path": "/authorizationType", "value": "CUSTOM"},
            {"op": "replace", "path": "/authorizerId", "value": authorizer["id"]},
        ],
    )
    assert refusal(apis.delete_model, restApiId=id, modelName="Pet") == (
        "ConflictException",
        "Cannot delete model 'Pet', is referenced in method request: //GET",
        409,
    )
    for call, member, value in (
        (apis.delete_authorizer, "authorizerId", authorizer["id"]),
        (apis.delete_request_validator, "requestValidatorId", validator["id"]),
    ):
        assert refusal(call, restApiId=id, **{member: value})[0] == "ConflictException"
    template = apis.get_model_template(restApiId=id, modelName="Pet")["value"]
    assert template.startswith("#set($inputRoot = $input.path('$'))")
    assert refusal(
        apis.update_method,
        **at,
        patchOperations=replace("/authorizerId", "nobody"),
    )[1].startswith("Invalid authorizer ID specified.")


def test_gateway_responses(apis: Any, api: Any) -> None:
    """All types are there; DEFAULT_5XX is the fallback of others."""
    id = api["id"]
    apis.put_gateway_response(restApiId=id, responseType="DEFAULT_5XX", statusCode="599")
    found = {
        item["responseType"]: item for item in apis.get_gateway_responses(restApiId=id)["items"]
    }
    assert len(found) == 21
    assert found["INTEGRATION_TIMEOUT"]["statusCode"] == "599"
    assert found["INTEGRATION_TIMEOUT"]["defaultResponse"] is True
    assert found["THROTTLED"]["statusCode"] == "429"
    assert "statusCode" not in found["DEFAULT_4XX"]
    apis.delete_gateway_response(restApiId=id, responseType="DEFAULT_5XX")
    assert refusal(apis.delete_gateway_response, restApiId=id, responseType="DEFAULT_5XX") == (
        "NotFoundException",
        "Gateway response type not defined on api",
        404,
    )


def test_keys_and_usage_plans(apis: Any, api: Any) -> None:
    """A key in a plan of a stage; its value is shown only to those who ask."""
    id = api["id"]
    a_method(apis, api)
    apis.create_deployment(restApiId=id, stageName="dev")
    key = apis.create_api_key(name="mine", enabled=True, value="x" * 20)
    assert key["value"] == "x" * 20
    assert key["stageKeys"] == []
    assert "value" not in apis.get_api_key(apiKey=key["id"])
    assert apis.get_api_key(apiKey=key["id"], includeValue=True)["value"] == "x" * 20
    assert refusal(apis.create_api_key, value="x" * 19)[1] == (
        "API Key value should be at least 20 characters"
    )
    assert refusal(apis.create_api_key, value="x" * 20)[0] == "ConflictException"
    plan = apis.create_usage_plan(
        name="plan",
        apiStages=[{"apiId": id, "stage": "dev"}],
        quota={"limit": 10, "period": "DAY"},
        throttle={"rateLimit": 2.0, "burstLimit": 1},
    )
    assert plan["quota"] == {"limit": 10, "offset": 0, "period": "DAY"}
    member = apis.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    assert without_metadata(member) == {
        "id": key["id"],
        "type": "API_KEY",
        "value": "x" * 20,
        "name": "mine",
    }
    assert [item["id"] for item in apis.get_usage_plans(keyId=key["id"])["items"]] == [plan["id"]]
    limited = apis.update_usage_plan(
        usagePlanId=plan["id"],
        patchOperations=[
            {
                "op": "add",
                "path": f"/apiStages/{id}:dev/throttle/~1pets/GET/rateLimit",
                "value": "3",
            },
            {"op": "remove", "path": "/quota"},
        ],
    )
    assert limited["apiStages"][0]["throttle"] == {"/pets/GET": {"rateLimit": 3.0}}
    assert "quota" not in limited
    assert limited["tags"] == {}
    assert refusal(apis.delete_usage_plan, usagePlanId=plan["id"])[0] == "BadRequestException"
    apis.delete_stage(restApiId=id, stageName="dev")
    assert (
        "apiStages" not in apis.get_usage_plan(usagePlanId=plan["id"])
        or not apis.get_usage_plan(usagePlanId=plan["id"])["apiStages"]
    )
    apis.delete_usage_plan(usagePlanId=plan["id"])
    apis.delete_api_key(apiKey=key["id"])
    imported = apis.import_api_keys(
        body=b"name,key,enabled\nfirst," + b"k" * 20 + b",true\nshort,abc,true\n", format="csv"
    )
    assert len(imported["ids"]) == 1
    assert "Line 2" in imported["warnings"][0]
    apis.delete_api_key(apiKey=imported["ids"][0])


def test_documentation_and_account(apis: Any, api: Any) -> None:
    """Both are stored."""
    id = api["id"]
    part = apis.create_documentation_part(
        restApiId=id, location={"type": "API"}, properties='{"description": "d"}'
    )
    assert apis.get_documentation_parts(restApiId=id)["items"] == [without_metadata(part)]
    version = apis.create_documentation_version(restApiId=id, documentationVersion="v1")
    assert version["version"] == "v1"
    assert refusal(
        apis.update_documentation_part,
        restApiId=id,
        documentationPartId=part["id"],
        patchOperations=replace("/other", "x"),
    )[1] == (
        "Invalid patch path  '/other' specified for op 'replace'. Must be one of: [/properties]"
    )
    account = apis.get_account()
    assert account["throttleSettings"] == {"burstLimit": 5000, "rateLimit": 10000.0}


def test_a_clone_is_an_api_of_its_own(apis: Any, api: Any) -> None:
    """It has the same paths, and a change of one is none of the other."""
    a_method(apis, api)
    clone = apis.create_rest_api(name="clone", cloneFrom=api["id"])
    at = {"restApiId": clone["id"], "resourceId": clone["rootResourceId"], "httpMethod": "GET"}
    assert apis.get_method(**at)["methodIntegration"]["type"] == "MOCK"
    apis.delete_method(**at)
    original = {**at, "restApiId": api["id"]}
    assert apis.get_method(**original)["httpMethod"] == "GET"
    apis.delete_rest_api(restApiId=clone["id"])
