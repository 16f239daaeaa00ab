"""`lambent invoke --debug`: a breakpoint is hit, variables are read, and the response arrives."""

import itertools
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.packages import INSTALLED
from tests.scenario.conftest import PYTHON, Platform, deploy, wait_for, zip_of

APP_PY = """import os
LOADED = "at init"

def handler(event, context):
    secret = event["number"] * 2
    left_s = context.get_remaining_time_in_millis() / 1000
    return {"secret": secret, "left_s": left_s, "pid": os.getpid()}
"""
APP_JS = """exports.handler = async (event) => {
  const secret = event.number * 2;
  return { secret };
};
"""


@pytest.fixture(scope="module")
def functions(platform: Platform) -> None:
    """A function of each kind, and the layer that pip makes otherwise."""
    client = platform.client("lambda")
    deploy(client, "debug-python", {"app.py": APP_PY}, Timeout=2, MemorySize=128)
    deploy(client, "debug-node", {"app.js": APP_JS}, Runtime="nodejs20.x", Timeout=2)
    files = {
        f"python/{path.relative_to(INSTALLED / 'debugger')}": path.read_bytes()
        for path in (INSTALLED / "debugger").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    client.publish_layer_version(
        LayerName=f"lambent-debugpy-{PYTHON.replace('.', '-')}",
        Content={"ZipFile": zip_of(files)},
        CompatibleRuntimes=[PYTHON],
    )


@pytest.fixture
def port() -> int:
    """A free port of the loopback."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        found: int = bound.getsockname()[1]
        return found


class Invoking:
    """A `lambent invoke --debug` that runs beside the test."""

    def __init__(self, platform: Platform, name: str, port: int) -> None:
        command = [sys.executable, "-m", "lambent", "invoke", name, "-d", '{"number": 21}']
        self.process = subprocess.Popen(
            [*command, "--debug", "--debug-port", str(port)],
            env={"PATH": os.environ["PATH"], "LAMBENT_ENDPOINT": platform.endpoint},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert f"waiting for a debugger at 127.0.0.1:{port}" in line

    def __enter__(self) -> "Invoking":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def response(self) -> Any:
        """What the function has returned."""
        printed, errors = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, errors
        return json.loads(printed)


def reach(port: int) -> socket.socket:
    """A connection to the port, as soon as it listens."""

    def attempt() -> socket.socket | None:
        try:
            return socket.create_connection(("127.0.0.1", port), 60)
        except ConnectionRefusedError:
            return None

    found = wait_for(attempt, "the port of the debugger")
    assert found is not None
    return found


class Dap:
    """A small client of the Debug Adapter Protocol."""

    def __init__(self, port: int) -> None:
        self._socket = reach(port)
        self._stream = self._socket.makefile("rwb")
        self._numbers = itertools.count(1)
        self._seen: list[dict[str, Any]] = []

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def send(self, command: str, **arguments: Any) -> int:
        """Send a request; returns its number."""
        number = next(self._numbers)
        message = {"seq": number, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(message).encode()
        self._stream.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._stream.flush()
        return number

    def ask(self, command: str, **arguments: Any) -> Any:
        """Send a request; returns the body of its response."""
        number = self.send(command, **arguments)
        response = self._until(lambda message: message.get("request_seq") == number)
        assert response["success"], response
        return response.get("body")

    def wait(self, event: str) -> Any:
        """The body of the next event of this name."""
        return self._until(lambda message: message.get("event") == event).get("body")

    def _until(self, is_wanted: Any) -> dict[str, Any]:
        for message in self._seen:
            if is_wanted(message):
                self._seen.remove(message)
                return message
        while True:
            length = 0
            while line := self._stream.readline().strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert length, "the debugger has disconnected"
            message: dict[str, Any] = json.loads(self._stream.read(length))
            if is_wanted(message):
                return message
            self._seen.append(message)


@pytest.fixture
def dap(functions: None, platform: Platform, port: int) -> Iterator[tuple[Invoking, Dap]]:
    """A call of the Python function with a debugger."""
    with Invoking(platform, "debug-python", port) as invoking:
        client = Dap(port)
        yield invoking, client
        client.close()


def test_python(dap: tuple[Invoking, Dap], platform: Platform, port: int) -> None:
    """With debugpy. The timeout of two seconds does not count while the function is stopped."""
    invoking, client = dap
    client.ask("initialize", adapterID="test", pathFormat="path")
    attached = client.send("attach", justMyCode=False)
    client.wait("initialized")
    source = {"path": "/var/task/app.py"}
    found = client.ask("setBreakpoints", source=source, breakpoints=[{"line": 2}, {"line": 6}])
    assert all(each["verified"] for each in found["breakpoints"])
    client.ask("configurationDone")
    client._until(lambda message: message.get("request_seq") == attached)
    thread = client.wait("stopped")["threadId"]  # The module is loaded under the debugger, too.
    frame = client.ask("stackTrace", threadId=thread)["stackFrames"][0]
    assert (frame["line"], frame["source"]["path"]) == (2, "/var/task/app.py")
    client.ask("continue", threadId=thread)
    thread = client.wait("stopped")["threadId"]
    frame = client.ask("stackTrace", threadId=thread)["stackFrames"][0]
    assert (frame["name"], frame["line"]) == ("handler", 6)
    value = client.ask("evaluate", expression="secret", frameId=frame["id"], context="watch")
    assert value["result"] == "42"
    time.sleep(2.5)  # noqa: TID251 - longer than the function's timeout, on the wall clock
    client.send("continue", threadId=thread)  # The call may end before the response.
    answer = invoking.response()
    assert answer["secret"] == 42
    assert answer["left_s"] > 600
    # The environment is gone with its call, and so is the port.
    wait_for(lambda: is_closed(port), "the end of the port")
    client = platform.client("lambda")
    other = json.loads(
        client.invoke(FunctionName="debug-python", Payload=b'{"number": 1}')["Payload"].read()
    )
    assert other["left_s"] <= 2


def is_closed(port: int) -> bool:
    """Whether nothing listens."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_node(functions: None, platform: Platform, port: int) -> None:
    """With the inspector of Node.js, found as Chrome and Visual Studio Code find it."""
    with Invoking(platform, "debug-node", port) as invoking:
        reach(port).close()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=60) as answer:
            (target,) = json.loads(answer.read())
        assert f"127.0.0.1:{port}" in target["webSocketDebuggerUrl"]
        with connect(target["webSocketDebuggerUrl"], proxy=None) as inspector:
            numbers = itertools.count(1)

            def until(is_wanted: Any) -> Any:
                while True:
                    message = json.loads(inspector.recv(timeout=60))
                    if is_wanted(message):
                        return message

            def ask(method: str, **params: Any) -> Any:
                number = next(numbers)
                inspector.send(json.dumps({"id": number, "method": method, "params": params}))
                return until(lambda message: message.get("id") == number)["result"]

            def paused() -> Any:
                found = until(lambda message: message.get("method") == "Debugger.paused")
                return found["params"]["callFrames"][0]

            ask("Runtime.enable")
            ask("Debugger.enable")
            ask(
                "Debugger.setBreakpointByUrl",
                lineNumber=2,
                url="file:///var/task/app.js",
            )
            ask("Runtime.runIfWaitingForDebugger")
            frame = paused()
            assert frame["location"]["lineNumber"] == 2
            value = ask(
                "Debugger.evaluateOnCallFrame",
                callFrameId=frame["callFrameId"],
                expression="secret",
            )
            assert value["result"]["value"] == 42
            inspector.send(json.dumps({"id": 0, "method": "Debugger.resume"}))
            assert invoking.response() == {"secret": 42}


