"""Runtime clients against a scripted Runtime API, without any sandbox.

Every Python and Node of this host runs small functions; the script plays the platform: it delivers
events and records the runtime's responses, logs and output.
"""

import dataclasses
import json
import os
import queue
import select
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lambent.node.languages.language import PreparedRuntime
from lambent.node.languages.preparing import default_cache, prepare_runtimes
from tests.interpreters import installed

RUNTIMES = {f"{interpreter.kind}{interpreter.line}": interpreter for interpreter in installed()}
PYTHONS = [name for name in RUNTIMES if name.startswith("python")]
NODES = [name for name in RUNTIMES if name.startswith("node")]
ARN = "arn:aws:lambda:us-east-1:000000000000:function:scripted"
DEADLINE_S = 20.0
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def prepared_runtimes() -> dict[str, PreparedRuntime]:
    """What `lambent up` would prepare, in the operator's own cache."""
    prepared = prepare_runtimes(list(RUNTIMES.values()), default_cache())
    return dict(zip(RUNTIMES, prepared, strict=True))


@dataclasses.dataclass
class Answer:
    """One POST of the runtime."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        """`response`, `error` or `init/error`."""
        return "init/error" if "/init/" in self.path else self.path.rpartition("/")[2]

    @property
    def document(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


@dataclasses.dataclass
class Run:
    """All output of one runtime process."""

    answers: list[Answer]
    frames: list[tuple[int, str]]
    """Type and text of each framed log event."""
    output: str
    exit_code: int | None
    """None if it was still waiting for work when the script was over."""


class Script:
    """A Runtime API that delivers `events` and then keeps the runtime waiting."""

    def __init__(self, events: Sequence[bytes], headers: Mapping[str, str]) -> None:
        self.answers: list[Answer] = []
        self.first_next = threading.Event()
        self.changed = threading.Event()
        self._events: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        for numbered in enumerate(events, 1):
            self._events.put(numbered)
        self._over = threading.Event()
        self._headers = headers
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                script._on_get(self)

            def do_POST(self) -> None:
                script._on_post(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def _on_get(self, request: BaseHTTPRequestHandler) -> None:
        assert request.path == "/2018-06-01/runtime/invocation/next"
        self.first_next.set()
        try:
            number, event = self._events.get_nowait()
        except queue.Empty:
            self.changed.set()
            self._over.wait(DEADLINE_S)
            return
        request.send_response(200)
        sent = {
            "Content-Type": "application/json",
            "Content-Length": str(len(event)),
            "Lambda-Runtime-Aws-Request-Id": f"request-{number}",
            "Lambda-Runtime-Invocation-Id": f"attempt-{number}",
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 3000),
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
            **self._headers,
        }
        for name, value in sent.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(event)

    def _on_post(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        self.answers.append(Answer(request.path, request.headers, body))
        request.send_response(202)
        request.send_header("Content-Length", "15")
        request.end_headers()
        request.wfile.write(b'{"status":"OK"}')

    def wait_idle(self, process: "subprocess.Popen[bytes]") -> None:
        """Until the runtime asks for more than there is, or has ended."""
        deadline = time.monotonic() + DEADLINE_S
        while not self.changed.wait(0.005) and process.poll() is None:
            assert time.monotonic() < deadline, f"nothing happens; so far: {self.answers}"

    def close(self) -> None:
        """Release the runtime and stop serving."""
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Bench:
    """Runs functions of one runtime in a separate directory."""

    def __init__(self, name: str, prepared: PreparedRuntime, root: Path) -> None:
        assert prepared.directory is not None, prepared.failure
        self.name = name
        self.prepared = prepared
        self.runtime_dir = prepared.directory
        self.root = root

    def __call__(
        self,
        files: Mapping[str, str],
        *events: Any,
        handler: str = "app.handler",
        environment: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        framed: bool = True,
        command: Sequence[str] | None = None,
    ) -> Run:
        """Run the function in `files`, or another command, over the events."""
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text)
        script = Script([json.dumps(event).encode() for event in events], headers or {})
        log_read, log_write = os.pipe()
        output_read, output_write = os.pipe()
        variables = self._variables(handler, script.address) | dict(environment or {})
        if framed:
            variables["_LAMBDA_TELEMETRY_LOG_FD"] = str(log_write)
        process = subprocess.Popen(
            command or self._command(),
            env=variables,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=output_write,
            stderr=output_write,
            pass_fds=(log_write,),
        )
        os.close(log_write)
        os.close(output_write)
        collected: dict[int, bytearray] = {log_read: bytearray(), output_read: bytearray()}
        reader = threading.Thread(target=_collect, args=(collected,))
        reader.start()
        try:
            script.wait_idle(process)
            exit_code = process.poll()
        finally:
            process.kill()
            process.wait()
            script.close()
            reader.join()
        return Run(
            script.answers,
            list(_frames(bytes(collected[log_read]))),
            collected[output_read].decode(),
            exit_code,
        )

    def _command(self) -> list[str]:
        executable = str(self.prepared.interpreter.executable)
        if self.prepared.interpreter.kind == "python":
            return [executable, "-S", str(self.runtime_dir / "bootstrap.py")]
        return [executable, str(self.runtime_dir / "bootstrap.cjs")]

    def _variables(self, handler: str, address: str) -> dict[str, str]:
        line = self.prepared.interpreter.line
        is_python = self.prepared.interpreter.kind == "python"
        execution = f"python{line}" if is_python else "nodejs20.x"
        return {
            "AWS_LAMBDA_RUNTIME_API": address,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{execution}",
            "AWS_LAMBDA_FUNCTION_NAME": "scripted",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/scripted",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0",
            "LAMBDA_TASK_ROOT": str(self.root),
            "LAMBDA_RUNTIME_DIR": str(self.runtime_dir),
            "PYTHONPATH": str(self.runtime_dir),
            "NODE_PATH": f"{self.root}/layer/node_modules:{self.runtime_dir}/node_modules",
            "PATH": os.defpath,
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "_HANDLER": handler,
        }


def _collect(pipes: dict[int, bytearray]) -> None:
    """Read all pipes to their ends."""
    open_pipes = set(pipes)
    while open_pipes:
        for pipe in select.select(list(open_pipes), [], [])[0]:
            data = os.read(pipe, 65536)
            pipes[pipe] += data
            if not data:
                os.close(pipe)
                open_pipes.discard(pipe)


def _frames(data: bytes) -> Iterator[tuple[int, str]]:
    while data:
        kind, length = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
        microseconds = int.from_bytes(data[8:16], "big")
        assert abs(microseconds / 1e6 - time.time()) < 120
        yield kind, data[16 : 16 + length].decode()
        data = data[16 + length :]


@pytest.fixture(params=PYTHONS)
def python(
    request: pytest.FixtureRequest, prepared_runtimes: dict[str, PreparedRuntime], tmp_path: Path
) -> Bench:
    """Each Python in turn."""
    return Bench(request.param, prepared_runtimes[request.param], tmp_path)


@pytest.fixture
def one_python(prepared_runtimes: dict[str, PreparedRuntime], tmp_path: Path) -> Bench:
    """The newest Python, for what does not depend on the version."""
    return Bench(PYTHONS[-1], prepared_runtimes[PYTHONS[-1]], tmp_path)


@pytest.fixture(params=NODES)
def node(
    request: pytest.FixtureRequest, prepared_runtimes: dict[str, PreparedRuntime], tmp_path: Path
) -> Bench:
    """Each Node in turn."""
    return Bench(request.param, prepared_runtimes[request.param], tmp_path)


# -- Python ----------------------------------------------------------------------------------


def test_python_runs_a_handler(python: Bench) -> None:
    """The version is the one named, boto3 imports, AWS's search order holds, context is
    complete."""
    code = """
