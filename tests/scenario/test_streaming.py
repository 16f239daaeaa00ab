"""Responses that arrive chunk by chunk: Node handlers, a custom runtime, event streams and URLs."""

import contextlib
import http.client
import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.platforms import Platform, deploy, invoke, log_lines

NODE = """
const { pipeline } = require('node:stream/promises');
const { Readable } = require('node:stream');
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

exports.handler = awslambda.streamifyResponse(async (event, response, context) => {
  if (event.requestContext) event = JSON.parse(event.body || '{}');
  if (event.fail === 'early') throw new TypeError('no answer');
  if (event.http) {
    response = awslambda.HttpResponseStream.from(response, event.http);
  } else if (event.type) {
    response.setContentType(event.type);
  }
  if (event.bytes) {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    function* chunks() { for (let left = event.bytes; left > 0; left -= chunk.length) yield chunk; }
    await pipeline(Readable.from(chunks()), response);
    return;
  }
  response.write('first ');
  await wait(event.wait || 0);
  if (event.fail === 'late') throw new RangeError('half an answer');
  if (event.exit) process.exit(7);
  response.write('second');
  response.end();
});
"""

CUSTOM = """#!/usr/bin/env python3
import http.client, json, os, time
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
while True:
    connection = http.client.HTTPConnection(host, int(port))
    connection.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = connection.getresponse()
    event = json.loads(answer.read())
    request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    out = http.client.HTTPConnection(host, int(port))
    out.putrequest("POST", f"/2018-06-01/runtime/invocation/{request_id}/response")
    if event.get("mode", "streaming"):
        out.putheader("Lambda-Runtime-Function-Response-Mode", event.get("mode", "streaming"))
    out.putheader("Transfer-Encoding", "chunked")
    out.putheader("Content-Type", "text/plain")
    out.putheader("Trailer", "Lambda-Runtime-Function-Error-Type")
    out.endheaders()
    for piece in event.get("pieces", ["a", "b", "c"]):
        out.send(b"%x\\r\\n%s\\r\\n" % (len(piece), piece.encode()))
        time.sleep(event.get("wait", 0))
    if event.get("cut"):
        out.sock.close()
        continue
    try:
        for _ in range(event.get("megabytes", 0)):
            out.send(b"100000\\r\\n" + bytes(1 << 20) + b"\\r\\n")
        out.send(b"0\\r\\n\\r\\n")
        print("answered", out.getresponse().status, flush=True)
    except OSError as error:
        print("answered", error, flush=True)
"""


@pytest.fixture(scope="session")
def streams(lambda_client: Any) -> str:
    """A Node function that streams."""
    deploy(
        lambda_client,
        "streams",
        {"index.js": NODE},
        Runtime="nodejs20.x",
        Handler="index.handler",
        Timeout=5,
    )
    return "streams"


@pytest.fixture(scope="session")
def custom(lambda_client: Any) -> str:
    """A custom runtime that streams."""
    deploy(lambda_client, "custom", {"bootstrap": CUSTOM}, Runtime="provided.al2023", Timeout=10)
    return "custom"


def stream(client: Any, name: str, event: Any, **more: Any) -> tuple[bytes, dict[str, Any], list]:
    """Invoke; returns the whole payload, how it ended and when each chunk came."""
    answer = client.invoke_with_response_stream(
        FunctionName=name, Payload=json.dumps(event).encode(), **more
    )
    payload, end, times = b"", {}, []
    for event in answer["EventStream"]:
        times.append(time.monotonic())
        if "PayloadChunk" in event:
            payload += event["PayloadChunk"]["Payload"]
        else:
            end = event["InvokeComplete"]
    return payload, end, times


def test_chunks_come_as_they_are_written(lambda_client: Any, streams: str) -> None:
    """The first arrives long before the last."""
    payload, end, times = stream(lambda_client, streams, {"wait": 500}, LogType="Tail")
    assert payload == b"first second"
    assert "ErrorCode" not in end
    assert "LogResult" in end
    assert times[1] - times[0] > 0.4


def test_a_custom_runtime_streams(lambda_client: Any, custom: str) -> None:
    """Any runtime may."""
    payload, end, times = stream(lambda_client, custom, {"wait": 0.2})
    assert (payload, end) == (b"abc", {})
    assert times[-1] - times[0] > 0.3


