"""Java functions on the host's JVM, over the API as anybody calls it.

The sources in `java/` are compiled against the runtime's own interfaces, as AWS's library has them.
"""

import base64
import io
import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

import lambent
from tests.scenario.conftest import ACCOUNT, Platform, deploy, invoke, wait_active, wait_for

pytestmark = pytest.mark.skipif(
    shutil.which("javac") is None, reason="needs a JDK: apt install openjdk-17-jdk-headless"
)
INTERFACES = Path(lambent.__file__).parent / "runtimes/java"
SOURCES = Path(__file__).parent / "java"
OPTIONS = {"Runtime": "java17"}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The compiled functions and the interfaces they use."""
    built = tmp_path_factory.mktemp("classes")
    sources = [str(path) for path in sorted(SOURCES.rglob("*.java"))]
    release = ["--release", "17", "-implicit:class", "-sourcepath", str(INTERFACES)]
    subprocess.run(["javac", "-nowarn", *release, "-d", str(built), *sources], check=True)
    return {str(path.relative_to(built)): path.read_bytes() for path in built.rglob("*.class")}


@pytest.fixture(scope="module")
def classes(compiled: dict[str, bytes]) -> dict[str, bytes]:
    """A package of the functions alone."""
    return {name: code for name, code in compiled.items() if name.startswith("example/")}


@pytest.fixture(scope="module")
def act(lambda_client: Any, classes: dict[str, bytes]) -> Any:
    """Gives what the function answers to being told to do something, and the whole answer."""
    deploy(lambda_client, "java-act", classes, Handler="example.Act", Timeout=5, **OPTIONS)

    def do(what: str) -> tuple[Any, dict[str, Any]]:
        return invoke(lambda_client, "java-act", {"what": what}, LogType="Tail")

    return do


def log_of(answer: dict[str, Any]) -> str:
    """The log's end that came with the answer."""
    return base64.b64decode(answer["LogResult"]).decode()


@pytest.mark.parametrize(
    ("handler", "event", "expected"),
    [
        ("Maps", {"a": [1, 2.5, None, True]}, {"got": {"a": [1, 2.5, None, True]}}),
        ("Streams", {"ü": 1}, {"ü": 1}),
        ("Generic", ["b", "a"], ["A", "B"]),
        ("Forms::onlyEvent", "ü😀", "hello ü😀"),
        ("Forms::fixed", 20, 21),
        ("Forms::fixed", "20", 21),
        ("Forms::numbers", [1, 2, 3], 6),
        ("Forms::nothing", {}, None),
        ("Forms::noEvent", {}, "no event"),
        ("Forms::onlyContext", {}, "java-forms"),
        ("Forms::overloaded", "x", "event and context: x"),
        ("Forms::bytes", {"k": 1}, {"k": 1}),
        ("Forms::bytesAndContext", {"k": 1}, {"k": 1}),
        (
            "Records",
            {
                "Records": [
                    {
                        "awsRegion": "eu-west-1",
                        "body": {
                            "Time": 1545084650.987,
                            "data": "w7w=",
                            "Image": {"k": {"S": "v", "isBinary": True}},
                        },
                    }
                ]
            },
            {
                "region": "eu-west-1",
                "time": 1545084650987,
                "data": "ü",
                "image": {"k": {"s": "v", "isBinary": True}},
            },
        ),
        (
            "Forms::order",
            {"ID": "7", "Lines": [{"name": "pen", "price": 2.5}], "state": "OPEN", "unknown": 1},
            {"id": 7, "lines": [{"name": "pen", "price": 5.0}], "state": "OPEN", "paid": False},
        ),
    ],
)
def test_every_form_of_a_handler(
    lambda_client: Any, classes: dict[str, bytes], handler: str, event: Any, expected: Any
) -> None:
    """Interfaces and plain methods; events and results of the types AWS names."""
    if handler != "Forms::onlyEvent" and handler.startswith("Forms"):
        lambda_client.update_function_configuration(
            FunctionName="java-forms", Handler=f"example.{handler}"
        )
        wait_active(lambda_client, "java-forms")
        name = "java-forms"
    else:
        name = "java-forms" if handler.startswith("Forms") else f"java-{handler.lower()}"
        deploy(lambda_client, name, classes, Handler=f"example.{handler}", **OPTIONS)
    payload, answer = invoke(lambda_client, name, event)
    assert (payload, answer.get("FunctionError")) == (expected, None)


