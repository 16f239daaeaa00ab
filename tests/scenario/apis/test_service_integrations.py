"""REST APIs in front of the platform's own services, without the emulator."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from tests.platforms import ROLE, Platform, deploy, log_lines, wait_for

HEARS = """
def handler(event, context):
    print("heard", event["detail-type"], event["detail"]["n"])
"""
OF_SERVICES = "arn:aws:apigateway:us-east-1"
JSON = {"Content-Type": "application/json"}


def api_of(platform: Platform, uri: str, method: str = "POST", **integration: Any) -> str:
    """The address of an API in front of a service: see `path_of_api`."""
    v1 = platform.client("apigateway")
    return platform.endpoint + path_of_api(
        v1, uri, ROLE, integrationHttpMethod=method, **integration
    )


def path_of_api(v1: Any, uri: str, role: str, **integration: Any) -> str:
    """The path of an API with a method `ANY /{name}` that calls a service as a role. What the
    service refuses has the status 400."""
    api = v1.create_rest_api(name="services", binaryMediaTypes=["image/png"])
    resource = v1.create_resource(
        restApiId=api["id"], parentId=api["rootResourceId"], pathPart="{name}"
    )["id"]
    at = {"restApiId": api["id"], "resourceId": resource, "httpMethod": "ANY"}
    v1.put_method(
        **at, authorizationType="NONE", requestParameters={"method.request.path.name": True}
    )
    v1.put_integration(**at, type="AWS", uri=uri, credentials=role, **integration)
    for status, pattern in (("200", {}), ("400", {"selectionPattern": r"4\d\d"})):
        v1.put_method_response(**at, statusCode=status)
        v1.put_integration_response(**at, statusCode=status, **pattern)
    v1.create_deployment(restApiId=api["id"], stageName="s")
    return f"/_lambent/api/{api['id']}/s"


def ask(
    url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    request = urllib.request.Request(url, body, dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_parameters(platform: Platform) -> None:
    """The Parameter Store of the platform."""
    url = api_of(platform, f"{OF_SERVICES}:ssm:action/PutParameter")
    body = {"Name": "/api/of/service", "Value": "v", "Type": "String"}
    assert ask(f"{url}/x", json.dumps(body).encode(), JSON)[0] == 200
    found = platform.client("ssm").get_parameter(Name="/api/of/service")
    assert found["Parameter"]["Value"] == "v"
    status, answer = ask(f"{url}/x", json.dumps(body).encode(), JSON)
    assert status == 400
    assert "ParameterAlreadyExists" in json.loads(answer)["__type"]


def test_buckets(platform: Platform) -> None:
    """Objects are written and read by the path of a request, bytes as they are."""
    s3 = platform.client("s3")
    s3.create_bucket(Bucket="api-of-objects")
    mapped = {
        "integration.request.path.key": "method.request.path.name",
        "integration.request.header.Content-Type": "'image/png'",
    }
    uri = f"{OF_SERVICES}:s3:path/api-of-objects/in/{{key}}"
    writes = api_of(platform, uri, "PUT", requestParameters=mapped)
    content = bytes(range(256))
    png = {"Content-Type": "image/png", "Accept": "image/png"}
    assert ask(f"{writes}/a%20cat%2B", content, png)[0] == 200
    assert s3.get_object(Bucket="api-of-objects", Key="in/a cat+")["Body"].read() == content
    reads = api_of(platform, uri, "GET", requestParameters=mapped)
    assert ask(f"{reads}/a%20cat%2B", headers=png) == (200, content)
    status, answer = ask(f"{reads}/missing", headers={"Accept": "application/xml"})
    assert status == 400
    assert b"<Code>NoSuchKey</Code>" in answer


def test_events(platform: Platform) -> None:
    """The buses of the platform, whose rules call functions."""
    events = platform.client("events")
    lambda_ = platform.client("lambda")
    arn = deploy(lambda_, "api-of-events", {"app.py": HEARS})["FunctionArn"]
    events.put_rule(Name="api-of-events", EventPattern='{"source": ["of.an.api"]}')
    events.put_targets(Rule="api-of-events", Targets=[{"Id": "1", "Arn": arn}])
    template = (
        '{"Entries": [{"Source": "of.an.api", "DetailType": "$input.params(\'name\')",'
        ' "Detail": "$util.escapeJavaScript($input.body)"}]}'
    )
    url = api_of(
        platform,
        f"{OF_SERVICES}:events:action/PutEvents",
        requestTemplates={"application/json": template},
        requestParameters={"integration.request.path.name": "method.request.path.name"},
    )
    status, answer = ask(f"{url}/an-order", b'{"n": 1}', JSON)
    assert (status, json.loads(answer)["FailedEntryCount"]) == (200, 0)
    wait_for(
        lambda: any("heard an-order 1" in line for line in log_lines(platform, "api-of-events")),
        "the event",
    )


def test_a_service_that_is_not_there(platform: Platform) -> None:
    """Is a failure of the integration, and no response of a service."""
    url = api_of(platform, f"{OF_SERVICES}:states:action/StartExecution")
    status, answer = ask(f"{url}/x", b"{}", JSON)
    assert (status, json.loads(answer)) == (500, {"message": "Internal server error"})
