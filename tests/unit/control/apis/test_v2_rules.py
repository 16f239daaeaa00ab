"""What HTTP and WebSocket APIs accept and refuse, without HTTP."""

from collections.abc import Awaitable
from typing import Any

import pytest

from lambent.control.apis.deployments import SNAPSHOT
from lambent.control.apis.kinds import Params
from lambent.control.apis.tags import tags_of
from lambent.control.apis.v2.room import SERVICE, ApisV2
from lambent.control.apis.v2.stages import CACHE_REVISION, DEPLOYMENTS_MAX
from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.document import Document, Root
from lambent.model.service_integrations import SUBTYPES
from lambent.store.store import Store, Transaction
from tests.unit.control.control_room import refused

HERE = Scope(AccountId("111111111111"), Region("us-east-1"))
FUNCTION = "arn:aws:lambda:us-east-1:111111111111:function:f"
URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
ROLE = "arn:aws:iam::111111111111:role/r"
JWT = {
    "Name": "jwt",
    "AuthorizerType": "JWT",
    "IdentitySource": ["$request.header.Authorization"],
    "JwtConfiguration": {"Audience": ["a"], "Issuer": "https://i.example/p"},
}
REQUEST = {
    "Name": "request",
    "AuthorizerType": "REQUEST",
    "AuthorizerUri": URI,
    "AuthorizerPayloadFormatVersion": "2.0",
    "IdentitySource": ["$request.header.a", "$context.routeKey", "$stageVariables.s"],
}
PROXY = {"IntegrationType": "AWS_PROXY", "IntegrationUri": FUNCTION}
URL = {
    "IntegrationType": "HTTP_PROXY",
    "IntegrationMethod": "ANY",
    "IntegrationUri": "https://h.example/{proxy}",
}
POST = {**URL, "IntegrationMethod": "POST"}
QUEUE = {
    "IntegrationType": "AWS",
    "IntegrationMethod": "POST",
    "IntegrationUri": "arn:aws:apigateway:us-east-1:sqs:path/111111111111/queue",
    "CredentialsArn": ROLE,
}


