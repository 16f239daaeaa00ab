"""Ways in that are not the AWS API are found by host and by path, several next to each other."""

import http.client
import re
from typing import Any

import pytest

from lambent.gateway.fronts import Front, Fronts
from lambent.gateway.registry import SERVICES
from lambent.kit.http.messages import Exchange
from tests.unit.gateway.running import Api, running
from tests.unit.identity.exchanges import FakeExchange

URLS = re.compile(r"[a-z]+\.lambda-url\.[a-z0-9-]+\.localhost(?::\d+)?")
APIS = re.compile(r"[a-z]+\.execute-api\.[a-z0-9-]+\.localhost(?::\d+)?")


def front(name: str, **more: Any) -> Front:
    """A front that says its name."""

    def handle(exchange: Exchange) -> None:
        exchange.respond(200, [("Content-Type", "text/plain")], name.encode())

    return Front(handle=handle, **more)


def found(fronts: Fronts, path: str = "/", host: str = "127.0.0.1", method: str = "GET") -> Any:
    exchange: Any = FakeExchange(method=method, path=path, headers={"host": host})
    return fronts.find(exchange)


def test_several_fronts_have_hosts() -> None:
    """Whatever their case; all others are the API's, also when they were asked for before."""
    fronts = Fronts()
    urls, apis = front("urls"), front("apis")
    assert found(fronts, host="a.execute-api.us-east-1.localhost") is None
    fronts.add_hosts(URLS, urls)
    fronts.add_hosts(APIS, apis)
    for _ in range(2):
        assert found(fronts, host="a.lambda-url.us-east-1.localhost:80") is urls
        assert found(fronts, host="A.Execute-API.us-east-1.localhost") is apis
        for host in ("", "localhost", "a.b.lambda-url.us-east-1.localhost", "a.lambda-url.x.test"):
            assert found(fronts, host=host) is None


def test_memory_of_hosts_is_bounded() -> None:
    """Strangers choose them."""
    fronts = Fronts()
    fronts.add_hosts(URLS, front("urls"))
    for number in range(5000):
        found(fronts, host=f"{number}.test")
    assert len(fronts._known) <= 1024


def test_the_longest_path_wins() -> None:
    """All below a path that ends with a slash; nothing below one that does not."""
    fronts = Fronts()
    page, below, deep = front("page"), front("below"), front("deep")
    fronts.add_path("/_lambent/queues", page)
    fronts.add_path("/_lambent/queues/", below)
    fronts.add_path("/_lambent/queues/deep/", deep)
    nothing = found(fronts, "/_lambent/")
    for path, expected in {
        "/_lambent/queues": page,
        "/_lambent/queues/": below,
        "/_lambent/queues/f": below,
        "/_lambent/queues//f": below,
        "/_lambent/queues/f/g/h" * 50: below,
        "/_lambent/queues/deep": below,
        "/_lambent/queues/deep/": deep,
        "/_lambent/queues/deep/" + "a/" * 20_000: deep,
        "/_lambent/queuesmore": nothing,
        "/_lambent/other": nothing,
        "/_lambent/queue": nothing,
        "/lambent/queues": None,
    }.items():
        assert found(fronts, path) is expected, path[:40]
    assert found(fronts, "/_lambent/queues", host="a.lambda-url.us-east-1.localhost") is page


def test_a_method_may_have_a_front_of_its_own() -> None:
    """Others go to the front without one, else to the path above."""
    fronts = Fronts()
    read, change, above = front("read"), front("change"), front("above")
    fronts.add_path("/_lambent/console/", above)
    fronts.add_path("/_lambent/console/x", read, method="GET")
    assert found(fronts, "/_lambent/console/x") is read
    assert found(fronts, "/_lambent/console/x", method="POST") is above
    fronts.add_path("/_lambent/console/x", change)
    assert found(fronts, "/_lambent/console/x") is read
    assert found(fronts, "/_lambent/console/x", method="POST") is change


@pytest.fixture(scope="module")
def api() -> Any:
    """A gateway with two fronts by host and one by path."""

    def set_up(gateway: Any) -> None:
        gateway.fronts.add_hosts(URLS, front("urls", body_bytes_max=3 << 20, is_open=True))
        gateway.fronts.add_hosts(APIS, front("apis", body_bytes_max=2 << 20, is_open=True))
        gateway.fronts.add_path("/_lambent/page", front("page"))

    with running(SERVICES, set_up) as api:
        yield api


@pytest.mark.parametrize(
    ("path", "host", "size", "answer"),
    [
        ("/x", "a.lambda-url.us-east-1.localhost", 3 << 20, (200, b"urls")),
        ("/x", "a.execute-api.us-east-1.localhost", 2 << 20, (200, b"apis")),
        ("/_lambent/page", "localhost", 1 << 20, (200, b"page")),
        ("/x", "a.lambda-url.us-east-1.localhost", (3 << 20) + 1, (413, None)),
        ("/x", "a.execute-api.us-east-1.localhost", (2 << 20) + 1, (413, None)),
        ("/_lambent/page", "localhost", (1 << 20) + 1, (413, None)),
    ],
)
def test_a_front_says_how_large_a_body_it_takes(
    api: Api, path: str, host: str, size: int, answer: tuple[int, bytes | None]
) -> None:
    """Whatever the API takes."""
    connection = http.client.HTTPConnection(api.endpoint.removeprefix("http://"), timeout=20)
    try:
        connection.request("POST", path, b" " * size, {"Host": host})
        response = connection.getresponse()
        body = response.read()
    except (BrokenPipeError, ConnectionResetError):
        assert answer[0] == 413  # Refused before all was sent.
        return
    finally:
        connection.close()
    assert response.status == answer[0]
    assert answer[1] in (None, body)
