"""Services next to each other: several with paths, two with one signing name, one with three
protocols."""

import http.client
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambent.gateway.call import Call
from lambent.gateway.definitions import AnyService, ServiceDefinition
from lambent.gateway.models import load_model
from lambent.gateway.permissions.needs import NOTHING, each
from lambent.gateway.registry import SERVICES
from lambent.gateway.server import Gateway
from lambent.gateway.services.lambda_.service import LAMBDA
from lambent.model.errors import ApiError
from tests.unit.gateway import wire
from tests.unit.gateway.running import Api, running


def service(name: str, **operations: Any) -> AnyService:
    """A service whose operations return what they are given here."""
    return ServiceDefinition(
        name=name,
        operations={operation: _handler(output) for operation, output in operations.items()},
        permissions=each(name, list(operations), NOTHING),
    )


def _handler(output: Any) -> Any:
    async def handle(_rooms: None, call: Call) -> Mapping[str, Any]:
        if isinstance(output, ApiError):
            raise output
        return output(call) if callable(output) else output

    return handle


REST = service("apigateway", GetRestApis={"items": [{"id": "one"}]})
HTTP = service("apigatewayv2", GetApis={"Items": [{"ApiId": "two", "Name": "n"}]})
METRICS = service(
    "cloudwatch",
    ListMetrics=lambda call: {"Metrics": [{"Namespace": call.params["Namespace"]}]},
    GetDashboard=ApiError("DashboardNotFoundError", "gone", status=404),
)


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    def set_up(gateway: Gateway) -> None:
        async def get_function(call: Call) -> Mapping[str, Any]:
            return {"Configuration": {"FunctionName": call.params["FunctionName"]}}

        gateway.register(LAMBDA, {"GetFunction": get_function})
        for definition in (REST, HTTP, METRICS):
            gateway.register(definition, definition.bind(None))

    others = (definition for definition in SERVICES if definition.name != METRICS.name)
    with running((*others, REST, HTTP, METRICS), set_up) as api:
        yield api


@pytest.mark.parametrize("is_signed", [True, False])
def test_services_with_paths(api: Api, is_signed: bool) -> None:
    """Each finds its own operations; both API Gateways sign with the same name."""
    connect = api.client if is_signed else api.unsigned
    found = connect("lambda").get_function(FunctionName="f")
    assert found["Configuration"]["FunctionName"] == "f"
    assert connect("apigateway").get_rest_apis()["items"] == [{"id": "one"}]
    assert connect("apigatewayv2").get_apis()["Items"] == [{"ApiId": "two", "Name": "n"}]
    with pytest.raises(ClientError, match="does not offer the operation GetModels yet"):
        connect("apigateway").get_models(restApiId="r")
    with pytest.raises(ClientError, match="does not offer the operation GetModels yet"):
        connect("apigatewayv2").get_models(ApiId="r")


def test_a_path_of_another_service(api: Api) -> None:
    """Is none of the one that the signature names."""
    client = api.client("apigateway")
    client.meta.events.register(
        "before-sign",
        lambda request, **_: setattr(request, "url", f"{api.endpoint}/2015-03-31/functions/f"),
    )
    with pytest.raises(ClientError, match="Unknown operation: GET /2015-03-31/functions/f"):
        client.get_rest_apis()


def test_a_new_client(api: Api) -> None:
    """Chooses a protocol by itself."""
    for client in (api.client("cloudwatch"), api.unsigned("cloudwatch")):
        assert client.list_metrics(Namespace="n")["Metrics"] == [{"Namespace": "n"}]
        with pytest.raises(ClientError, match="ResourceNotFound"):
            client.get_dashboard(DashboardName="d")
        with pytest.raises(ClientError, match="namespace"):
            client.list_metrics(Namespace="")


@pytest.mark.parametrize("protocol", load_model("cloudwatch").metadata["protocols"])
def test_one_service_in_each_of_its_protocols(api: Api, protocol: str) -> None:
    """Unsigned requests of older clients, too; each is responded to in its own protocol."""
    for name, params in (
        ("ListMetrics", {"Namespace": "n"}),
        ("GetDashboard", {"DashboardName": "d"}),
    ):
        operation = load_model("cloudwatch").operation_model(name)
        sent = wire.sent_by_botocore(operation, params, protocol)
        status, headers, body = say(api, sent)
        got = wire.read_by_botocore(operation, status, headers, body, protocol)
        if name == "ListMetrics":
            assert (status, got["Metrics"]) == (200, [{"Namespace": "n"}])
        else:
            assert (got["Error"]["Code"], got["Error"]["Message"]) == ("ResourceNotFound", "gone")


@pytest.mark.parametrize("protocol", load_model("cloudwatch").metadata["protocols"])
def test_an_unknown_operation_in_each_protocol(api: Api, protocol: str) -> None:
    """The client can read that there is none."""
    operation = load_model("cloudwatch").operation_model("ListMetrics")
    sent = wire.sent_by_botocore(operation, {}, protocol)
    sent.path = sent.path.replace("ListMetrics", "Nothing")
    sent.body = sent.body.replace(b"ListMetrics", b"Nothing")
    sent.headers = {
        name: text.replace("ListMetrics", "Nothing") for name, text in sent.headers.items()
    }
    status, headers, body = say(api, sent)
    got = wire.read_by_botocore(operation, status, headers, body, protocol)
    assert (status, got["Error"]["Code"]) == (400, "UnknownOperationException")
    assert got["Error"]["Message"] == "Unknown operation: Nothing"


def say(api: Api, sent: wire.FakeExchange) -> tuple[int, list[tuple[str, str]], bytes]:
    """Send a request; returns status, headers and body of the response."""
    connection = http.client.HTTPConnection(api.endpoint.removeprefix("http://"), timeout=20)
    try:
        headers = {name: text for name, text in sent.headers.items() if name != "content-length"}
        connection.request(sent.method, sent.path, sent.body, headers)
        response = connection.getresponse()
        named = [(name.lower(), text) for name, text in response.getheaders()]
        return response.status, named, response.read()
    finally:
        connection.close()