class Apis:
    """The use cases, and one API of each protocol."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.v2 = ApisV2(store, ManualClock(), domain="localhost")
        self.ids: dict[str, str] = {}

    async def open(self) -> "Apis":
        for protocol in ("HTTP", "WEBSOCKET"):
            given = {"Name": "n", "ProtocolType": protocol}
            if protocol == "WEBSOCKET":
                given["RouteSelectionExpression"] = "$request.body.action"
            self.ids[protocol] = (await self.v2.create_api(HERE, given))["ApiId"]
        return self

    def root(self, protocol: str = "HTTP") -> Root:
        return Root(SERVICE, *HERE, self.ids[protocol])

    async def create(self, kind: str, protocol: str = "HTTP", **given: Any) -> Params:
        params = {"ApiId": self.ids[protocol], **given}
        if kind == "stage":
            return await self.v2.create_stage(HERE, params)
        return await self.v2.resources.create(kind)(HERE, params)

    async def documents(self, kind: str) -> list[Document]:
        return list(await self.store.read(lambda tx: tx.documents.list_of(self.root(), kind)))


@pytest.fixture
async def apis(store: Store) -> Apis:
    """Two APIs without anything in them."""
    return await Apis(store).open()


# -- rules with a store ------------------------------------------------------------------------


ACCEPTED: list[tuple[str, str, dict[str, Any]]] = [
    ("integration", "HTTP", PROXY),
    ("integration", "HTTP", URL),
    ("integration", "HTTP", {**PROXY, "CredentialsArn": ROLE}),
    ("integration", "WEBSOCKET", {"IntegrationType": "MOCK"}),
    ("integration", "WEBSOCKET", PROXY),
    (
        "integration",
        "WEBSOCKET",
        {"IntegrationType": "AWS", "IntegrationUri": URI, "RequestTemplates": {"a": "b"}},
    ),
    ("integration", "WEBSOCKET", {**POST, "IntegrationType": "HTTP"}),
    (
        "integration",
        "WEBSOCKET",
        {
            **POST,
            "RequestParameters": {
                "integration.request.header.connectionId": "context.connectionId",
                "integration.request.querystring.token": "route.request.querystring.token",
                "integration.request.header.all": "method.request.multivalueheader.X-All",
                "integration.request.path.proxy": "route.request.body.items[0].id",
                "integration.request.header.fixed": "'fixed'",
                "integration.request.header.stage": "stageVariables.stage",
            },
        },
    ),
    ("integration", "WEBSOCKET", QUEUE),
    (
        "integration",
        "WEBSOCKET",
        {
            "IntegrationType": "AWS",
            "IntegrationUri": URI,
            "RequestParameters": {"integration.request.header.X-Amz-Invocation-Type": "'Event'"},
        },
    ),
    ("integration", "HTTP", {**URL, "CredentialsArn": "arn:aws:iam::*:user/*"}),
    ("authorizer", "HTTP", JWT),
    ("authorizer", "HTTP", REQUEST),
    (
        "authorizer",
        "WEBSOCKET",
        {
            **REQUEST,
            "AuthorizerPayloadFormatVersion": None,
            "IdentitySource": ["route.request.querystring.a"],
        },
    ),
    ("route", "HTTP", {"RouteKey": "GET /a", "AuthorizationType": "AWS_IAM"}),
    ("route", "WEBSOCKET", {"RouteKey": "$connect", "AuthorizationType": "AWS_IAM"}),
    ("stage", "HTTP", {"StageName": "$default"}),
    ("stage", "WEBSOCKET", {"StageName": "prod"}),
]


def without_none(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


@pytest.mark.anyio
async def test_what_is_accepted(apis: Apis) -> None:
    """And is shown as it was given."""
    for kind, protocol, members in ACCEPTED:
        named = without_none(members)
        if "Name" in named:
            named["Name"] += protocol
        made = await apis.create(kind, protocol, **named)
        assert made.items() >= named.items()


REFUSED: list[tuple[str, str, dict[str, Any], str]] = [
    ("integration", "HTTP", {"IntegrationType": "MOCK"}, "MOCK"),
    ("integration", "HTTP", {"IntegrationType": "AWS", "IntegrationUri": URI}, "AWS"),
    ("integration", "HTTP", {**PROXY, "IntegrationUri": "f"}, "Lambda function"),
    ("integration", "HTTP", {**PROXY, "PayloadFormatVersion": "3.0"}, "PayloadFormatVersion"),
    ("integration", "HTTP", {**PROXY, "RequestTemplates": {"a": "b"}}, "RequestTemplates"),
    ("integration", "HTTP", {**PROXY, "ConnectionType": "VPC_LINK"}, "VPC"),
    ("integration", "HTTP", {**PROXY, "CredentialsArn": "arn:aws:iam::a:user/b"}, "role"),
    ("integration", "WEBSOCKET", {**PROXY, "CredentialsArn": "arn:aws:iam::*:user/*"}, "role"),
    ("integration", "HTTP", {**URL, "IntegrationMethod": ""}, "HttpMethod"),
    ("integration", "HTTP", {**URL, "IntegrationMethod": "get"}, "HTTP method"),
    ("integration", "HTTP", {**URL, "IntegrationUri": "ftp://h"}, "HTTP endpoint"),
    ("integration", "HTTP", {**URL, "PayloadFormatVersion": "2.0"}, "must be 1.0"),
    ("integration", "HTTP", {**URL, "TlsConfig": {"ServerNameToVerify": "a"}}, "TlsConfig"),
    ("integration", "HTTP", {**URL, "IntegrationUri": "https://h/" + "a" * 2048}, "2048"),
    ("integration", "WEBSOCKET", {**PROXY, "TimeoutInMillis": 29_001}, "Timeout"),
    ("integration", "WEBSOCKET", {**PROXY, "PayloadFormatVersion": "2.0"}, "must be 1.0"),
    ("integration", "WEBSOCKET", {"IntegrationType": "AWS", "IntegrationUri": "x"}, "Lambda"),
    ("integration", "WEBSOCKET", {**URL, "IntegrationType": "HTTP"}, "ANY"),
    ("integration", "WEBSOCKET", {**POST, "IntegrationUri": "ftp://h"}, "HTTP endpoint"),
    ("integration", "WEBSOCKET", {**POST, "IntegrationMethod": None}, "HttpMethod"),
    ("integration", "WEBSOCKET", {**QUEUE, "CredentialsArn": None}, "CredentialsArn"),
    (
        "integration",
        "WEBSOCKET",
        {
            "IntegrationType": "AWS",
            "IntegrationUri": "arn:aws:apigateway:us-east-1:s3:path/:lambda:path/x",
        },
        "CredentialsArn",
    ),
    (
        "integration",
        "WEBSOCKET",
        {**QUEUE, "IntegrationUri": "arn:aws:apigateway:us-east-1:ec2:action/RunInstances"},
        "does not support",
    ),
    ("integration", "WEBSOCKET", {**PROXY, "RequestParameters": {"a": "b"}}, "AWS_PROXY"),
    *(
        ("integration", "WEBSOCKET", {**POST, "RequestParameters": {target: source}}, "mapping")
        for target, source in (
            ("integration.request.header.a", "b"),
            ("integration.request.header.a", "route.request.path.a"),
            ("integration.request.header.a", "'a\r\nb: c'"),
            ("integration.request.header.a b", "'a'"),
            ("integration.request.cookie.a", "'a'"),
            ("append:header.a", "'a'"),
        )
    ),
    (
        "integration",
        "WEBSOCKET",
        {
            "IntegrationType": "AWS",
            "IntegrationUri": URI,
            "RequestParameters": {"integration.request.header.x-amz-invocation-type": "'DryRun'"},
        },
        "invocation type",
    ),
    ("integration", "WEBSOCKET", {**POST, "ResponseParameters": {"200": {"a": "b"}}}, "responses"),
    (
        "integration",
        "WEBSOCKET",
        {**PROXY, "ContentHandlingStrategy": "CONVERT_TO_BINARY"},
        "messages are text",
    ),
    (
        "integration",
        "WEBSOCKET",
        {"IntegrationType": "MOCK", "RequestTemplates": {"a": "x" * 300 * 1025}},
        "300 KB",
    ),
    ("authorizer", "HTTP", {**JWT, "IdentitySource": []}, "exactly one"),
    ("authorizer", "HTTP", {**JWT, "IdentitySource": ["Authorization"]}, "IdentitySource"),
    ("authorizer", "HTTP", {**REQUEST, "IdentitySource": ["$request.body.a"]}, "selection"),
    ("authorizer", "HTTP", {**JWT, "JwtConfiguration": {"Issuer": "https://i"}}, "Audience"),
    ("authorizer", "HTTP", {**JWT, "JwtConfiguration": {"Audience": ["a"]}}, "Issuer"),
    ("authorizer", "HTTP", {**JWT, "AuthorizerUri": URI}, "AuthorizerUri"),
    ("authorizer", "HTTP", {**REQUEST, "AuthorizerUri": "x"}, "Authorizer URI"),
    ("authorizer", "HTTP", {**REQUEST, "AuthorizerPayloadFormatVersion": None}, "required"),
    (
        "authorizer",
        "HTTP",
        {**REQUEST, "AuthorizerPayloadFormatVersion": "1.0", "EnableSimpleResponses": True},
        "2.0",
    ),
    (
        "authorizer",
        "HTTP",
        {**REQUEST, "IdentitySource": [], "AuthorizerResultTtlInSeconds": 1},
        "at least one",
    ),
    ("authorizer", "WEBSOCKET", JWT, "WEBSOCKET"),
    ("authorizer", "WEBSOCKET", {**REQUEST, "IdentitySource": []}, "WEBSOCKET"),
    ("authorizer", "WEBSOCKET", REQUEST, "IdentitySource"),
    ("route", "HTTP", {"RouteKey": "GET /x", "AuthorizationType": "JWT"}, "authorizer"),
    ("route", "HTTP", {"RouteKey": "GET /x", "AuthorizerId": "a"}, "AuthorizerId"),
    ("route", "HTTP", {"RouteKey": "GET /x", "Target": "integrations/none"}, "no such integration"),
    ("route", "HTTP", {"RouteKey": "GET /x", "Target": "none"}, "no such integration"),
    ("route", "HTTP", {"RouteKey": "GET /x", "AuthorizationScopes": ["s"]}, "Scopes"),
    ("route", "HTTP", {"RouteKey": "GET /x", "RequestModels": {"a": "b"}}, "RequestModels"),
    ("route", "WEBSOCKET", {"RouteKey": "send", "AuthorizationType": "AWS_IAM"}, "$connect"),
    ("route", "WEBSOCKET", {"RouteKey": "$connect", "AuthorizationType": "JWT"}, "JWT"),
    (
        "route",
        "WEBSOCKET",
        {"RouteKey": "$connect", "RequestParameters": {"a": {"Required": True}}},
        "required parameters",
    ),
    ("model", "HTTP", {"Name": "M", "Schema": "{}"}, "HTTP"),
    ("model", "WEBSOCKET", {"Name": "M-1", "Schema": "{}"}, "alphanumeric"),
    ("model", "WEBSOCKET", {"Name": "M", "Schema": "["}, "JSON"),
    ("model", "WEBSOCKET", {"Name": "M", "Schema": "[" * 30_000}, "JSON"),
    ("stage", "HTTP", {"StageName": "a.b"}, "Stage name"),
    ("stage", "WEBSOCKET", {"StageName": "$default"}, "Stage name"),
    ("stage", "HTTP", {"StageName": "a", "DeploymentId": "none"}, "Deployment id"),
    ("stage", "HTTP", {"StageName": "a", "Tags": {"aws:a": "b"}}, "reserved"),
    ("stage", "HTTP", {"StageName": "a", "DefaultRouteSettings": {"LoggingLevel": "INFO"}}, "HTTP"),
    (
        "stage",
        "WEBSOCKET",
        {"StageName": "a", "DefaultRouteSettings": {"DataTraceEnabled": True}},
        "does not support",
    ),
    (
        "stage",
        "HTTP",
        {"StageName": "a", "DefaultRouteSettings": {"ThrottlingRateLimit": -1}},
        "neg",
    ),
    (
        "stage",
        "HTTP",
        {
            "StageName": "a",
            "AccessLogSettings": {
                "DestinationArn": "arn:aws:firehose:us-east-1:111111111111:deliverystream/d",
                "Format": "$context.requestId",
            },
        },
        "log groups",
    ),
]


@pytest.mark.anyio
async def test_what_is_refused(apis: Apis) -> None:
    """With `BadRequestException` and a word that says why; nothing is stored."""
    for kind, protocol, members, word in REFUSED:
        error = await refused(apis.create(kind, protocol, **without_none(members)))
        assert error.code == "BadRequestException", (kind, members)
        assert word in error.message, (kind, members, error.message)
    for kind in ("integration", "authorizer", "route", "stage", "model"):
        assert await apis.documents(kind) == []


RESPONSES: list[tuple[dict[str, Any], str]] = [
    ({"method.response.header.Set-Cookie": "'a'"}, "Set-Cookie"),
    ({"method.response.querystring.a": "'a'"}, "mapping"),
    ({"method.response.header.Content-Type": "route.request.header.a"}, "mapping"),
    ({"method.response.header.Content-Type": "'a\nb'"}, "mapping"),
]


@pytest.mark.anyio
async def test_responses_of_integrations(apis: Apis) -> None:
    """Have the two headers that can reach a client."""
    integration = await apis.create("integration", "WEBSOCKET", **QUEUE)
    given = {"IntegrationId": integration["IntegrationId"], "IntegrationResponseKey": "$default"}

    async def create(mappings: dict[str, str]) -> Params:
        return await apis.create(
            "integration_response", "WEBSOCKET", **given, ResponseParameters=mappings
        )

    for mappings, word in RESPONSES:
        error = await refused(create(mappings))
        assert (error.code, word in error.message) == ("BadRequestException", True), error.message
    header = "method.response.header.Sec-WebSocket-Protocol"
    made = await create({header: "integration.response.body.protocol"})
    assert made["ResponseParameters"] == {header: "integration.response.body.protocol"}


@pytest.mark.anyio
async def test_settings_of_routes_that_do_not_exist(apis: Apis) -> None:
    """As AWS refuses them."""
    error = await refused(
        apis.create("stage", StageName="a", RouteSettings={"GET /a": {"ThrottlingBurstLimit": 1}})
    )
    assert error.code == "NotFoundException"
    assert error.message == "Unable to find Route by key GET /a within the provided RouteSettings"


@pytest.mark.anyio
@pytest.mark.parametrize("name", SUBTYPES)
async def test_services_as_integrations(apis: Apis, name: str) -> None:
    """Each has its parameters, and a role."""
    given = {
        "IntegrationType": "AWS_PROXY",
        "IntegrationSubtype": name,
        "CredentialsArn": ROLE,
        "RequestParameters": {key: "$request.body.a" for key in SUBTYPES[name].parameters},
    }
    made = await apis.create("integration", **given)
    assert made["PayloadFormatVersion"] == "1.0"

    async def text(**changed: Any) -> str:
        return (await refused(apis.create("integration", **without_none(given | changed)))).message

    assert "Missing required" in await text(RequestParameters={"Region": "a"})
    assert "Invalid request parameters: X" in await text(
        RequestParameters={**given["RequestParameters"], "X": "a"}  # type: ignore[dict-item]
    )
    assert "CredentialsArn is required" in await text(CredentialsArn=None)
    assert "IntegrationUri" in await text(IntegrationUri=FUNCTION)
    assert "Invalid IntegrationSubtype" in await text(IntegrationSubtype="S3-GetObject")


CORS: list[tuple[dict[str, Any], str]] = [
    ({"AllowMethods": ["get"]}, "AllowMethods"),
    ({"AllowHeaders": ["a b"]}, "AllowHeaders"),
    ({"AllowOrigins": ["example.com"]}, "origin"),
    ({"AllowOrigins": ["https://a/b"]}, "origin"),
    ({"AllowOrigins": ["*"], "AllowCredentials": True}, "AllowCredentials"),
]


@pytest.mark.anyio
async def test_apis_that_are_refused(apis: Apis) -> None:
    """CORS that browsers would not understand, and what a protocol does not have."""

    async def text(**given: Any) -> str:
        error = await refused(apis.v2.create_api(HERE, {"Name": "n", **given}))
        assert error.code == "BadRequestException"
        return error.message

    for cors, word in CORS:
        assert word in await text(ProtocolType="HTTP", CorsConfiguration=cors)
    assert "WEBSOCKET" in await text(
        ProtocolType="WEBSOCKET", RouteSelectionExpression="a", CorsConfiguration={"MaxAge": 1}
    )
    assert "RouteSelectionExpression" in await text(ProtocolType="WEBSOCKET")
    assert "RouteSelectionExpression" in await text(
        ProtocolType="HTTP", RouteSelectionExpression="$request.body.a"
    )
    assert "Target" in await text(ProtocolType="HTTP", RouteKey="GET /a")
    assert "Name" in await text(ProtocolType="HTTP", Name="n" * 129)
    assert "50 tags" in await text(
        ProtocolType="HTTP", Tags={str(number): "" for number in range(51)}
    )


# -- deployments -------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_deployment_is_a_copy(apis: Apis) -> None:
    """Of everything but stages and deployments; later changes do not reach it."""
    await apis.create("stage", StageName="dev")
    integration = await apis.create("integration", **PROXY)
    target = f"integrations/{integration['IntegrationId']}"
    route = await apis.create("route", RouteKey="GET /a", Target=target)
    made = await apis.v2.create_deployment(HERE, {"ApiId": apis.ids["HTTP"], "StageName": "dev"})
    assert SNAPSHOT not in made
    named = {"ApiId": apis.ids["HTTP"], "RouteId": route["RouteId"]}
    await apis.v2.resources.update("route")(HERE, {**named, "RouteKey": "GET /b"})
    (deployment,) = await apis.documents("deployment")
    copied = {kind: body for kind, _, body in deployment.body[SNAPSHOT]}
    assert sorted(copied) == ["api", "integration", "route"]
    assert copied["route"]["RouteKey"] == "GET /a"
    (stage,) = await apis.documents("stage")
    assert stage.body["DeploymentId"] == deployment.id


@pytest.mark.anyio
async def test_automatic_deployments_do_not_pile_up(apis: Apis) -> None:
    """One for all stages; those made by hand stay."""
    await apis.create("route", RouteKey="GET /a")
    named = {"ApiId": apis.ids["HTTP"]}
    await apis.v2.create_deployment(HERE, named)
    for stage in ("one", "two"):
        await apis.create("stage", StageName=stage, AutoDeploy=True)
    for number in range(5):
        await apis.create("route", RouteKey=f"GET /{number}")
    deployments = await apis.documents("deployment")
    assert sorted(it.body["AutoDeployed"] for it in deployments) == [False, True]
    automatic = next(it.id for it in deployments if it.body["AutoDeployed"])
    stages = await apis.documents("stage")
    assert [stage.body["DeploymentId"] for stage in stages] == [automatic, automatic]
    error = await refused(
        apis.v2.update_stage(HERE, {**named, "StageName": "one", "DeploymentId": "x"})
    )
    assert "automatically" in error.message
    error = await refused(apis.v2.create_deployment(HERE, {**named, "StageName": "one"}))
    assert "automatically" in error.message


@pytest.mark.anyio
async def test_there_is_an_end_of_deployments(apis: Apis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is as large as the API."""
    assert DEPLOYMENTS_MAX == 300
    monkeypatch.setattr("lambent.control.apis.v2.stages.DEPLOYMENTS_MAX", 2)
    await apis.create("route", RouteKey="GET /a")
    named = {"ApiId": apis.ids["HTTP"]}
    for _ in range(2):
        await apis.v2.create_deployment(HERE, named)
    error = await refused(apis.v2.create_deployment(HERE, named))
    assert error.code == "TooManyRequestsException"


