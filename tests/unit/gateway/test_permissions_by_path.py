"""What operations of both API Gateways need permission for: the HTTP method on the path."""

from typing import Any

import pytest

from lambent.gateway.permissions.asked import Asked, Nothing
from lambent.gateway.registry import SERVICES
from lambent.identity.authorizer import Caller
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.errors import ApiError
from lambent.model.principal import root_of

pytestmark = pytest.mark.anyio
HERE = Scope(AccountId("111111111111"), Region("eu-west-1"))
BY_PATH = [service for service in SERVICES if service.name in ("apigateway", "apigatewayv2")]
OPERATIONS = [(service.name, name) for service in BY_PATH for name in sorted(service.offered)]
ROLE = "arn:aws:iam::111111111111:role/caller"
IMPORTED = (
    b"openapi: 3.0.1\ninfo: {title: t, version: '1'}\npaths:\n  /:\n    get:\n"
    b"      x-amazon-apigateway-integration: {type: aws, credentials: '" + ROLE.encode() + b"'}\n"
)


def caller() -> Caller:
    principal = root_of(HERE.account)
    return Caller(principal=principal, scope=HERE, service="apigateway", access_key_id=None)


async def targets(service: str, operation: str, params: Any) -> dict[str, list[str]]:
    """The ARNs that an operation is about, by action."""
    found: dict[str, list[str]] = {}
    needs = next(each for each in BY_PATH if each.name == service).permissions[operation]
    asked = Asked(params, caller(), Nothing())
    for need in needs:
        if need.only_with is None or params.get(need.only_with):
            arns = [target.arn for target in await need.resource.find(asked)]
            found.setdefault(need.action, []).extend(arns)
    return found


def labelled(service: str, operation: str, value: str) -> tuple[dict[str, Any], str]:
    """Input with the same value for every label, and the path with it."""
    model = next(each for each in BY_PATH if each.name == service).model.operation_model(operation)
    path = model.http["requestUri"].partition("?")[0].removeprefix("/v2")
    params: dict[str, Any] = {}
    for name, member in model.input_shape.members.items():
        if member.serialization.get("location") == "uri":
            params[name] = value
            path = path.replace(f"{{{member.serialization.get('name', name)}}}", value)
        elif member.type_name == "blob" or name == "Body":
            params[name] = IMPORTED if member.type_name == "blob" else IMPORTED.decode()
    return params, path


@pytest.mark.slow
@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
async def test_the_action_is_the_method_and_the_resource_the_path(
    service: str, operation: str
) -> None:
    """With the ids of the request in it."""
    params, path = labelled(service, operation, "a-b")
    found = await targets(service, operation, params)
    model = next(each for each in BY_PATH if each.name == service).model.operation_model(operation)
    arn = f"arn:aws:apigateway:eu-west-1::{path}"
    assert found[f"apigateway:{model.http['method']}"] == [arn]


@pytest.mark.parametrize("value", ["x/../y", "x/y", "%2e%2e", "a*", "?"])
async def test_an_id_is_one_segment(value: str) -> None:
    """An id with a slash names no other resource, and a wildcard in it is none."""
    found = await targets("apigateway", "GetRestApi", {"restApiId": value})
    (arn,) = found["apigateway:GET"]
    assert arn.count("/") == 2
    assert "?" not in arn


async def test_a_resource_policy_needs_a_permission_of_its_own() -> None:
    """Whether it is a member, a patch or a part of a document, however that is written."""
    action = "apigateway:UpdateRestApiPolicy"
    for operation, params in (
        ("CreateRestApi", {"policy": "{}"}),
        (
            "UpdateRestApi",
            {"restApiId": "a", "patchOperations": [{"op": "replace", "path": "/policy"}]},
        ),
        ("ImportRestApi", {"body": rb'{"x-amazon-apigateway-p\u006flicy": {}}'}),
        ("PutRestApi", {"restApiId": "a", "body": b'"x-amazon-apigateway-p\\x6flicy": {}'}),
    ):
        assert (await targets("apigateway", operation, params))[action], operation
    plain = {"restApiId": "a", "body": IMPORTED}
    assert (await targets("apigateway", "PutRestApi", plain))[action] == []


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("PutIntegration", {"credentials": ROLE}),
        ("CreateAuthorizer", {"authorizerCredentials": ROLE}),
        (
            "UpdateIntegration",
            {"patchOperations": [{"op": "replace", "path": "/credentials", "value": ROLE}]},
        ),
        ("PutRestApi", {"body": IMPORTED}),
        ("ImportRestApi", {"body": IMPORTED}),
    ],
)
async def test_roles_are_passed(operation: str, params: Any) -> None:
    """A caller needs iam:PassRole on each role that an API gets."""
    given = {**labelled("apigateway", operation, "a")[0], **params}
    assert (await targets("apigateway", operation, given))["iam:PassRole"] == [ROLE]


async def test_a_document_that_cannot_be_read_is_refused() -> None:
    """Before anything is decided."""
    with pytest.raises(ApiError):
        await targets("apigateway", "ImportRestApi", {"body": b"{"})
