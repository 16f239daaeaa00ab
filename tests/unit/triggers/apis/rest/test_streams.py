"""Responses that are streamed: `responseTransferMode` is `STREAM`."""

import http.client
import json
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.invocation import NOT_RUN, FunctionFailed, Outcome, Reply, Succeeded
from lambent.sandbox.egress_policy import EgressSettings
from lambent.triggers.apis.rest.integrations.streaming import read_metadata
from tests.platforms import wait_for
from tests.unit.triggers.apis.backend import running_backend
from tests.unit.triggers.apis.serving import ACCOUNT, REGION, Served

from .apis import HOST, RestApi, serving_rest, uri

NULS = b"\0" * 8
FAILED = FunctionFailed(b"{}", "Error")
DONE = Succeeded(b"")
INTERNAL = b'{"message": "Internal server error"}'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("rest")
    with serving_rest(directory, egress=EgressSettings(allow=("127.0.0.0/8",))) as served:
        yield served


@pytest.fixture(scope="module")
def backend() -> Iterator[str]:
    with running_backend() as address:
        yield address


class Stream:
    """A function that streams what the test says."""

    def __init__(self, served: Served) -> None:
        self._portal = served.portal
        self._replies = queue.Queue[Reply]()
        self.events: list[Any] = []
        self.resumed: list[bool] = []

    def __call__(self, event: Any) -> Callable[[Reply], None]:
        self.events.append(event)
        return self._replies.put

    def begin(self, content_type: str = "") -> None:
        """The function responds to the request that came last."""
        self.reply = self._replies.get(timeout=20)
        self._portal.call(self.reply.begin, content_type, lambda: self.resumed.append(True))

    def write(self, data: bytes) -> bool:
        return self._portal.call(self.reply.write, data)

    def finish(self, outcome: Outcome = DONE) -> None:
        self._portal.call(self.reply.finish, outcome, NOT_RUN)


def deploy(
    served: Served, function: Any, *, types: Any = ("REGIONAL",), **integration: Any
) -> RestApi:
    """An API with a streaming function at `/`, and an access log."""
    api = RestApi(served)
    arn = uri(served.function("streams", function)).replace("2015-03-31", "2021-11-15")
    integration = {
        "type": "AWS_PROXY",
        "httpMethod": "POST",
        "uri": arn.replace("/invocations", "/response-streaming-invocations"),
        "responseTransferMode": "STREAM",
        **integration,
    }
    deploy_logged(api, integration, types)
    return api


def deploy_logged(api: RestApi, integration: Any, types: Any = ("REGIONAL",)) -> None:
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:streams"
    line = "$context.status $context.responseLength $context.integrationStatus"
    api.deploy(
        {"ANY /{p+}": {"methodIntegration": integration}},
        api={"endpointConfiguration": {"types": list(types)}},
        stage={"accessLogSettings": {"destinationArn": group, "format": line}},
    )


@contextmanager
def asked(served: Served, method: str = "GET") -> Iterator[http.client.HTTPConnection]:
    """A connection on which a request was sent."""
    client = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    client.request(method, "/stage/x", headers={"Host": HOST})
    try:
        yield client
    finally:
        client.close()


def metadata(**members: Any) -> bytes:
    return json.dumps(members).encode() + NULS


def test_chunks_arrive_as_they_are_written(served: Served) -> None:
    """Status, headers of both kinds and cookies come first, however the metadata are cut."""
    function = Stream(served)
    deploy(served, function)
    head = metadata(
        statusCode=201,
        headers={"X-One": "1"},
        multiValueHeaders={"X-Two": ["a", "b"]},
        cookies=["c=1", "d=2"],
    )
    with asked(served) as client:
        function.begin("application/json")
        for byte in head:
            assert function.write(bytes([byte]))
        function.write(b"one")
        response = client.getresponse()
        assert (response.status, response.read(3)) == (201, b"one")
        assert response.headers["x-one"] == "1"
        assert response.headers.get_all("x-two") == ["a", "b"]
        assert response.headers.get_all("set-cookie") == ["c=1", "d=2"]
        assert response.headers["x-amzn-requestid"]
        function.write(b"two")
        assert response.read(3) == b"two"
        function.finish()
        assert response.read() == b""
    assert function.events[0]["requestContext"]["stage"] == "stage"
    assert served.node.requests[-1].wants_stream


