"""Where the front doors of APIs start tasks, and how a request reaches each place.

A client gets a clear error, and the same request succeeds afterwards.
"""

import http.client
import json
import re
import ssl
import urllib.request
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from websockets.exceptions import InvalidStatus

from lambent.triggers.apis.websocket.answers import INTERNAL_ERROR
from tests.platforms import ACCOUNT, wait_for

from .api_world import ApiWorld

LARGE = "x" * 20_000
"""A body that is not handled on the event loop; it fits into a frame of a WebSocket."""

ApiReach = Callable[[ApiWorld, str], None]
"""Makes a task of a site fail, and checks the consequences."""


def _refuses(post: Callable[[ApiWorld], tuple[int, bytes]], later: int = 200) -> ApiReach:
    """For a task that serves a request: 500 with a message, and `later` the next time."""

    def reach(apis: ApiWorld, site: str) -> None:
        with apis.platform.failing(site):
            status, body = post(apis)
        assert status == 500
        assert json.loads(body)["message"].lower() == "internal server error"
        status, body = post(apis)
        assert status == later, body

    return reach


def _http(path: str, body: str = "hello") -> ApiReach:
    return _refuses(lambda apis: apis.post(apis.url(apis.http, path), body))


def _rest(path: str, body: str = "hello") -> ApiReach:
    return _refuses(lambda apis: apis.post(apis.url(apis.rest, path), body))


def _pass_on(apis: ApiWorld, site: str) -> None:
    """A response that was begun breaks off: the client does not wait for the rest."""
    _refuses(lambda apis: apis.post(apis.url(apis.http, "/server")), 201)(apis, site)
    address = urlsplit(apis.url(apis.http, "/stuck"))
    client = http.client.HTTPConnection(address.netloc, timeout=20)
    client.request("POST", address.path)
    response = client.getresponse()
    assert response.read(5) == b"begin"
    with apis.platform.failing(site, "now"), pytest.raises((OSError, http.client.HTTPException)):
        response.read()
    client.close()


def _count(apis: ApiWorld, site: str) -> None:
    apis.v1.create_api_key(name=uuid.uuid4().hex)  # Keys are read again.
    _rest("/counted")(apis, site)


def _write_counts(apis: ApiWorld, site: str) -> None:
    with apis.platform.failing(site, "now"):
        pass
    before = apis.requests_of_key()
    assert apis.post(apis.url(apis.rest, "/counted"))[0] == 200
    wait_for(lambda: apis.requests_of_key() > before, "the request is in the database")


def _look_up_domain(apis: ApiWorld, site: str) -> None:
    """403: nothing is mapped to the domain."""
    certificate = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/{uuid.uuid4()}"
    name = f"{uuid.uuid4().hex}.example.org"
    apis.v2.create_domain_name(
        DomainName=name, DomainNameConfigurations=[{"CertificateArn": certificate}]
    )
    _refuses(lambda apis: apis.post(f"{apis.platform.endpoint}/", Host=name), 403)(apis, site)


def _enter(apis: ApiWorld, site: str) -> None:
    apis.change(apis.http)
    _http("/function")(apis, site)


def _shake_hands(apis: ApiWorld, site: str) -> None:
    """A client of TLS is disconnected, and the next one is not."""
    platform, tls = apis.platform, ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE

    found = re.search(r"serves TLS at ([^\s;]+)", platform.text())
    assert found is not None

    def ask() -> int:
        url = f"{found[1]}/_lambent/health"
        with urllib.request.urlopen(url, timeout=20, context=tls) as response:
            return int(response.status)

    with platform.failing(site), pytest.raises((OSError, http.client.HTTPException)):
        ask()
    assert ask() == 200


# -- WebSocket APIs --------------------------------------------------------------------------------


def _message(text: str) -> ApiReach:
    """For a task that serves a message: the client hears that it failed, and stays connected."""

    def reach(apis: ApiWorld, site: str) -> None:
        with apis.connect() as client:
            with apis.platform.failing(site):
                client.send(text)
                assert json.loads(client.recv(timeout=20))["message"] == INTERNAL_ERROR
            client.send(text)
            assert INTERNAL_ERROR not in str(client.recv(timeout=20))

    return reach


