"""What integrations may be: proxies that stream their responses, and URIs of functions."""

import json
from typing import Any

import pytest

from lambent.control.apis.v1.rules.integrations import check_integration
from lambent.model.errors import ApiError

from .conftest import Call

ARN = "arn:aws:lambda:us-east-1:111122223333:function:f"
PATH = "arn:aws:apigateway:us-east-1:lambda:path"
INVOKE = f"{PATH}/2015-03-31/functions/{ARN}/invocations"
STREAM = f"{PATH}/2021-11-15/functions/{ARN}/response-streaming-invocations"
PROXY = {"type": "AWS_PROXY", "httpMethod": "POST"}
STREAMED = {**PROXY, "uri": STREAM, "responseTransferMode": "STREAM"}
SERVER = {"type": "HTTP_PROXY", "httpMethod": "GET", "uri": "https://server.test/"}


@pytest.mark.parametrize(
    "given",
    [
        STREAMED,
        {**STREAMED, "timeoutInMillis": 900_000},
        {**STREAMED, "uri": STREAM.replace(":f/", ":${stageVariables.f}/")},
        {**PROXY, "uri": INVOKE, "responseTransferMode": "BUFFERED"},
        {**PROXY, "uri": INVOKE.replace("path/", "path//")},
        {**SERVER, "responseTransferMode": "STREAM", "timeoutInMillis": 50},
    ],
)
def test_what_is_served(given: dict[str, Any]) -> None:
    """And nothing of it is changed."""
    assert check_integration(given, "r").items() >= given.items()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({**STREAMED, "responseTransferMode": "CHUNKS"}, "Invalid response transfer mode"),
        ({**STREAMED, "uri": INVOKE}, "must go together"),
        ({**PROXY, "uri": STREAM}, "must go together"),
        ({**STREAMED, "type": "AWS", "credentials": "arn:aws:iam::1:role/r"}, "Lambent does not"),
        ({**STREAMED, "type": "AWS", "uri": INVOKE}, "STREAM is only supported"),
        ({**SERVER, "type": "HTTP", "responseTransferMode": "STREAM"}, "STREAM is only supported"),
        ({"type": "MOCK", "responseTransferMode": "STREAM"}, "STREAM is only supported"),
        ({**STREAMED, "timeoutInMillis": 900_001}, "between 50 ms and 900000 ms"),
        ({**PROXY, "uri": INVOKE, "timeoutInMillis": 29_001}, "between 50 ms and 29000 ms"),
        ({**PROXY, "uri": f"{PATH}/2015-03-31/functions/{ARN}"}, "currently only supports Lambda"),
    ],
)
def test_what_is_refused(given: dict[str, Any], text: str) -> None:
    """BadRequestException, and why."""
    with pytest.raises(ApiError) as refused:
        check_integration(given, "r")
    assert refused.value.code == "BadRequestException"
    assert text in refused.value.message


@pytest.mark.anyio
async def test_a_proxy_begins_to_stream(call: Call) -> None:
    """With patch operations, all of one request."""
    api = await call("CreateRestApi", name="a")
    at = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "GET"}
    await call("PutMethod", **at, authorizationType="NONE")
    await call("PutIntegration", **at, type="AWS_PROXY", integrationHttpMethod="POST", uri=INVOKE)
    members = {"uri": STREAM, "responseTransferMode": "STREAM", "timeoutInMillis": "900000"}
    patches = [
        {"op": "replace", "path": f"/{name}", "value": value} for name, value in members.items()
    ]
    for patch in patches:
        with pytest.raises(ApiError):
            await call("UpdateIntegration", **at, patchOperations=[patch])
    changed = await call("UpdateIntegration", **at, patchOperations=patches)
    assert changed["responseTransferMode"] == "STREAM"
    assert changed["timeoutInMillis"] == 900_000


@pytest.mark.anyio
async def test_a_document_has_the_transfer_mode(call: Call) -> None:
    """In any case of its letters, and again in an export."""
    name = "x-amazon-apigateway-integration"
    members = {"type": "aws_proxy", "responseTransferMode": "stream", "timeoutInMillis": 60_000}
    integration = {**members, "httpMethod": "POST", "uri": STREAM}
    document = {
        "openapi": "3.0.1",
        "info": {"title": "streams", "version": "1"},
        "paths": {"/": {"get": {"responses": {}, name: integration}}},
    }
    id = (await call("ImportRestApi", body=json.dumps(document).encode()))["id"]
    (root,) = (await call("GetResources", restApiId=id))["items"]
    at = {"restApiId": id, "resourceId": root["id"], "httpMethod": "GET"}
    found = await call("GetIntegration", **at)
    assert (found["responseTransferMode"], found["timeoutInMillis"]) == ("STREAM", 60_000)
    await call("CreateDeployment", restApiId=id, stageName="dev")
    export = await call(
        "GetExport",
        restApiId=id,
        stageName="dev",
        exportType="oas30",
        parameters={"extensions": "apigateway"},
        accepts="application/json",
    )
    shown = json.loads(export["body"])["paths"]["/"]["get"][name]
    assert (shown["responseTransferMode"], shown["uri"]) == ("STREAM", STREAM)