import sys, boto3, awslambdaric
def handler(event, context):
    return {"event": event, "id": context.aws_request_id, "arn": context.invoked_function_arn,
            "version": "%d.%d" % sys.version_info[:2], "path": sys.path,
            "memory": context.memory_limit_in_mb,
            "remaining": context.get_remaining_time_in_millis(),
            "boto3": boto3.__file__, "exit": exit.__class__.__name__}
"""
    run = python({"app.py": code}, {"ü": 1}, "second")
    assert [answer.kind for answer in run.answers] == ["response", "response"], run
    first, second = (answer.document for answer in run.answers)
    assert first["event"] == {"ü": 1}
    assert second["event"] == "second"
    assert (first["id"], first["arn"], first["memory"]) == ("request-1", ARN, "512")
    assert 0 < first["remaining"] <= 3000
    line = python.prepared.interpreter.line
    assert first["version"] == line
    layer = f"/opt/python/lib/python{line}/site-packages"
    runtime = str(python.runtime_dir)
    assert first["path"][:4] == [str(python.root), layer, "/opt/python", runtime]
    assert not [entry for entry in first["path"] if entry.endswith("dist-packages")]
    assert [entry for entry in first["path"] if entry.endswith("site-packages")] == [layer]
    assert first["boto3"].startswith(runtime)
    assert first["exit"] == "Quitter"


def test_python_starts_fast(one_python: Bench) -> None:
    """From exec to the first GET in a few tens of milliseconds: nothing heavy crept in."""
    code = "import sys\ndef handler(e, c): return sorted(sys.modules)"
    run = one_python({"app.py": code}, {})
    heavy = {"site", "boto3", "botocore", "http.client", "ssl", "asyncio", "inspect"}
    assert not heavy & set(run.answers[0].document)


@pytest.mark.parametrize(
    ("code", "handler", "error_type", "message"),
    [
        ("", "nothing.handler", "Runtime.ImportModuleError", "Unable to import module 'nothing'"),
        ("", "app.gone", "Runtime.HandlerNotFound", "Handler 'gone' missing on module 'app'"),
        ("", "nodot", "Runtime.MalformedHandlerName", "Bad handler 'nodot'"),
        ("def (", "app.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("1/0", "app.handler", "ZeroDivisionError", "division by zero"),
        ("", "sys.exit", "Runtime.BuiltInModuleConflict", "Cannot use built-in module sys"),
    ],
)
def test_python_that_cannot_be_loaded(
    one_python: Bench, code: str, handler: str, error_type: str, message: str
) -> None:
    """One init error with AWS's message, then exit 1."""
    run = one_python({"app.py": code}, {}, handler=handler)
    assert [answer.kind for answer in run.answers] == ["init/error"], run
    document = run.answers[0].document
    assert document["errorType"] == error_type
    assert message in document["errorMessage"]
    assert run.exit_code == 1
    assert any("[ERROR]" in text for _, text in run.frames)


