"""The common front: an API is found by its host, by a custom domain name and by path."""

from collections.abc import Iterator
from typing import Any

import pytest

from lambent.assembly.apis import Apis
from lambent.kit.http.messages import Exchange
from lambent.model.document import Root
from lambent.triggers.apis.api import Api, Stage
from lambent.triggers.apis.front import respond_message
from lambent.triggers.apis.kinds import stage_of_path
from lambent.triggers.apis.request import ApiRequest

from .serving import ACCOUNT, REGION, Served, serving

API = "a1b2c3d4e5"
HOST = f"{API}.execute-api.us-east-1.localhost"
ROOT = Root("apigatewayv2", ACCOUNT, REGION, API)
NAMES = Root("apigateway", ACCOUNT, REGION, "")


class EchoStage:
    """Says what the front has found out."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def handle(self, request: ApiRequest) -> None:
        if request.path == "/broken":
            raise RuntimeError("on purpose")
        text = f"{request.stage.name} {request.path} {request.base_path or '-'} {request.domain}"
        note = self._stage.of("route")["r"]["Note"]
        request.exchange.respond(200, [("Content-Type", "text/plain")], f"{note} {text}".encode())


class EchoKind:
    """Serves every API with `EchoStage`."""

    def choose_stage(self, api: Api, path: str) -> tuple[str, str] | None:
        return stage_of_path(api, path)

    def compile(self, stage: Stage) -> EchoStage:
        return EchoStage(stage)

    def refuse(self, exchange: Exchange, status: int) -> None:
        respond_message(exchange, status, "Not Found" if status == 404 else "Refused")


def add_echo(apis: Apis) -> None:
    apis.directory.add_kind("HTTP", EchoKind())


def api_documents(
    note: str = "v1", api: str = API, **more: Any
) -> list[tuple[str, str, dict[str, Any]]]:
    """An API with a stage `$default`, a stage `dev` and one to which nothing is deployed."""
    snapshot = [["route", "r", {"Note": note}]]
    return [
        ("api", api, {"ApiId": api, "ProtocolType": "HTTP", **more}),
        ("deployment", "d1", {"DeploymentId": "d1", "Snapshot": snapshot}),
        ("stage", "$default", {"StageName": "$default", "DeploymentId": "d1"}),
        ("stage", "dev", {"StageName": "dev", "DeploymentId": "d1"}),
        ("stage", "empty", {"StageName": "empty"}),
    ]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("apis"), add_echo) as served:
        served.put(ROOT, *api_documents())
        yield served


def text(served: Served, host: str | None, path: str) -> str:
    response = served.request(host, path=path)
    assert response.status == 200, response
    return response.body.decode()


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", "$default /"),
        ("/pets", "$default /pets"),
        ("/dev", "dev /"),
        ("/dev/", "dev /"),
        ("/dev/pets/", "dev /pets/"),
        ("/dev//pets", "dev //pets"),
        ("/device", "$default /device"),
        ("/empty/x", "$default /empty/x"),
        ("/$default/x", "$default /$default/x"),
        ("/de%76/x", "$default /de%76/x"),
        ("//dev/x", "$default //dev/x"),
        ("/../dev", "$default /../dev"),
    ],
)
def test_stage_is_the_first_segment(served: Served, path: str, found: str) -> None:
    """As sent, not decoded; else it is `$default`. A stage without a deployment does not count."""
    assert text(served, HOST, path) == f"v1 {found} - {HOST}"


def test_ways_to_an_api(served: Served) -> None:
    """By host in any case and with a port, by AWS's host, by path, and in two forms of others. The
    domain is the client's only if it is a name of ours."""
    aws = f"{API}.execute-api.us-east-1.amazonaws.com"
    assert text(served, f"{HOST}:{served.port}", "/dev/x") == f"v1 dev /x - {HOST}"
    assert text(served, HOST.upper(), "/dev/x") == f"v1 dev /x - {HOST}"
    assert text(served, aws, "/x") == f"v1 $default /x - {aws}"
    for path in (
        f"/_lambent/api/{API}/dev/x",
        f"/_aws/execute-api/{API}/dev/x",
        f"/restapis/{API}/dev/_user_request_/x",
    ):
        assert text(served, None, path) == f"v1 dev /x - {HOST}"
    assert text(served, None, f"/_lambent/api/{API}") == f"v1 $default / - {HOST}"