def test_binary_bodies_need_no_binary_types(served: Served) -> None:
    """What a function returns at once is a stream of one chunk."""
    body = bytes(range(256))
    deploy(served, lambda _: metadata(headers={"Content-Type": "image/png"}) + body)
    response = RestApi(served).request("/stage/x")
    assert (response.status, response.body) == (200, body)
    assert response.headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no metadata",
        b'{"statusCode": 200}',
        b"[]" + NULS,
        b"{" + NULS,
        b"[" * 10_000 + NULS,
        metadata(statusCode=99),
        metadata(statusCode="abc"),
        metadata(headers="a"),
        metadata(headers={"bad name": "1"}),
        metadata(headers={"a": "b\r\nX-Evil: 1"}),
        metadata(multiValueHeaders={"a": "b"}),
        metadata(cookies="c"),
        b"{" + b" " * 17_000 + b"}" + NULS,
    ],
)
def test_what_does_not_begin_with_metadata_is_502(served: Served, data: bytes) -> None:
    """In chunks, or returned at once."""
    deploy(served, lambda _: data)
    at_once = RestApi(served).request("/stage/x")
    assert (at_once.status, at_once.body) == (502, INTERNAL)
    function = Stream(served)
    deploy(served, function)
    with asked(served) as client:
        function.begin()
        function.write(data)
        function.write(b"more")
        function.finish()
        response = client.getresponse()
        assert (response.status, response.read()) == (502, INTERNAL)


def test_functions_that_fail(served: Served) -> None:
    """Before the response begins it is 502, then it is cut."""
    function = Stream(served)
    deploy(served, function)
    with asked(served) as client:
        function.begin()
        function.write(b'{"statusCode":')
        function.finish(FAILED)
        assert client.getresponse().status == 502
    with asked(served) as client:
        function.begin()
        function.write(metadata() + b"begin")
        response = client.getresponse()
        assert response.read(5) == b"begin"
        function.finish(FAILED)
        with pytest.raises((OSError, http.client.HTTPException)):
            response.read()
    deploy(served, lambda _: FAILED)
    assert RestApi(served).request("/stage/x").body == INTERNAL