def test_python_errors_name_only_the_users_code(python: Bench) -> None:
    """Key order and stack trace are AWS's; the process continues."""
    code = """
def handler(event, context):
    if event == "fail":
        raise ValueError("on purpose")
    if event == "set":
        return {1}
    return "fine"
"""
    run = python({"app.py": code}, "fail", "set", "ok")
    failed, unserializable, fine = run.answers
    assert failed.kind == "error"
    document = failed.document
    assert list(document) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert (document["errorType"], document["errorMessage"]) == ("ValueError", "on purpose")
    assert document["requestId"] == "request-1"
    where = f'  File "{python.root}/app.py", line 4, in handler\n'
    assert document["stackTrace"][0].startswith(where)
    assert len(document["stackTrace"]) == 1
    assert unserializable.document["errorType"] == "Runtime.MarshalError"
    assert (fine.kind, fine.document) == ("response", "fine")
    assert run.exit_code is None


def test_python_logs_through_the_framed_pipe(python: Bench) -> None:
    """A log record of two lines is one frame; prints go to stdout."""
    code = """
import logging
logging.getLogger().setLevel("INFO")
def handler(event, context):
    logging.info("ünï\\ncode")
    print("printed")
"""
    run = python({"app.py": code}, {})
    assert run.answers[0].body == b"null"
    kind, text = run.frames[0]
    assert kind >> 16 == 0xA55A
    assert text.startswith("[INFO]\t")
    assert text.endswith("\trequest-1\tünï\ncode\n")
    assert "printed\n" in run.output