def _connect(apis: ApiWorld, site: str) -> None:
    with (
        apis.platform.failing(site),
        pytest.raises(InvalidStatus, match="500"),
        apis.connect(),
    ):
        pass
    with apis.connect():
        pass


def _disconnect(apis: ApiWorld, site: str) -> None:
    """An API that changes is read again once a second: then its clients end without a task."""
    failed = apis.platform.count("failed", site)
    apis.platform.tell("next", site)

    def ends() -> bool:
        with apis.connect():
            apis.change(apis.websocket)
        return apis.platform.count("failed", site) > failed

    wait_for(ends, f"a task of {site} fails")
    with apis.connect():
        pass


def _manage(apis: ApiWorld, site: str) -> None:
    client = apis.platform.client("apigatewaymanagementapi", endpoint_url=apis.url(apis.websocket))
    with apis.connect() as connection:
        connection.send("who")
        id = connection.recv(timeout=20)
        with apis.platform.failing(site), pytest.raises(ClientError, match="InternalFailure"):
            client.post_to_connection(ConnectionId=id, Data=LARGE)
        client.post_to_connection(ConnectionId=id, Data=LARGE)
        assert connection.recv(timeout=20) == LARGE


_REST = "triggers/apis/rest"
_HTTP = "triggers/apis/http"
_WEBSOCKET = "triggers/apis/websocket"

API_REACH: dict[str, ApiReach] = {
    "assembly/named_fronts.py:look_up": _look_up_domain,
    "gateway/services/apigatewaymanagementapi/entrance.py:self._serve": _manage,
    "kit/http/server.py:self._take_over": _shake_hands,
    "triggers/apis/front.py:self._enter_slowly": _enter,
    f"{_HTTP}/function.py:self._respond_large": _http("/function", LARGE),
    f"{_HTTP}/function.py:self._start": _http("/function", LARGE),
    f"{_HTTP}/kind.py:self._authorize_slowly": _http("/authorized"),
    f"{_HTTP}/proxy.py:self._handle": _pass_on,
    f"{_HTTP}/service.py:self._handle": _http("/service"),
    f"{_REST}/integrations/custom.py:self._handle_slowly": _rest("/slow-request"),
    f"{_REST}/integrations/custom.py:self._respond_slowly": _rest("/slow-response"),
    f"{_REST}/integrations/functions.py:self._start": _rest("/unread"),
    f"{_REST}/integrations/http_backend.py:self._exchange": _refuses(
        lambda apis: apis.post(apis.url(apis.rest, "/server")), 201
    ),
    f"{_REST}/integrations/http_backend.py:self._exchange_stream": _refuses(
        lambda apis: apis.post(apis.url(apis.rest, "/streamed")), 201
    ),
    f"{_REST}/integrations/lambda_custom.py:self._keep": _rest("/kept"),
    f"{_REST}/integrations/services.py:self._exchange": _rest("/queue"),
    f"{_REST}/integrations/lambda_proxy.py:self._handle_large": _rest("/function", LARGE),
    f"{_REST}/integrations/lambda_proxy.py:self._respond_large": _rest("/function", LARGE),
    f"{_REST}/kind.py:self._authorize": _rest("/authorized"),
    f"{_REST}/kind.py:self._count": _count,
    f"{_REST}/kind.py:self._validate_large": _rest("/validated", LARGE),
    f"{_REST}/usage_counts.py:counts.run": _write_counts,
    f"{_WEBSOCKET}/connecting.py:self._authorize": _connect,
    f"{_WEBSOCKET}/integrations.py:self._read_large": _message(LARGE),
    f"{_WEBSOCKET}/integrations.py:self._start": _message('{"action": "unread"}'),
    f"{_WEBSOCKET}/kind.py:self._end_slowly": _disconnect,
    f"{_WEBSOCKET}/kind.py:self._slowly": _message(LARGE),
    f"{_WEBSOCKET}/mapped.py:self._run": _message('{"action": "mapped"}'),
}
"""How each site is reached."""