def test_nothing_there(served: Served) -> None:
    """An unknown API, an id that is none, and a name that could belong to a page."""
    other = "0000000000.execute-api.us-east-1.localhost"
    for _ in range(2):
        assert served.request(other).status == 403
    for path in ("/_lambent/api/", "/_lambent/api/A%20/x", "/_aws/other", "/_lambent/api/../x"):
        assert served.request(None, path=path).status in (403, 404)
    evil = f"{API}.execute-api.us-east-1.evil.example"
    assert b"not accepted" in served.request(evil).body


def test_failure_is_a_response(served: Served) -> None:
    """A stage that raises does not keep its client waiting."""
    assert served.request(HOST, path="/broken").status == 500


def test_large_bodies(served: Served) -> None:
    """Up to 10 MB; 413 beyond it, in the form of an API."""
    assert served.request(HOST, "POST", "/x", b"x" * 10_485_760).status == 200
    response = served.request(HOST, "POST", "/x", b"x" * 10_485_761)
    assert (response.status, response.json()) == (413, {"message": "Request Entity Too Large"})


def test_changes_are_in_force_at_once(served: Served) -> None:
    """Also that there is an API now, or none any more."""
    api = "ffffffffff"
    root, host = ROOT._replace(id=api), f"{api}.execute-api.us-east-1.localhost"
    assert served.request(host).status == 403
    for note in ("one", "two"):
        served.put(root, *api_documents(note, api))
        assert text(served, host, "/").startswith(note)

    async def delete() -> None:
        await served.store.transact(lambda tx: tx.documents.delete_all(root))

    served.portal.call(delete)
    assert served.request(host).status == 403


def test_custom_domain_names(served: Served) -> None:
    """The longest base path wins, a wildcard stands for one label, and other names are not ours. A
    new name is in force at once."""
    mappings = {"": "", "orders": "dev", "orders/v1": "$default"}
    served.put(
        NAMES,
        ("domain_name", "api.example.com", {"DomainName": "api.example.com"}),
        ("domain_name", "*.apps.example.com", {"DomainName": "*.apps.example.com"}),
        ("api_mapping", "*.apps.example.com/w", {"ApiId": API, "Stage": "dev"}),
        *(
            (
                "api_mapping",
                f"api.example.com/{at}",
                {"ApiId": API, "Stage": stage, "ApiMappingKey": key},
            )
            for at, (key, stage) in enumerate(mappings.items())
        ),
    )
    name = "api.example.com"
    assert text(served, name, "/dev/x") == f"v1 dev /x - {name}"
    assert text(served, f"{name.upper()}:80", "/x") == f"v1 $default /x - {name}"
    assert text(served, name, "/orders/x") == f"v1 dev /x /orders {name}"
    assert text(served, name, "/orders") == f"v1 dev / /orders {name}"
    assert text(served, name, "/orders/v1/dev") == f"v1 $default /dev /orders/v1 {name}"
    assert text(served, name, "/ordersv1") == f"v1 $default /ordersv1 - {name}"
    assert text(served, "a.apps.example.com", "/x") == "v1 dev /x - a.apps.example.com"
    for other in ("a.b.apps.example.com", "apps.example.com", "example.com"):
        assert b"not accepted" in served.request(other).body
    served.put(NAMES, ("domain_name", "new.example.com", {"DomainName": "new.example.com"}))
    assert served.request("new.example.com").json() == {"message": "Forbidden"}


def test_domain_of_another_account_leads_nowhere(served: Served) -> None:
    """Whatever its mapping says."""
    root = NAMES._replace(account="111111111111")
    served.put(
        root,
        ("domain_name", "other.example.com", {"DomainName": "other.example.com"}),
        ("api_mapping", "other.example.com/m", {"ApiId": API, "Stage": "dev"}),
    )
    assert served.request("other.example.com").status == 403


def test_default_endpoint_can_be_disabled(served: Served) -> None:
    """Then only custom domain names lead to the API."""
    api = "dddddddddd"
    documents = api_documents("v1", api, DisableExecuteApiEndpoint=True)
    served.put(ROOT._replace(id=api), *documents)
    served.put(
        NAMES,
        ("domain_name", "only.example.com", {"DomainName": "only.example.com"}),
        ("api_mapping", "only.example.com/m", {"ApiId": api, "Stage": "dev"}),
    )
    assert served.request(f"{api}.execute-api.us-east-1.localhost").json() == {"message": "Refused"}
    assert text(served, "only.example.com", "/x") == "v1 dev /x - only.example.com"