def test_python_carries_big_payloads(one_python: Bench) -> None:
    """Six megabytes in and out."""
    code = "def handler(event, context): return event"
    event = "x" * (6 * 1024 * 1024 - 2)
    run = one_python({"app.py": code}, event)
    assert run.answers[0].document == event


def test_python_exits_as_its_code_says(one_python: Bench) -> None:
    """sys.exit in a handler ends the process with that status and no answer."""
    run = one_python({"app.py": "import sys\ndef handler(e, c): sys.exit(7)"}, {})
    assert (run.answers, run.exit_code) == ([], 7)


# -- Node ------------------------------------------------------------------------------------

TELL = """
export const handler = async (event, context) => ({
  event, ...context, remaining: context.getRemainingTimeInMillis(),
  trace: process.env._X_AMZN_TRACE_ID,
});
"""


def test_node_runs_an_async_es_module(node: Bench) -> None:
    """Event, every member of the context, the trace id, the attempt's id sent back."""
    headers = {
        "Lambda-Runtime-Trace-Id": "Root=1-2-3",
        "Lambda-Runtime-Client-Context": '{"custom":{"a":"b"}}',
        "Lambda-Runtime-Cognito-Identity": '{"cognitoIdentityId":"i"}',
    }
    run = node({"app.mjs": TELL}, {"ü": [1, None]}, 2, headers=headers)
    assert [answer.kind for answer in run.answers] == ["response", "response"], run
    first = run.answers[0].document
    assert 0 < first.pop("remaining") <= 3000
    assert first == {
        "event": {"ü": [1, None]},
        "callbackWaitsForEmptyEventLoop": True,
        "functionVersion": "$LATEST",
        "functionName": "scripted",
        "memoryLimitInMB": "512",
        "logGroupName": "/aws/lambda/scripted",
        "logStreamName": "2026/01/01/[$LATEST]0",
        "clientContext": {"custom": {"a": "b"}},
        "identity": {"cognitoIdentityId": "i"},
        "invokedFunctionArn": ARN,
        "awsRequestId": "request-1",
        "trace": "Root=1-2-3",
    }
    assert run.answers[1].headers["Lambda-Runtime-Invocation-Id"] == "attempt-2"
    assert run.exit_code is None