def test_a_caller_of_a_stream_gets_a_stream_whatever_the_runtime_says(
    lambda_client: Any, custom: str
) -> None:
    """A runtime that posts its response in chunks without a mode, like Go's client: it is streamed,
    and may be larger than a buffered one."""
    payload, end, times = stream(lambda_client, custom, {"mode": None, "wait": 0.2})
    assert (payload, end) == (b"abc", {})
    assert times[-1] - times[0] > 0.3
    payload, end, _ = stream(lambda_client, custom, {"mode": None, "megabytes": 8})
    assert (len(payload), end) == (3 + (8 << 20), {})
    answer = lambda_client.invoke(FunctionName=custom, Payload=b'{"mode": null}')
    assert answer["Payload"].read() == b"abc"


def test_buffered_callers_get_the_whole(lambda_client: Any, streams: str) -> None:
    """Invoke collects the chunks, up to its limit; a response that is not streamed is one chunk."""
    answer = lambda_client.invoke(FunctionName=streams, Payload=b"{}")
    assert answer["Payload"].read() == b"first second"
    payload, answer = invoke(lambda_client, streams, {"bytes": 7 << 20})
    assert payload["errorType"] == "Function.ResponseSizeTooLarge"
    deploy(lambda_client, "whole", {"app.py": "def handler(e, c): return 'x' * 200_000"})
    payload, end, _ = stream(lambda_client, "whole", {})
    assert (len(json.loads(payload)), end) == (200_000, {})


def test_errors_before_and_after_the_first_chunk(lambda_client: Any, streams: str) -> None:
    """An early one is a function error; a late one comes after the chunks."""
    payload, end, _ = stream(lambda_client, streams, {"fail": "early"})
    assert (payload, end["ErrorCode"]) == (b"", "Unhandled")
    assert json.loads(end["ErrorDetails"])["errorType"] == "TypeError"
    payload, end, _ = stream(lambda_client, streams, {"fail": "late"})
    assert payload == b"first "
    assert end["ErrorCode"] == "RangeError"
    assert json.loads(end["ErrorDetails"])["errorMessage"] == "half an answer"
    payload, answer = invoke(lambda_client, streams, {"fail": "late"})
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "RangeError"
    assert stream(lambda_client, streams, {})[0] == b"first second"


def test_ends_in_the_middle(lambda_client: Any, streams: str, custom: str) -> None:
    """Timeout, exit and a cut connection are reported after the last chunk."""
    payload, end, _ = stream(lambda_client, streams, {"wait": 20_000})
    assert (payload, end["ErrorCode"]) == (b"first ", "Sandbox.Timedout")
    assert "Task timed out after 5.00 seconds" in end["ErrorDetails"]
    payload, end, _ = stream(lambda_client, streams, {"exit": True, "wait": 200})
    assert payload == b"first "
    assert end["ErrorCode"] in ("Runtime.ExitError", "Runtime.TruncatedResponse")
    payload, end, _ = stream(lambda_client, custom, {"cut": True})
    assert (payload, end["ErrorCode"]) == (b"abc", "Runtime.TruncatedResponse")
    assert stream(lambda_client, custom, {})[0] == b"abc"


def test_limits_and_back_pressure(platform: Platform, lambda_client: Any, custom: str) -> None:
    """Twenty megabytes pass, more than two hundred do not; a slow reader holds the function back
    and not the platform's memory."""
    payload, end, _ = stream(lambda_client, custom, {"megabytes": 20})
    assert (len(payload), end) == (3 + (20 << 20), {})
    with open_raw(platform, custom, {"megabytes": 201}) as answer:
        assert b"Function.ResponseSizeTooLarge" in answer.read()[-300:]
    before = resident_mb(platform)
    with open_raw(platform, custom, {"megabytes": 150}) as answer:
        assert answer.read(1000)
        time.sleep(1)  # noqa: TID251 - the function would have written everything by now
        assert resident_mb(platform) - before < 50


def open_raw(platform: Platform, name: str, event: Any) -> http.client.HTTPResponse:
    """The raw event stream: the SDK is slow with large ones."""
    path = f"/2021-11-15/functions/{name}/response-streaming-invocations"
    answer = urllib.request.urlopen(platform.endpoint + path, json.dumps(event).encode())
    assert isinstance(answer, http.client.HTTPResponse)
    return answer


