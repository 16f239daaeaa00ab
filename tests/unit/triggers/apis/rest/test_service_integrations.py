"""`AWS` integrations with other services, which are part of the test."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import pytest

from lambent.control.apis.v1.rules.integrations import check_integration
from lambent.model.errors import ApiError
from tests.unit.triggers.apis.serving import Served

from .apis import RestApi, serving_rest

ROLE = "arn:aws:iam::000000000000:role/of-api"
BUCKET = "arn:aws:apigateway:eu-west-1:s3:path/{bucket}/in/{key}"
TABLE = "arn:aws:apigateway:us-east-1:dynamodb:action/PutItem"


class Sent(NamedTuple):
    """What a service received."""

    exchange: Any
    caller: Any
    service: str


class Services:
    """Keeps requests. The body of a request says what it responds with."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []

    def __call__(self, exchange: Any, caller: Any, fail: Callable[[ApiError], None]) -> None:
        self.sent.append(Sent(exchange, caller, caller.service))
        if exchange.body == b"unserved":
            fail(ApiError("UnknownServiceException", "no"))
        elif exchange.body == b"cut":
            exchange.start(200)
            exchange.write(b"half")
            exchange.abort()
        elif exchange.body == b"large":
            exchange.start(200)
            for _ in range(12):
                exchange.write(b"x" * 1024 * 1024)
            exchange.finish()
        else:
            exchange.respond(400 if exchange.body == b"bad" else 200, [("X-A", "b")], b"done")


services = Services()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_rest(tmp_path_factory.mktemp("rest"), serve=services) as served:
        yield served


def deploy(served: Served, uri: str, **body: Any) -> RestApi:
    api = RestApi(served)
    integration = {
        "type": "AWS",
        "httpMethod": "PUT",
        "uri": uri,
        "credentials": ROLE,
        "integrationResponses": {
            "200": {"statusCode": "200"},
            "400": {"statusCode": "400", "selectionPattern": "4.."},
        },
        **body,
    }
    api.deploy({"POST /{bucket}/{key}": {"methodIntegration": integration}})
    return api


def test_an_action_is_a_request_in_json(served: Served) -> None:
    """As a session of the role, in the Region of the URI; the client's signature is not passed."""
    api = deploy(served, TABLE)
    headers = {"Authorization": "AWS4 x", "X-Amz-Target": "evil", "X-Amz-Security-Token": "t"}
    response = api.request("/stage/a/b?x=y", "POST", body=b"{}", headers=headers)
    assert (response.status, response.body) == (200, b"done")
    exchange, caller, service = services.sent[-1]
    assert (service, exchange.method, exchange.path, exchange.query) == (
        "dynamodb",
        "POST",
        "/",
        "",
    )
    assert exchange.headers == {
        "content-type": "application/x-amz-json-1.0",
        "host": "dynamodb.us-east-1.amazonaws.com",
        "x-amz-target": "DynamoDB_20120810.PutItem",
    }
    assert exchange.body == b"{}"
    assert caller.principal.arn.startswith("arn:aws:sts::000000000000:assumed-role/of-api/")
    assert (caller.service, caller.scope.region) == ("dynamodb", "us-east-1")


def test_a_path_of_s3(served: Served) -> None:
    """Variables are mapped and encoded; they lead nowhere else."""
    mapped = {
        "integration.request.path.bucket": "method.request.path.bucket",
        "integration.request.path.key": "method.request.querystring.key",
        "integration.request.header.x-amz-acl": "'public-read-write'",
        "integration.request.header.X-Amz-Meta-A": "'b'",
    }
    api = deploy(served, BUCKET, requestParameters=mapped)
    assert api.request("/stage/a/b?key=c%20d/e%3Fx", "POST", body=b"1").status == 200
    exchange, caller, _ = services.sent[-1]
    assert (exchange.method, exchange.path) == ("PUT", "/a/in/c%20d/e%3Fx")
    assert caller.scope.region == "eu-west-1"
    assert exchange.headers["x-amz-meta-a"] == "b"
    assert "x-amz-acl" not in exchange.headers
    count = len(services.sent)
    for key in ("..", "../../other/x", "a/./b", "%252e%252e/x"):
        assert api.request(f"/stage/a/b?key={key}", "POST", body=b"1").status == 400
    assert api.request("/stage/a/b", "POST", body=b"1").status == 500
    assert len(services.sent) == count


def test_a_part_of_the_path_is_encoded_once(served: Served) -> None:
    """It is percent-encoded as the client has sent it."""
    mapped = {
        "integration.request.path.bucket": "method.request.path.bucket",
        "integration.request.path.key": "method.request.path.key",
    }
    api = deploy(served, BUCKET, requestParameters=mapped)
    assert api.request("/stage/a/c%20d%2Fe%3Fx%25", "POST", body=b"1").status == 200
    assert services.sent[-1].exchange.path == "/a/in/c%20d%2Fe%3Fx%25"
    count = len(services.sent)
    assert api.request("/stage/a/%2e%2E", "POST", body=b"1").status == 400
    assert len(services.sent) == count


def test_a_path_of_a_queue_is_a_form(served: Served) -> None:
    """With the URL of the queue."""
    mapped = {"integration.request.querystring.Action": "'SendMessage'"}
    uri = "arn:aws:apigateway:us-east-1:sqs:path/000000000000/q"
    api = deploy(served, uri, requestParameters=mapped)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    sent = {"MessageBody": "a & b"}
    api.request("/stage/a/b", "POST", body=b"MessageBody=a%20%26%20b", headers=form)
    fields = parse_qs(services.sent[-1].exchange.body.decode())
    assert {name: value for name, (value,) in fields.items()} == sent | {
        "Action": "SendMessage",
        "QueueUrl": "https://sqs.us-east-1.amazonaws.com/000000000000/q",
        "Version": "2012-11-05",
    }


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"bad", 400),
        (b"cut", 500),
        (b"large", 500),
        (b"unserved", 500),
    ],
)
def test_failures(served: Served, body: bytes, status: int) -> None:
    """A refusal of the service is a response; what does not come whole is none."""
    api = deploy(served, TABLE)
    assert api.request("/stage/a/b", "POST", body=body).status == status


@pytest.mark.parametrize(
    ("uri", "credentials"),
    [
        ("arn:aws:apigateway:us-east-1:iam:action/CreateUser", ROLE),
        ("arn:aws:apigateway:us-east-1:dynamodb:action/Put Item", ROLE),
        ("arn:aws:apigateway:us-east-1:dynamodb:action/PutItem/x", ROLE),
        ("arn:aws:apigateway:us-east-1:lambda:action/Invoke", ROLE),
        ("arn:aws:apigateway:us-east-1:abc.iotdata:path/topics/x", ROLE),
        (TABLE, None),
    ],
)
def test_what_cannot_be_called_is_refused(uri: str, credentials: str | None) -> None:
    """When it is configured."""
    body = {"type": "AWS", "httpMethod": "POST", "uri": uri, "credentials": credentials}
    with pytest.raises(ApiError):
        check_integration(body, "r")
    assert check_integration({**body, "uri": TABLE, "credentials": ROLE}, "r")["uri"] == TABLE