@pytest.mark.parametrize(
    ("files", "handler"),
    [
        ({"app.mjs": "export const handler = async () => 1"}, "app.handler"),
        ({"app.cjs": "exports.handler = async () => 1"}, "app.handler"),
        ({"app.js": "exports.handler = async () => 1"}, "app.handler"),
        (
            {"app.js": "export const handler = async () => 1", "package.json": '{"type":"module"}'},
            "app.handler",
        ),
        ({"src/deep/app.js": "exports.handler = async () => 1"}, "src/deep/app.handler"),
        (
            {
                "package.json": '{"type":"module"}',
                "dist/app.js": "export const handler = async () => 1",
            },
            "dist/app.handler",
        ),
        ({"app.js": "exports.a = {b: {handler: async () => 1}}"}, "app.a.b.handler"),
        ({"app.mjs": "export default async () => 1"}, "app.default"),
        ({"app.mjs": "export const handler = await (async () => () => Promise.resolve(1))()"}, ""),
        ({"node_modules/app/index.js": "exports.handler = async () => 1"}, "app.handler"),
        ({"app/index.js": "exports.handler = async () => 1"}, "app.handler"),
        ({"src/app/index.js": "exports.n = {handler: async () => 1}"}, "src/app.n.handler"),
        (
            {
                "app/lib/main.js": "exports.handler = async () => 1",
                "app/package.json": '{"main": "lib/main.js"}',
            },
            "app.handler",
        ),
        ({"app.js": "exports.handler = (e, c, done) => done(null, 1)"}, "app.handler"),
        ({"app.js": "exports.handler = (e, c, done) => setTimeout(done, 5, null, 1)"}, ""),
        ({"app.js": "exports.handler = (e, c) => { c.succeed(1) }"}, "app.handler"),
        ({"app.js": "exports.handler = (e, c) => { c.done(null, 1) }"}, "app.handler"),
        ({"app.js": "exports.handler = () => ({then: (ok) => ok(1)})"}, "app.handler"),
    ],
)
def test_node_handlers_of_every_shape(node: Bench, files: dict[str, str], handler: str) -> None:
    """Module kinds, folders, nested exports, promises, callbacks, context methods."""
    run = node(files, {}, {}, handler=handler or "app.handler")
    assert [answer.kind for answer in run.answers] == ["response", "response"], run
    assert [answer.document for answer in run.answers] == [1, 1]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("async () => undefined", "null"),
        ("async () => null", "null"),
        ("() => 5", "null"),
        ("async () => () => 1", "null"),
        ("async () => ({a: undefined, d: new Date(0), n: NaN})", None),
        ("async () => 'ünï \\ud83d\\ude00'", '"ünï 😀"'),
    ],
)
def test_node_results_are_json(node: Bench, code: str, expected: str | None) -> None:
    """As with JSON.stringify; undefined is null; a promise that is not awaited is not a result."""
    run = node({"app.js": f"exports.handler = {code}"}, {})
    assert run.answers[0].kind == "response", run
    text = run.answers[0].body.decode()
    assert text == (expected or '{"d":"1970-01-01T00:00:00.000Z","n":null}')


@pytest.mark.parametrize(
    ("code", "error_type", "message"),
    [
        ("async () => { throw new TypeError('no') }", "TypeError", "no"),
        ("() => { throw new RangeError('no') }", "RangeError", "no"),
        ("(e, c, done) => done(new Error('no'))", "Error", "no"),
        ("(e, c, done) => done('text')", "string", "text"),
        ("(e, c) => c.fail()", "string", "handled"),
        ("async () => { throw {a: 1} }", "object", "[object Object]"),
        ("async () => { throw null }", "string", "handled"),
        ("async () => 10n", "Error", "Unable to stringify response body"),
        ("async () => { const a = {}; a.a = a; return a }", "Error", "Unable to stringify"),
        ("async () => new Promise(() => {})", "Runtime.NodeJsExit", "was never settled"),
    ],
)
def test_node_failures(node: Bench, code: str, error_type: str, message: str) -> None:
    """The error's own name, message and trace; the process continues."""
    run = node({"app.js": f"exports.handler = {code}"}, {}, {})
    assert [answer.kind for answer in run.answers] == ["error", "error"], run
    document = run.answers[0].document
    assert list(document) == ["errorType", "errorMessage", "trace"]
    assert document["errorType"] == error_type
    assert message in document["errorMessage"]
    if error_type not in ("string", "object"):
        assert document["trace"][0] == f"{error_type}: {document['errorMessage']}"
    assert run.answers[0].headers["Lambda-Runtime-Function-Error-Type"] == error_type
    kind, text = run.frames[0]
    assert kind == 0xA55A0017
    assert "\trequest-1\tERROR\tInvoke Error \t{" in text