def resident_mb(platform: Platform) -> int:
    with open(f"/proc/{platform.process.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) // 1024


def url_of(client: Any, name: str) -> str:
    """A URL that streams, by path."""
    url = client.create_function_url_config(
        FunctionName=name, AuthType="NONE", InvokeMode="RESPONSE_STREAM"
    )["FunctionUrl"]
    return str(url).split("//")[1].split(".")[0]


def test_urls_stream(platform: Platform, lambda_client: Any) -> None:
    """Status, headers and cookies first, then chunks as they arrive; failures are 502 or a cut
    connection."""
    deploy(
        lambda_client,
        "url-streams",
        {"index.js": NODE},
        Runtime="nodejs20.x",
        Handler="index.handler",
        Timeout=5,
    )
    base = f"{platform.endpoint}/_lambent/url/{url_of(lambda_client, 'url-streams')}/"

    def get(event: Any, method: str = "POST") -> Any:
        data = json.dumps(event).encode()
        headers = {"Content-Type": "application/json"}
        return urllib.request.urlopen(urllib.request.Request(base, data, headers, method=method))

    prelude = {"statusCode": 201, "headers": {"X-Own": "yes"}, "cookies": ["a=b", "c=d"]}
    with get({"http": prelude, "wait": 500}) as answer:
        began = time.monotonic()
        assert (answer.status, answer.headers["X-Own"]) == (201, "yes")
        assert answer.headers.get_all("Set-Cookie") == ["a=b", "c=d"]
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert answer.read(6) == b"first "
        assert answer.read() == b"second"
        assert time.monotonic() - began > 0.3
    with get({}) as answer:
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.read() == b"first second"
    with get({"type": "text/html"}) as answer:
        assert answer.headers["Content-Type"] == "text/html"
        assert answer.read() == b"first second"
    with get({"http": {"statusCode": 204}}) as answer:
        assert (answer.status, answer.read()) == (204, b"")
    for event in ({"fail": "early"}, {"http": {"statusCode": 7}}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(event)
        with refused.value:
            assert refused.value.code == 502
    with (
        contextlib.closing(get({"fail": "late"})) as answer,
        pytest.raises(http.client.IncompleteRead),
    ):
        answer.read()


def test_rest_apis_stream(platform: Platform, lambda_client: Any, streams: str) -> None:
    """With `responseTransferMode` STREAM: metadata first, then chunks as they arrive, without the
    limit of other responses."""
    arn = lambda_client.get_function(FunctionName=streams)["Configuration"]["FunctionArn"]
    apis = platform.client("apigateway")
    id = apis.create_rest_api(name="streams", endpointConfiguration={"types": ["REGIONAL"]})["id"]
    (root,) = apis.get_resources(restApiId=id)["items"]
    method = {"restApiId": id, "resourceId": root["id"], "httpMethod": "POST"}
    apis.put_method(**method, authorizationType="NONE")
    made = apis.put_integration(
        **method,
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri="arn:aws:apigateway:us-east-1:lambda:path/2021-11-15/functions/"
        f"{arn}/response-streaming-invocations",
        responseTransferMode="STREAM",
        timeoutInMillis=60_000,
    )
    assert (made["responseTransferMode"], made["timeoutInMillis"]) == ("STREAM", 60_000)
    apis.create_deployment(restApiId=id, stageName="live")
    address = f"{platform.endpoint}/_lambent/api/{id}/live"

    def post(event: Any) -> Any:
        return urllib.request.urlopen(address, json.dumps(event).encode())

    metadata = {"statusCode": 201, "headers": {"X-Own": "yes"}, "cookies": ["a=b", "c=d"]}
    with post({"http": metadata, "wait": 500}) as answer:
        began = time.monotonic()
        assert (answer.status, answer.headers["X-Own"]) == (201, "yes")
        assert answer.headers.get_all("Set-Cookie") == ["a=b", "c=d"]
        assert answer.read(6) == b"first "
        assert answer.read() == b"second"
        assert time.monotonic() - began > 0.3
    large = 12 * 1024 * 1024
    with post({"http": {}, "bytes": large}) as answer:
        assert len(answer.read()) == large
    for event in ({"fail": "early"}, {}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            post(event)
        with refused.value:
            assert refused.value.code == 502
    with (
        contextlib.closing(post({"http": {}, "fail": "late"})) as answer,
        pytest.raises(http.client.IncompleteRead),
    ):
        answer.read()
    apis.delete_rest_api(restApiId=id)


def test_who_goes_away_does_not_hurt(platform: Platform, lambda_client: Any, streams: str) -> None:
    """A caller that leaves in the middle: the function runs to its end and serves the next."""
    with open_raw(platform, streams, {"wait": 300}) as answer:
        assert answer.read(10)
    assert stream(lambda_client, streams, {})[0] == b"first second"
    assert not any("Status: error" in line for line in log_lines(platform, streams)[-3:])