def test_ctrl_c_ends_the_call(functions: None, platform: Platform, port: int) -> None:
    """Also while no debugger has attached: the environment ends, and the port is free again."""
    with Invoking(platform, "debug-node", port) as invoking:
        reach(port).close()
        invoking.process.kill()
        invoking.process.wait()
        wait_for(lambda: is_closed(port), "the end of the port")


def request(platform: Platform, path: str, body: bytes = b"{}") -> tuple[int, Any]:
    """A request to the page, as the root of a relaxed platform."""
    asked = urllib.request.Request(f"{platform.endpoint}/_lambent/debug/{path}", data=body)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("debug-node?port=80", b"{}", 400, "from 1024 to 65535"),
        ("debug-node?port=99999", b"{}", 400, "from 1024 to 65535"),
        ("debug-node?port=999999999999", b"{}", 400, "a port of the host"),
        ("debug-node", b"{}", 400, "a port of the host"),
        ("debug-node?port=-1", b"{}", 400, "a port of the host"),
        ("debug-node?port=5000&host=0.0.0.0", b"{}", 400, "Unknown parameters: host"),
        ("debug-node?port=5000", b"no json", 400, "not JSON"),
        ("debug-node?port=5000&layer=x", b"{}", 400, "ayer"),
        ("missing?port=5000", b"{}", 404, "missing"),
        ("..%2F..%2Fetc?port=5000", b"{}", 400, "functionName"),
        (
            "debug-node?port=5000&layer=arn:aws:lambda:us-east-1:111111111111:layer:x:1",
            b"{}",
            400,
            "of your account",
        ),
    ],
)
def test_hostile_requests(
    functions: None, platform: Platform, path: str, body: bytes, status: int, words: str
) -> None:
    """Are refused, and nothing listens."""
    found, document = request(platform, path, body)
    assert found == status, document
    assert words in document["message"]