def test_timeouts(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """504 before the response begins. Later it is cut, also if it is silent for too long; the
    function runs on."""
    function = Stream(served)
    deploy(served, function, timeoutInMillis=50)
    with asked(served) as client:
        response = client.getresponse()
        assert (response.status, json.loads(response.read())) == (
            504,
            {"message": "Endpoint request timed out"},
        )
        function.begin()
        assert function.write(metadata() + b"late")
        function.finish()
    is_cut_once_begun(served, function, lambda ms: deploy(served, function, timeoutInMillis=ms))

    def deploy_at_the_edge(silence_ms: int) -> None:
        monkeypatch.setattr("lambent.triggers.apis.rest.methods.EDGE_IDLE_S", silence_ms / 1000)
        deploy(served, function, types=("EDGE",))

    is_cut_once_begun(served, function, deploy_at_the_edge)


def is_cut_once_begun(
    served: Served, function: Stream, deploy_with: Callable[[int], object]
) -> None:
    """Try with longer times, in milliseconds, until a response begins in time."""
    for milliseconds in (50, 400, 3200):
        deploy_with(milliseconds)
        with asked(served) as client:
            function.begin()
            function.write(metadata() + b"begin")
            response = client.getresponse()
            if response.status == 504:
                function.finish()
                continue
            with pytest.raises((OSError, http.client.HTTPException)):
                response.read()
            assert function.write(b"late")
            function.finish()
            return
    raise AssertionError("no response has begun in time")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_responses_without_a_body(served: Served, method: str, status: int) -> None:
    """What a function writes is dropped."""
    function = Stream(served)
    deploy(served, function)
    with asked(served, method) as client:
        function.begin()
        assert function.write(metadata(statusCode=status) + b"body")
        assert function.write(b"x" * 100_000)
        function.finish()
        response = client.getresponse()
        assert (response.status, response.read()) == (status, b"")


def test_a_slow_client_holds_the_function_back(served: Served) -> None:
    """Until it has caught up."""
    function = Stream(served)
    deploy(served, function)
    with asked(served) as client:
        function.begin()
        assert function.write(metadata())
        chunk, written = b"x" * 100_000, 0
        while function.write(chunk):
            written += 1
            assert written < 1000, "the client is never behind"
        response = client.getresponse()
        assert len(response.read(written * len(chunk))) == written * len(chunk)
        response.read(1)
        wait_for(lambda: function.resumed, "the function may go on")
        function.finish()
        assert response.read() == chunk[1:]


def test_the_access_log_has_every_stream(served: Served) -> None:
    """Complete, cut, refused, and left by the client."""
    function = Stream(served)
    deploy(served, function)
    before = len(lines(served))

    def ask(outcome: Outcome, *, leaves: bool = False) -> None:
        with asked(served) as client:
            function.begin()
            function.write(metadata(statusCode=201) + b"begin")
            client.getresponse().read(5)
            if leaves:
                client.close()
                return
            function.finish(outcome)

    ask(DONE)
    ask(FAILED)
    ask(DONE, leaves=True)
    function.write(b"more")
    function.finish()
    wait_for(lambda: len(lines(served)) == before + 3, "the lines")
    assert lines(served)[before:] == ["201 5 200", "201 5 200", "201 9 200"]


def lines(served: Served) -> list[str]:
    """Of the access log."""
    return served.log_lines("streams")


@given(st.binary(max_size=200), st.integers(0, 20_000))
def test_any_bytes_are_metadata_or_not(data: bytes, padding: int) -> None:
    """The delimiter must be within the first 16 KB."""
    assert read_metadata(data, "") is None or NULS in data
    found = read_metadata(b"{" + b" " * padding + b"}" + NULS + data, "")
    assert (found is not None) == (padding + 2 <= 16 * 1024)
    if found is not None:
        assert (found.status, found.body) == (200, data)


# -- servers ---------------------------------------------------------------------------------------


def server(served: Served, address: str, **more: Any) -> RestApi:
    api = RestApi(served)
    mapped = {"integration.request.path.p": "method.request.path.p"}
    integration = {"type": "HTTP_PROXY", "uri": f"{address}/{{p}}", "requestParameters": mapped}
    deploy_logged(api, {**integration, "responseTransferMode": "STREAM", **more})
    return api


def test_a_server_s_response_is_passed_on(served: Served, backend: str) -> None:
    """With its length, or in chunks; without a limit for its size."""
    api = server(served, backend)
    plain = api.request("/stage/plain", "POST", body=b"hello")
    assert (plain.status, plain.json()["body"]) == (201, "hello")
    assert plain.headers["content-length"] == str(len(plain.body))
    assert api.request("/stage/chunks").body == b"abc"
    assert len(api.request("/stage/large").body) == 3_000_000
    assert api.request("/stage/plain", "HEAD").body == b""
    wait_for(lambda: lines(served)[-1].startswith("201 0"), "the last line")
    assert lines(served)[-2] == "200 3000000 200"


def test_servers_that_fail(served: Served, backend: str) -> None:
    """A response that breaks off is cut; so is one that takes too long."""
    api = server(served, backend, timeoutInMillis=100)
    for path in ("/stage/cut", "/stage/stuck"):
        with pytest.raises((OSError, http.client.HTTPException)):
            api.request(path)
    assert api.request("/stage/slow").status == 504
    assert server(served, "http://127.0.0.1:1").request("/stage/x").status == 500


@pytest.mark.parametrize("path", ["stuck", "slow"])
@pytest.mark.parametrize("mode", ["STREAM", "BUFFERED"])
def test_a_client_that_leaves_is_in_the_access_log(
    served: Served, backend: str, path: str, mode: str
) -> None:
    """Without a status if it had none."""
    server(served, backend, responseTransferMode=mode)
    before = len(lines(served))
    client = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    client.request("GET", f"/stage/{path}", headers={"Host": HOST})
    is_begun = (path, mode) == ("stuck", "STREAM")
    if is_begun:
        assert client.getresponse().read(5) == b"begin"
    client.close()
    wait_for(lambda: len(lines(served)) > before, "the line")
    assert lines(served)[before:] == ["200 5 200" if is_begun else "- 0 -"]