@pytest.mark.anyio
async def test_resetting_the_cache_reaches_what_serves_requests(apis: Apis) -> None:
    """Through a member of the stage that no operation shows."""
    await apis.create("stage", StageName="dev")
    named = {"ApiId": apis.ids["HTTP"], "StageName": "dev"}
    for count in (1, 2):
        await apis.v2.reset_authorizers_cache(HERE, named)
        (stage,) = await apis.documents("stage")
        assert stage.body[CACHE_REVISION] == count
    assert CACHE_REVISION not in await apis.v2.resources.get("stage")(HERE, named)


@pytest.mark.anyio
async def test_tags_for_policies(apis: Apis) -> None:
    """By an ARN without an account."""
    id = apis.ids["HTTP"]
    await apis.create("stage", StageName="dev", Tags={"a": "b"})
    await apis.v2.domains.create(HERE, {"DomainName": "d.example.com", "Tags": {"c": "d"}})
    prefix = "arn:aws:apigateway:us-east-1::"
    for path, tags in {
        f"/apis/{id}": {},
        f"/apis/{id}/stages/dev": {"a": "b"},
        f"/apis/{id}/stages/{id}": {},
        "/domainnames/d.example.com": {"c": "d"},
        "/apis/none": {},
        "/apis/none/stages/dev": {},
        "/apis": {},
    }.items():
        found = await apis.store.read(lambda tx, arn=prefix + path: tags_of(tx, arn))  # type: ignore[misc]
        assert found == tags
    other = f"arn:aws:apigateway:eu-west-1::/apis/{id}/stages/dev"
    assert await apis.store.read(lambda tx: tags_of(tx, other)) == {}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "name", ["localhost", "a b.example.com", "A.example.com", "-a.example.com", "x" * 64 + ".com"]
)
async def test_what_is_no_domain_name(apis: Apis, name: str) -> None:
    """Names that browsers send, in lower case."""
    error = await refused(apis.v2.domains.create(HERE, {"DomainName": name}))
    assert error.code == "BadRequestException"


