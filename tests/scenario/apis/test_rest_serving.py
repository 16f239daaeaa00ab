"""REST APIs that are configured with boto3 and called over HTTP."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.platforms import ACCOUNT, Platform, wait_for

from .test_rest_apis import refusal, replace

GROUP = "/apis/rest-serving"
LOG_ARN = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{GROUP}"


@pytest.fixture(scope="module")
def apis(platform: Platform) -> Any:
    """A client of `apigateway`."""
    return platform.client("apigateway")


@pytest.fixture
def api(apis: Any) -> Iterator[str]:
    """An API with a mock at `POST /`."""
    made = apis.create_rest_api(name="served")
    put_mock(apis, made["id"], made["rootResourceId"])
    yield made["id"]
    apis.delete_rest_api(restApiId=made["id"])


def put_mock(apis: Any, api: str, resource: str, **method: Any) -> None:
    """A method that says which stage it is of."""
    at = {"restApiId": api, "resourceId": resource, "httpMethod": "POST"}
    apis.put_method(**at, **{"authorizationType": "NONE", **method})
    apis.put_integration(
        **at, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}
    )
    apis.put_method_response(**at, statusCode="200")
    template = '{"stage": "$context.stage", "v": "$stageVariables.v"}'
    apis.put_integration_response(
        **at, statusCode="200", responseTemplates={"application/json": template}
    )


def post(
    platform: Platform, path: str, headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """Status and document of a response."""
    address = f"{platform.endpoint}/_lambent/api/{path}"
    sent = {"Content-Type": "application/json", **(headers or {})}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(address, b"{}", sent), timeout=30
        ) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_access_logs(platform: Platform, apis: Any, api: str) -> None:
    """A line for each request, from the moment they are configured until they are removed."""
    apis.create_deployment(restApiId=api, stageName="dev")
    at = {"restApiId": api, "stageName": "dev"}
    set_both = [
        {"op": "replace", "path": "/accessLogSettings/destinationArn", "value": LOG_ARN},
        {
            "op": "replace",
            "path": "/accessLogSettings/format",
            "value": "$context.httpMethod $context.resourcePath $context.status",
        },
    ]
    stage = apis.update_stage(**at, patchOperations=set_both)
    assert stage["accessLogSettings"]["destinationArn"] == LOG_ARN
    assert post(platform, f"{api}/dev/")[0] == 200
    assert post(platform, f"{api}/dev/nowhere")[0] == 403

    def lines() -> list[str]:
        try:
            found = platform.logs.filter_log_events(logGroupName=GROUP)["events"]
        except platform.logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"].rstrip("\n") for event in found]

    wait_for(lambda: len(lines()) == 2, "the lines of the log")
    assert lines() == ["POST / 200", "POST - 403"]
    shown = apis.update_stage(
        **at, patchOperations=[{"op": "remove", "path": "/accessLogSettings"}]
    )
    assert "accessLogSettings" not in shown
    assert post(platform, f"{api}/dev/")[0] == 200
    assert len(lines()) == 2


def test_execution_logs(platform: Platform, apis: Any, api: str) -> None:
    """The settings of all methods say what is written, from the next request on."""
    apis.create_deployment(restApiId=api, stageName="dev")
    at = {"restApiId": api, "stageName": "dev"}
    group = f"API-Gateway-Execution-Logs_{api}/dev"

    def lines() -> list[str]:
        found = platform.logs.filter_log_events(logGroupName=group)["events"]
        return [event["message"].partition(") ")[2].rstrip("\n") for event in found]

    stage = apis.update_stage(
        **at,
        patchOperations=[
            *replace("/*/*/logging/loglevel", "INFO"),
            *replace("/*/*/logging/dataTrace", "true"),
        ],
    )
    setting = stage["methodSettings"]["*/*"]
    assert (setting["loggingLevel"], setting["dataTraceEnabled"]) == ("INFO", True)
    assert post(platform, f"{api}/dev/", {"Authorization": "a-secret-of-many-letters"})[0] == 200
    wait_for(lambda: lines()[-1:] == ["Method completed with status: 200"], "the lines of the log")
    assert 'Endpoint request body after transformations: {"statusCode": 200}' in lines()
    assert "a-secret" not in "".join(lines())
    apis.update_stage(**at, patchOperations=replace("/*/*/logging/loglevel", "OFF"))
    before = len(lines())
    assert post(platform, f"{api}/dev/")[0] == 200
    assert len(lines()) == before
    code, text, _ = refusal(
        apis.update_stage, **at, patchOperations=replace("/*/*/logging/loglevel", "DEBUG")
    )
    assert (code, text[:22]) == ("BadRequestException", "Invalid logging level:")


def test_access_logs_go_to_groups_of_the_api_s_account(apis: Any, api: str) -> None:
    """Half a configuration, streams, and groups of others are refused."""
    apis.create_deployment(restApiId=api, stageName="dev")
    at = {"restApiId": api, "stageName": "dev"}
    path = "/accessLogSettings/destinationArn"
    _, text, _ = refusal(apis.update_stage, **at, patchOperations=replace(path, LOG_ARN))
    assert text.startswith("Access logs need both")
    text_patch = replace("/accessLogSettings/format", "$context.requestId")
    for arn, message in (
        (LOG_ARN.replace(ACCOUNT, "111111111111"), "The log group of access logs must be in"),
        (LOG_ARN.replace("us-east-1", "eu-west-1"), "The log group of access logs must be in"),
        ("arn:aws:firehose:us-east-1:000000000000:deliverystream/amazon-apigateway-a", "Lambent"),
        (f"{LOG_ARN} x", "Lambent does not support"),
    ):
        code, text, _ = refusal(
            apis.update_stage, **at, patchOperations=replace(path, arn) + text_patch
        )
        assert (code, text[: len(message)]) == ("BadRequestException", message)
    assert "accessLogSettings" not in apis.get_stage(**at)


def test_quotas_of_keys(platform: Platform, apis: Any, api: str) -> None:
    """Requests are counted, and what is left can be changed: at once, in both directions."""
    (root,) = apis.get_resources(restApiId=api)["items"]
    at = {"restApiId": api, "resourceId": root["id"], "httpMethod": "POST"}
    apis.update_method(**at, patchOperations=replace("/apiKeyRequired", "true"))
    apis.create_deployment(restApiId=api, stageName="dev")
    key = apis.create_api_key(name="counted", enabled=True)
    stage = {"apiId": api, "stage": "dev"}
    plan = apis.create_usage_plan(
        name="counted", apiStages=[stage], quota={"limit": 100, "period": "MONTH"}
    )["id"]
    apis.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")

    def ask() -> tuple[int, Any]:
        return post(platform, f"{api}/dev/", {"x-api-key": key["value"]})

    def used() -> list[int]:
        today = time.strftime("%Y-%m-%d", time.gmtime())
        usage = apis.get_usage(usagePlanId=plan, startDate=today, endDate=today)
        days: list[list[int]] = usage["items"][key["id"]]
        return days[0]

    assert ask()[0] == 200
    wait_for(lambda: used() == [1, 99], "the request is counted")
    member = {"usagePlanId": plan, "keyId": key["id"]}
    changed = apis.update_usage(**member, patchOperations=replace("/remaining", "0"))
    assert changed["items"] == {key["id"]: [[1, 0]]}
    assert ask() == (429, {"message": "Limit Exceeded"})
    apis.update_usage(**member, patchOperations=replace("/remaining", "1"))
    assert [ask()[0] for _ in range(2)] == [200, 429]
    apis.delete_api_key(apiKey=key["id"])


def test_a_trial_needs_no_deployment(apis: Any, api: str) -> None:
    """The method is as it is now; stage variables come with the request."""
    (root,) = apis.get_resources(restApiId=api)["items"]
    at = {"restApiId": api, "resourceId": root["id"], "httpMethod": "POST"}
    result = apis.test_invoke_method(**at, body="{}", stageVariables={"v": "w"})
    assert json.loads(result["body"]) == {"stage": "test-invoke-stage", "v": "w"}
    assert (result["status"], result["headers"]["Content-Type"]) == (200, "application/json")
    assert result["log"].startswith("Execution log for request ")
    code, text, _ = refusal(apis.test_invoke_method, **at, stageVariables={"v": "<>"})
    assert (code, text.startswith("Invalid stage variable value")) == ("BadRequestException", True)
    code, text, _ = refusal(apis.test_invoke_method, **at, clientCertificateId="c")
    assert text == "Lambent does not support client certificates."
    with pytest.raises(apis.exceptions.NotFoundException):
        apis.test_invoke_authorizer(restApiId=api, authorizerId="abc123")