@pytest.mark.parametrize(
    ("files", "handler", "error_type", "message"),
    [
        ({}, "app.handler", "Runtime.ImportModuleError", "Error: Cannot find module 'app'"),
        ({"app.js": "require('x-y')"}, "", "Runtime.ImportModuleError", "find module 'x-y'"),
        ({"app.mjs": "import 'x-y'"}, "", "Error", "Cannot find package 'x-y'"),
        ({"app.js": "function {"}, "", "Runtime.UserCodeSyntaxError", "SyntaxError: "),
        ({"app.mjs": "export const ="}, "", "Runtime.UserCodeSyntaxError", "SyntaxError: "),
        ({"app.js": ""}, "", "Runtime.HandlerNotFound", "app.handler is undefined or not exported"),
        ({"app.js": "exports.handler = 1"}, "", "Runtime.HandlerNotFound", "is not a function"),
        ({}, "nodot", "Runtime.MalformedHandlerName", "Bad handler"),
        ({}, "../app.handler", "Runtime.MalformedHandlerName", "is not a valid handler name"),
        ({"app.js": "throw new RangeError('early')"}, "", "RangeError", "early"),
        ({"app.mjs": "await Promise.reject(new Error('early'))"}, "", "Error", "early"),
    ],
)
def test_node_that_cannot_be_loaded(
    node: Bench, files: dict[str, str], handler: str, error_type: str, message: str
) -> None:
    """One init error with AWS's message, then exit 129."""
    run = node(files, {}, handler=handler or "app.handler")
    assert [answer.kind for answer in run.answers] == ["init/error"], run
    document = run.answers[0].document
    assert document["errorType"] == error_type
    assert message in document["errorMessage"]
    assert run.exit_code == 129
    assert "\tundefined\tERROR\tUncaught Exception \t{" in run.frames[0][1]


@pytest.mark.parametrize(
    ("code", "error_type", "message", "exit_code"),
    [
        (
            "() => { Promise.reject(new Error('lost')); return new Promise(() => {}) }",
            "Runtime.UnhandledPromiseRejection",
            "Error: lost",
            128,
        ),
        (
            "async () => new Promise(() => setTimeout(() => { throw new Error('late') }, 1))",
            "Error",
            "late",
            129,
        ),
    ],
)
def test_node_errors_outside_the_handler(
    node: Bench, code: str, error_type: str, message: str, exit_code: int
) -> None:
    """They fail the invocation and end the process."""
    run = node({"app.js": f"exports.handler = {code}"}, {}, {})
    assert [answer.kind for answer in run.answers] == ["error"], run
    document = run.answers[0].document
    assert (document["errorType"], document["errorMessage"]) == (error_type, message)
    assert run.exit_code == exit_code


def test_node_exits_as_its_code_says(node: Bench) -> None:
    """process.exit in a handler ends the process with that status and no answer."""
    run = node({"app.js": "exports.handler = () => process.exit(7)"}, {})
    assert (run.answers, run.exit_code) == ([], 7)


def test_a_node_callback_waits_for_the_event_loop(node: Bench) -> None:
    """Unless configured otherwise: then the timer fires in a later invocation."""
    code = """
let fired = 0;
exports.handler = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = event.waits;
  const before = fired;
  setTimeout(() => { fired += 1; }, event.ms);
  callback(null, {get before() { return before; }, toJSON: () => ({before, fired})});
};
"""
    run = node({"app.js": code}, {"waits": True, "ms": 30}, {"waits": False, "ms": 30})
    assert [answer.document for answer in run.answers] == [
        {"before": 0, "fired": 1},
        {"before": 1, "fired": 1},
    ]


def test_node_24_has_no_callbacks(node: Bench) -> None:
    """The runtime identifier decides: three parameters are refused, a plain result counts."""
    newer = {"AWS_EXECUTION_ENV": "AWS_Lambda_nodejs24.x"}
    run = node({"app.js": "exports.handler = (a, b, c) => 1"}, {}, environment=newer)
    assert run.answers[0].document["errorType"] == "Runtime.CallbackHandlerDeprecated"
    run = node({"app.js": "exports.handler = () => 1"}, {}, environment=newer)
    assert run.answers[0].body == b"1"