@pytest.mark.anyio
async def test_a_domain_name_belongs_to_one_account(apis: Apis) -> None:
    """Requests say the name alone."""
    await apis.v2.domains.create(HERE, {"DomainName": "*.example.com"})
    there = Scope(AccountId("222222222222"), Region("eu-west-1"))
    attempt: Awaitable[Params] = apis.v2.domains.create(there, {"DomainName": "*.example.com"})
    assert (await refused(attempt)).code == "ConflictException"


@pytest.mark.anyio
async def test_mappings_to_apis_of_each_kind(apis: Apis) -> None:
    """REST and HTTP APIs may share a domain name, WebSocket APIs have one alone."""
    rest = Root("apigateway", *HERE, "restapi000")

    def add_rest_api(tx: Transaction) -> None:
        tx.documents.put(rest, "api", rest.id, {"id": rest.id})
        tx.documents.put(rest, "stage", "dev", {"stageName": "dev"})

    await apis.store.transact(add_rest_api)
    for protocol in ("HTTP", "WEBSOCKET"):
        await apis.create("stage", protocol, StageName="dev")
    await apis.v2.domains.create(HERE, {"DomainName": "d.example.com"})
    create = apis.v2.domains.resources.create("api_mapping")

    async def map_to(id: str, key: str) -> Params:
        named = {"DomainName": "d.example.com", "ApiId": id, "Stage": "dev", "ApiMappingKey": key}
        return await create(HERE, named)

    assert (await map_to(rest.id, "rest"))["ApiId"] == rest.id
    await map_to(apis.ids["HTTP"], "http")
    error = await refused(map_to(apis.ids["WEBSOCKET"], "ws"))
    assert "WebSocket" in error.message
    assert (await refused(map_to("none", "x"))).code == "NotFoundException"
    for key in ("/a", "a/", "a//b", "a b", "a" * 301):
        assert (await refused(map_to(rest.id, key))).code == "BadRequestException"
