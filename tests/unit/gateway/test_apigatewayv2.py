"""API Gateway v2 in the gateway: who may do what, and which of two services a request is for."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from lambent.gateway.authorization import Authorization
from lambent.gateway.definitions import ServiceDefinition
from lambent.gateway.models import load_model
from lambent.gateway.routing import Services
from lambent.gateway.services.apigatewayv2.service import APIGATEWAYV2
from lambent.gateway.services.lambda_.service import LAMBDA
from lambent.identity.authorizer import Caller
from lambent.model.arn import Scope
from lambent.model.errors import ApiError
from lambent.model.principal import Principal
from tests.authorizers import strict
from tests.unit.gateway import wire

HERE = "111111111111"
SCOPE = Scope(HERE, "us-east-1")
USER = Principal(kind="user", account=HERE, arn=f"arn:aws:iam::{HERE}:user/ann", user_id="AIDA1")
GATEWAY = "arn:aws:apigateway:us-east-1::"
ROLE = f"arn:aws:iam::{HERE}:role/power"
FULL: Mapping[str, Any] = {"Effect": "Allow", "Action": "apigateway:*", "Resource": "*"}


def decision(operation: str, params: Mapping[str, Any], *statements: Mapping[str, Any]) -> str:
    """`allowed`, or the code of the refusal."""
    caller = Caller(principal=USER, scope=SCOPE, service="apigateway", access_key_id="AKIA")
    authorization = Authorization(strict(*statements), None)
    try:
        asyncio.run(authorization.check(caller, APIGATEWAYV2, operation, params))
    except ApiError as error:
        return error.code
    return "allowed"


@pytest.mark.parametrize(
    ("operation", "params", "action", "path"),
    [
        ("GetApis", {}, "GET", "/apis"),
        ("CreateApi", {"Name": "n"}, "POST", "/apis"),
        ("DeleteRoute", {"ApiId": "a", "RouteId": "r"}, "DELETE", "/apis/a/routes/r"),
        (
            "UpdateStage",
            {"ApiId": "a", "StageName": "$default"},
            "PATCH",
            "/apis/a/stages/$default",
        ),
        ("ReimportApi", {"ApiId": "a", "Body": "{}"}, "PUT", "/apis/a"),
        ("GetApiMappings", {"DomainName": "d.com"}, "GET", "/domainnames/d.com/apimappings"),
        (
            "ResetAuthorizersCache",
            {"ApiId": "a", "StageName": "s"},
            "DELETE",
            "/apis/a/stages/s/cache/authorizers",
        ),
    ],
)
def test_permissions_are_methods_on_paths(
    operation: str, params: Mapping[str, Any], action: str, path: str
) -> None:
    """That statement is enough, and nothing less is."""
    allow = {"Effect": "Allow", "Action": f"apigateway:{action}", "Resource": GATEWAY + path}
    assert decision(operation, params, allow) == "allowed"
    for less in ({"Action": "apigateway:HEAD"}, {"Resource": f"{GATEWAY}{path}/x"}):
        assert decision(operation, params, {**allow, **less}) == "AccessDeniedException"


DOCUMENT = f"""
openapi: 3.0.1
components:
  x:
    - x-amazon-apigateway-integration: {{credentials: "\\x61rn:aws:iam::{HERE}:role/power"}}
"""
AUTHORIZER = f'{{"openapi": "3.0.1", "s": {{"authorizerCredentials": "{ROLE}"}}}}'


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("CreateApi", {"CredentialsArn": ROLE}),
        ("UpdateApi", {"ApiId": "a", "CredentialsArn": ROLE}),
        ("CreateIntegration", {"ApiId": "a", "CredentialsArn": ROLE}),
        ("UpdateIntegration", {"ApiId": "a", "IntegrationId": "i", "CredentialsArn": ROLE}),
        ("CreateAuthorizer", {"ApiId": "a", "AuthorizerCredentialsArn": ROLE}),
        ("ImportApi", {"Body": DOCUMENT}),
        ("ReimportApi", {"ApiId": "a", "Body": AUTHORIZER}),
    ],
)
def test_a_role_must_be_passed(operation: str, params: Mapping[str, Any]) -> None:
    """Who may not pass a role cannot have an API use it, whichever way it is said."""
    assert decision(operation, params, FULL) == "AccessDeniedException"
    allow = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": ROLE,
        "Condition": {"StringEquals": {"iam:PassedToService": "apigateway.amazonaws.com"}},
    }
    assert decision(operation, params, FULL, allow) == "allowed"


@pytest.mark.parametrize("order", [1, -1])
def test_the_path_says_which_api_gateway(order: int) -> None:
    """Both sign as `apigateway`; each operation of both is found, in whatever order they are
    registered."""
    rest: Any = ServiceDefinition(name="apigateway", operations={}, permissions={})
    services = Services([LAMBDA, *(APIGATEWAYV2, rest)[::order]])
    assert services.signing_names == ("lambda", "apigateway")
    for name in ("apigateway", "apigatewayv2"):
        model = load_model(name)
        for operation in model.operation_names:
            params = {
                member: "x"
                for member, shape in model.operation_model(operation).input_shape.members.items()
                if shape.serialization.get("location") == "uri"
            }
            exchange: Any = wire.sent_by_botocore(
                model.operation_model(operation), params, "rest-json"
            )
            route = services.route("apigateway", exchange)
            assert route is not None
            dialect, (found, _) = route
            assert (dialect.service.name, found.name) == (name, operation)


def test_what_is_not_offered_is_refused_with_an_error_of_the_model() -> None:
    """Portals, VPC links and routing rules."""
    refused = set(load_model("apigatewayv2").operation_names) - APIGATEWAYV2.offered
    kinds = ("Portal", "VpcLink", "RoutingRule", "ProductPage", "ProductRestEndpointPage")
    assert all(any(kind in name for kind in kinds) for name in refused)
    assert len(APIGATEWAYV2.offered) + len(refused) == 103
    assert load_model("apigatewayv2").shape_for_error_code(APIGATEWAYV2.unoffered_code)


def test_the_coverage_names_members_of_the_model() -> None:
    """And operations that are offered."""
    for table in (APIGATEWAYV2.coverage.stored, APIGATEWAYV2.coverage.refused):
        for operation, members in table.items():
            assert operation in APIGATEWAYV2.offered
            shape = load_model("apigatewayv2").operation_model(operation).input_shape
            for member in members:
                assert (
                    member == "all" or member.partition(".")[0].partition("=")[0] in shape.members
                )