def test_a_jar_with_a_library(lambda_client: Any, compiled: dict[str, bytes]) -> None:
    """The package is a jar; its class is in a jar in `lib`, with interfaces of its own, as most
    packages have them. A megabyte goes and comes."""
    library = io.BytesIO()
    with zipfile.ZipFile(library, "w") as jar:
        for name, code in compiled.items():
            jar.writestr(name, code)
    files = {"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\n", "lib/one.jar": library.getvalue()}
    deploy(lambda_client, "java-jar", files, Handler="example.Maps", **OPTIONS)
    event = {"text": "ü" * 512 * 1024}
    assert invoke(lambda_client, "java-jar", event)[0] == {"got": event}


def test_the_context_is_full(lambda_client: Any, classes: dict[str, bytes]) -> None:
    """Names and values as AWS's."""
    variables = {"JAVA_TOOL_OPTIONS": "-XX:+UseParallelGC -Xmx200m -Dmine=yes"}
    deploy(
        lambda_client,
        "java-context",
        classes,
        Handler="example.Forms::context",
        Environment={"Variables": variables},
        **OPTIONS,
    )
    client = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    known, answer = invoke(lambda_client, "java-context", {}, ClientContext=client)
    assert "FunctionError" not in answer, known
    expected = {
        "functionName": "java-context",
        "functionVersion": "$LATEST",
        "invokedFunctionArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:java-context",
        "memoryLimitInMB": 512,
        "logGroupName": "/aws/lambda/java-context",
        "awsRequestId": answer["ResponseMetadata"]["RequestId"],
        "custom": {"k": "v"},
        "mine": "yes",
        "encoding": "UTF-8",
        "directory": "/var/task",
    }
    assert {name: known[name] for name in expected} == expected
    assert 15_000 < known["remaining"] <= 20_000
    assert 190 <= known["heap"] <= 200
    assert known["trace"].startswith("Root=1-")


def test_the_heap_follows_the_functions_memory(act: Any) -> None:
    """85 % of it, as at AWS."""
    payload, _ = act("heap")
    assert 0.8 * 512 < payload <= 0.85 * 512


def test_errors_are_in_awss_words(act: Any) -> None:
    """Type, message, the function's own frames, the cause; told in the log too."""
    payload, answer = act("raise")
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorMessage"] == "on purpose: ü"
    assert payload["errorType"] == "java.lang.IllegalStateException"
    assert [re.sub(r":\d+", "", frame) for frame in payload["stackTrace"]] == [
        "example.Act.fail(Act.java)",
        "example.Act.handleRequest(Act.java)",
        "example.Act.handleRequest(Act.java)",
    ]
    assert payload["cause"]["errorType"] == "java.lang.NumberFormatException"
    assert "on purpose: ü: java.lang.IllegalStateException\r" in log_of(answer)
    assert "Caused by: java.lang.NumberFormatException" in log_of(answer)


@pytest.mark.parametrize(
    ("handler", "document"),
    [
        (
            "example.Gone",
            {
                "errorMessage": "Class not found: example.Gone",
                "errorType": "java.lang.ClassNotFoundException",
            },
        ),
        (
            "example.Forms::gone",
            {
                "errorMessage": "No public method named gone with appropriate method signature"
                " found on class example.Forms"
            },
        ),
        (
            "example.Forms",
            {
                "errorMessage": "Class example.Forms does not implement an appropriate handler"
                " interface"
            },
        ),
        ("::", {"errorMessage": "Invalid handler: `::'"}),
    ],
)
def test_a_handler_that_is_not_there(
    lambda_client: Any, classes: dict[str, bytes], handler: str, document: dict[str, str]
) -> None:
    """Every invocation says so."""
    name = "java-gone-" + re.sub(r"\W+", "", handler)
    deploy(lambda_client, name, classes, Handler=handler, **OPTIONS)
    payload, answer = invoke(lambda_client, name, {})
    assert answer["FunctionError"] == "Unhandled"
    assert payload == document