def test_a_port_in_use(functions: None, platform: Platform, port: int) -> None:
    """Of another program, or of another call."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", port))
        bound.listen()
        found, document = request(platform, f"debug-node?port={port}")
    assert (found, document["code"]) == (409, "ResourceConflictException")
    assert str(port) in document["message"]


def test_boxes_do_not_reach_it(functions: None, platform: Platform, port: int) -> None:
    """Another function finds nothing at the port, neither at its own loopback nor at the host's
    addresses."""
    code = """
import socket
def handler(event, context):
    found = []
    for address in event["addresses"]:
        try:
            connection = socket.create_connection((address, event["port"]), 5)
            connection.sendall(b"GET /json/list HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n")
            if connection.recv(100):
                found.append(address)
        except OSError:
            pass
    return found
"""
    client = platform.client("lambda")
    deploy(client, "debug-outsider", {"app.py": code})
    host = socket.gethostbyname(socket.gethostname())
    with Invoking(platform, "debug-node", port):
        reach(port).close()
        event = {"addresses": ["127.0.0.1", host, "::1"], "port": port}
        answer = client.invoke(FunctionName="debug-outsider", Payload=json.dumps(event))
        assert json.loads(answer["Payload"].read()) == []
        # Only the loopback of the host listens.
        with pytest.raises(OSError, match=r"refused|unreachable"):
            socket.create_connection(("127.0.0.2", port), 5)


def test_functions_do_not_open_ports(functions: None, platform: Platform, port: int) -> None:
    """A function that asks for a debugged call through the API in its box is refused, although a
    relaxed platform accepts any key."""
    code = """
import urllib.error, urllib.request
def handler(event, context):
    request = urllib.request.Request(event["url"], data=b"{}")
    try:
        return urllib.request.urlopen(request, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code
"""
    client = platform.client("lambda")
    deploy(client, "debug-opener", {"app.py": code})
    event = {"url": f"http://127.0.0.1:9002/_lambent/debug/debug-node?port={port}"}
    answer = client.invoke(FunctionName="debug-opener", Payload=json.dumps(event))
    assert json.loads(answer["Payload"].read()) == 403
    assert is_closed(port)
