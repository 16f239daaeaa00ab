"""What would be configured and have no effect is refused when it is configured."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.platforms import ACCOUNT, Platform

from .test_rest_apis import LAMBDA, refusal

LAMBDA_PROXY = {"type": "AWS_PROXY", "uri": LAMBDA}
HTTP = {"type": "HTTP", "uri": "https://server.test/"}


@pytest.fixture(scope="module")
def apis(platform: Platform) -> Any:
    """A client of `apigateway`."""
    return platform.client("apigateway")


@pytest.fixture(scope="module")
def method(apis: Any) -> Iterator[dict[str, str]]:
    """A method of an API with the stage `dev`."""
    api = apis.create_rest_api(name="refusals")
    at = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "POST"}
    apis.put_method(**at, authorizationType="NONE")
    apis.put_integration(**at, type="MOCK")
    apis.create_deployment(restApiId=api["id"], stageName="dev")
    yield at
    apis.delete_rest_api(restApiId=api["id"])


def check(call: Any, **params: Any) -> None:
    """The call is refused, and the message says of what."""
    code, text, status = refusal(call, **params)
    assert (code, status) == ("BadRequestException", 400), text
    assert text.startswith(("Lambent does not support", "Lambent does not offer")), text


@pytest.mark.parametrize(
    "params",
    [
        {**HTTP, "connectionType": "VPC_LINK", "connectionId": "abc123"},
        {**HTTP, "tlsConfig": {"insecureSkipVerification": True}},
        {**LAMBDA_PROXY, "credentials": "arn:aws:iam::*:user/*"},
        {"type": "AWS", "uri": "arn:aws:apigateway:us-east-1:iam:action/ListUsers"},
        {
            **LAMBDA_PROXY,
            "requestParameters": {"integration.request.header.X-Amz-Invocation-Type": "'Event'"},
        },
    ],
)
def test_integrations(apis: Any, method: dict[str, str], params: dict[str, Any]) -> None:
    """VPC links, the caller's credentials and others."""
    check(apis.put_integration, **method, integrationHttpMethod="POST", **params)
    shown = apis.get_integration(**method)
    assert shown["type"] == "MOCK"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/cacheClusterEnabled", "true"),
        ("/cacheClusterSize", "0.5"),
        ("/clientCertificateId", "abc123"),
        ("/webAclArn", "arn:aws:wafv2:us-east-1:000000000000:regional/webacl/a/b"),
        ("/*/*/metrics/enabled", "true"),
        ("/*/*/caching/enabled", "true"),
        ("/canarySettings/useStageCache", "true"),
    ],
)
def test_stages(apis: Any, method: dict[str, str], path: str, value: str) -> None:
    """Caches, tracing, certificates, web ACLs and metrics."""
    stage = {"restApiId": method["restApiId"], "stageName": "dev"}
    before = apis.get_stage(**stage)
    patch = [{"op": "replace", "path": path, "value": value}]
    check(apis.update_stage, **stage, patchOperations=patch)
    after = apis.get_stage(**stage)
    assert after.get("methodSettings") == before.get("methodSettings")
    assert not after["cacheClusterEnabled"]


def test_apis_and_others(apis: Any, method: dict[str, str]) -> None:
    """Private APIs, compression, security policies, JWT authorizers, mutual TLS."""
    id = method["restApiId"]
    for params in (
        {"endpointConfiguration": {"types": ["PRIVATE"]}},
        {"minimumCompressionSize": 10},
        {"securityPolicy": "SecurityPolicy_TLS13_1_3_2025_09"},
    ):
        check(apis.create_rest_api, name="refused", **params)
    check(apis.create_authorizer, restApiId=id, name="a", type="JWT")
    check(
        apis.create_domain_name,
        domainName="refused.test",
        endpointConfiguration={"types": ["REGIONAL"]},
        regionalCertificateArn=f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/a",
        mutualTlsAuthentication={"truststoreUri": "s3://bucket/key"},
    )
    check(apis.create_vpc_link, name="a", targetArns=["arn:aws:x"])
    check(apis.generate_client_certificate)
    cached = {"cacheClusterEnabled": True, "cacheClusterSize": "0.5"}
    deployment = apis.get_stage(restApiId=id, stageName="dev")["deploymentId"]
    check(apis.create_stage, restApiId=id, stageName="other", deploymentId=deployment, **cached)