@pytest.mark.parametrize(
    ("handler", "error_type"),
    [
        ("Broken$Class", "java.lang.ExceptionInInitializerError"),
        ("Broken$Constructor", "java.lang.IllegalStateException"),
    ],
)
def test_code_that_fails_when_it_is_loaded(
    lambda_client: Any, classes: dict[str, bytes], handler: str, error_type: str
) -> None:
    """Is an error of the start."""
    name = f"java-{handler.replace('$', '-')}"
    deploy(lambda_client, name, classes, Handler=f"example.{handler}", **OPTIONS)
    payload, answer = invoke(lambda_client, name, {}, LogType="Tail")
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == error_type
    assert "at the start" in json.dumps(payload)
    assert "at the start" in log_of(answer)


def test_an_event_that_does_not_fit(lambda_client: Any, classes: dict[str, bytes]) -> None:
    """Is told as AWS does, with the reason as its cause."""
    deploy(lambda_client, "java-misfit", classes, Handler="example.Forms::fixed", **OPTIONS)
    payload, _ = invoke(lambda_client, "java-misfit", {"an": "object"})
    assert payload["errorMessage"] == "An error occurred during JSON parsing"
    assert payload["errorType"] == "java.lang.RuntimeException"
    assert "cannot make a int of an object" in payload["cause"]["errorMessage"]


def test_a_process_that_ends_or_hangs_is_replaced(act: Any) -> None:
    """As any runtime's is; one whose heap is full ends itself."""
    payload, _ = act("exit")
    assert payload["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in payload["errorMessage"]
    assert "timed out after 5.00 seconds" in act("hang")[0]["errorMessage"]
    assert act("eat")[0]["errorType"] == "java.lang.OutOfMemoryError"
    assert act("deep")[0]["errorType"] == "java.lang.StackOverflowError"
    assert act("none")[0] is None


def test_what_is_logged(platform: Platform, act: Any) -> None:
    """By the context's logger, by the runtime's, and printed."""
    _, answer = act("print")
    for line in ("from the logger: ü\n", "from the runtime\n", "printed: ü\n", "to stderr\n"):
        assert line in log_of(answer)
    logs = platform.client("logs")
    wait_for(
        lambda: [
            event
            for event in logs.filter_log_events(logGroupName="/aws/lambda/java-act")["events"]
            if event["message"].startswith("from the logger: ü")
        ],
        "the line in the log",
    )


def test_json_logs_have_levels(lambda_client: Any, classes: dict[str, bytes]) -> None:
    """Those below the function's are left out."""
    logging = {"LogFormat": "JSON", "ApplicationLogLevel": "WARN"}
    deploy(
        lambda_client, "java-json", classes, Handler="example.Act", LoggingConfig=logging, **OPTIONS
    )
    _, answer = invoke(lambda_client, "java-json", {"what": "levels"}, LogType="Tail")
    lines = [line for line in log_of(answer).splitlines() if "level" in line]
    records = [json.loads(line) for line in lines if '"message"' in line]
    assert [(one["level"], one["message"]) for one in records] == [("ERROR", "bad\n")]
    assert records[0]["AWSRequestId"] == answer["ResponseMetadata"]["RequestId"]


def test_it_is_confined_like_others(act: Any) -> None:
    """No secrets of the host, no writing, no answers to other invocations, threads are limited."""
    assert act("shadow")[0]["errorType"] == "java.nio.file.NoSuchFileException"
    assert act("write")[0]["errorType"] == "java.nio.file.FileSystemException"
    assert act("forge")[0] in (400, 403)
    payload, _ = act("threads")
    assert 100 < payload < 1024


@pytest.mark.parametrize("runtime", ["java8.al2", "java21", "java25"])
def test_other_versions(lambda_client: Any, classes: dict[str, bytes], runtime: str) -> None:
    """Run on the JVM of that version or a newer one, if the host has one."""
    name = f"java-version-{runtime.replace('.', '-')}"
    options = {"Runtime": runtime, "Handler": "example.Forms::javaVersion"}
    deploy(lambda_client, name, classes, **options)
    payload, _ = invoke(lambda_client, name, {})
    assert int(payload.partition(".")[0]) >= 17


def test_tls_and_names_work(lambda_client: Any, classes: dict[str, bytes]) -> None:
    """What a JVM keeps in the distribution's configuration is there: certificates, providers."""
    deploy(lambda_client, "java-tls", classes, Handler="example.Forms::trusted", **OPTIONS)
    payload, answer = invoke(lambda_client, "java-tls", {})
    assert "FunctionError" not in answer, payload
    assert payload > 50