def test_node_console_is_awss(node: Bench) -> None:
    """One frame per call, with time, request id and level; without a pipe, carriage returns."""
    code = """
console.log('before');
exports.handler = async () => {
  console.log('a %s', 'b', {c: 1}); console.info('two\\nlines'); console.warn('w');
  console.error('e'); console.debug('d'); console.trace('t');
  process.stdout.write('plain\\n'); console.log();
};
"""
    run = node({"app.js": code}, {})
    texts = [text.split("\t", 1)[1] for _, text in run.frames]
    assert texts == [
        "undefined\tINFO\tbefore\n",
        "request-1\tINFO\ta b { c: 1 }\n",
        "request-1\tINFO\ttwo\nlines\n",
        "request-1\tWARN\tw\n",
        "request-1\tERROR\te\n",
        "request-1\tDEBUG\td\n",
        "request-1\tTRACE\tt\n",
        "request-1\tINFO\tundefined\n",
    ]
    kinds = [kind & 0xFFFF for kind, _ in run.frames]
    assert kinds == [0x0F, 0x0F, 0x0F, 0x13, 0x17, 0x0B, 0x07, 0x0F]
    assert "plain\n" in run.output
    run = node({"app.js": code}, {}, framed=False)
    assert "\trequest-1\tINFO\ttwo\rlines\n" in run.output


def test_node_keeps_its_global_to_itself_if_asked(node: Bench) -> None:
    """`AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA` leaves `awslambda` out."""
    code = "exports.handler = async () => typeof awslambda"
    assert node({"app.js": code}, {}).answers[0].document == "object"
    for value in ("1", "true"):
        variables = {"AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA": value}
        run = node({"app.js": code}, {}, environment=variables)
        assert run.answers[0].document == "undefined"


def test_node_logs_json(node: Bench) -> None:
    """Objects stay objects, errors are described, lower levels are left out."""
    code = """
exports.handler = async () => {
  console.debug('hidden'); console.info({a: 1}); console.error('oh', new TypeError('no'));
  console.log();
};
"""
    levels = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
    run = node({"app.js": code}, {}, environment=levels)
    first, second, third = (json.loads(text) for _, text in run.frames)
    assert "message" not in third
    assert (first["level"], first["requestId"], first["message"]) == ("INFO", "request-1", {"a": 1})
    assert (second["errorType"], second["errorMessage"]) == ("TypeError", "no")
    assert run.frames[0][0] == 0xA55A000E


def test_node_finds_the_sdk_and_layers(node: Bench) -> None:
    """By `require` and by `import`, along NODE_PATH; packages of the function win."""
    files = {
        "layer/node_modules/from-layer/index.js": "module.exports = 'layer'",
        "layer/node_modules/both/index.js": "module.exports = 'layer'",
        "node_modules/both/index.js": "module.exports = 'own'",
    }
    common = """
const {S3Client} = require('@aws-sdk/client-s3');
exports.handler = async () => [typeof S3Client, require('from-layer'), require('both')];
"""
    run = node({**files, "app.js": common}, {})
    assert run.answers[0].document == ["function", "layer", "own"]
    module = """
import {S3Client} from '@aws-sdk/client-s3';
import layer from 'from-layer';
import both from 'both';
export const handler = async () => [typeof S3Client, layer, both];
"""
    run = node({**files, "esm.mjs": module}, {}, handler="esm.handler")
    assert run.answers[0].document == ["function", "layer", "own"]


def test_node_carries_big_payloads(node: Bench) -> None:
    """Six megabytes in and out."""
    event = "x" * (6 * 1024 * 1024 - 2)
    run = node({"app.js": "exports.handler = async (event) => event"}, event)
    assert run.answers[0].document == event


# -- the examples ----------------------------------------------------------------------------


def test_the_python_example(one_python: Bench) -> None:
    """Answers its own example event."""
    code = (EXAMPLES / "hello-python/app.py").read_text()
    run = one_python({"app.py": code}, {"name": "Ada"})
    document = run.answers[0].document
    assert document["message"] == "Hello, Ada!"
    assert document["python"].startswith(one_python.prepared.interpreter.line)


def test_the_bash_example(one_python: Bench) -> None:
    """A custom runtime: bytes are returned unchanged."""
    bootstrap = str(EXAMPLES / "hello-bash/bootstrap")
    run = one_python({}, {"hello": "wörld 😀"}, [], command=[bootstrap])
    documents = [answer.document for answer in run.answers]
    assert [document["event"] for document in documents] == [{"hello": "wörld 😀"}, []]
    assert documents[0]["message"].startswith("Hello from bash ")
    assert "answering request-2 with app.handler\n" in run.output
