"""Java handlers of every form, and invalid ones."""

import io
import json
import re
import zipfile
from typing import Any

import pytest

from tests.scenario.conftest import deploy, invoke, log_of
from tests.scenario.java_classes import OPTIONS, needs_jdk

pytestmark = needs_jdk


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
        ("Forms::onlyContext", {}, "java-Forms-onlyContext-dict"),
        ("Forms::overloaded", "x", "event and context: x"),
        ("Forms::bytes", {"k": 1}, {"k": 1}),
        (
            "Forms::records",
            {"left": 1, "right": "r", "more": [2]},
            {"left": 2, "right": "r!", "more": ["2"]},
        ),
        ("Forms::bytesAndContext", {"k": 1}, {"k": 1}),
        (
            "Forms::order",
            {"id": "7", "lines": [{"name": "pen", "price": 2.5}], "state": "OPEN", "unknown": 1},
            {"id": 7, "lines": [{"name": "pen", "price": 5.0}], "state": "OPEN", "paid": False},
        ),
    ],
)
def test_every_form_of_a_handler(
    lambda_client: Any, classes: dict[str, bytes], handler: str, event: Any, expected: Any
) -> None:
    """Interfaces and plain methods; events and results of the types AWS names."""
    name = "java-" + re.sub(r"\W+", "-", handler) + f"-{type(event).__name__}"
    deploy(lambda_client, name, classes, Handler=f"example.{handler}", **OPTIONS)
    payload, answer = invoke(lambda_client, name, event)
    assert (payload, answer.get("FunctionError")) == (expected, None)


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        ("Inherited::plain", "plain x"),
        ("Inherited::withContext", "java-Inherited-withContext x"),
        ("Inherited::fixed", "fixed x"),
        ("Inherited::generic", "x"),
        ("Inherited::output", 1),
        ("Inherited::outputAndContext", 2),
        ("Inherited::input", None),
        ("Inherited::inputAndContext", None),
        ("Inherited$Streaming::handleRequest", "x"),
        ("Inherited$Streaming", "x"),
        ("Inherited$Bound::handleRequest", "x"),
    ],
)
def test_what_is_inherited_from_a_class_that_is_not_public(
    lambda_client: Any, classes: dict[str, bytes], handler: str, expected: Any
) -> None:
    """It is a handler too; so is a method with one stream, which returns null if that is the
    input."""
    name = "java-" + re.sub(r"\W+", "-", handler)
    deploy(lambda_client, name, classes, Handler=f"example.{handler}", **OPTIONS)
    payload, answer = invoke(lambda_client, name, "x")
    assert (payload, answer.get("FunctionError")) == (expected, None)


def test_a_jar_with_a_library(lambda_client: Any, compiled: dict[str, bytes]) -> None:
    """The package is a jar; its class is in a jar in `lib`, with its own interfaces, as in most
    packages. A megabyte is sent and returned."""
    library = io.BytesIO()
    with zipfile.ZipFile(library, "w") as jar:
        for name, code in compiled.items():
            jar.writestr(name, code)
    files = {"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\n", "lib/one.jar": library.getvalue()}
    deploy(lambda_client, "java-jar", files, Handler="example.Maps", **OPTIONS)
    event = {"text": "ü" * 512 * 1024}
    assert invoke(lambda_client, "java-jar", event)[0] == {"got": event}


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
        (
            "example.Inherited::ignored",
            {
                "errorMessage": "No public method named ignored with appropriate method signature"
                " found on class example.Inherited"
            },
        ),
        (
            "example.Broken$Raw",
            {
                "errorMessage": "Class example.Broken$Raw does not implement RequestHandler with"
                " concrete type parameters"
            },
        ),
        ("::", {"errorMessage": "Invalid handler: `::'"}),
    ],
)
def test_a_handler_that_is_not_there(
    lambda_client: Any, classes: dict[str, bytes], handler: str, document: dict[str, str]
) -> None:
    """Every invocation reports it."""
    name = "java-gone-" + re.sub(r"\W+", "", handler)
    deploy(lambda_client, name, classes, Handler=handler, **OPTIONS)
    payload, answer = invoke(lambda_client, name, {}, LogType="Tail")
    assert answer["FunctionError"] == "Unhandled"
    assert payload == document
    assert f"{document['errorMessage']}\n" in log_of(answer)


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        ("Broken$WithArgument", "has no public zero-argument constructor"),
        ("Broken$Inner", "cannot be instantiated because it is a non-static inner class"),
    ],
)
def test_a_class_that_cannot_be_made(
    lambda_client: Any, classes: dict[str, bytes], handler: str, reason: str
) -> None:
    """Every invocation says why."""
    name = f"java-{handler.replace('$', '-')}"
    deploy(lambda_client, name, classes, Handler=f"example.{handler}", **OPTIONS)
    for _ in range(2):
        payload, _ = invoke(lambda_client, name, {})
        assert payload["errorMessage"] == f"Class example.{handler} {reason}"
        assert payload["errorType"] == "java.lang.Exception"


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
    """Is reported as in AWS, with the reason as its cause."""
    deploy(lambda_client, "java-misfit", classes, Handler="example.Forms::fixed", **OPTIONS)
    payload, _ = invoke(lambda_client, "java-misfit", {"an": "object"})
    assert payload["errorMessage"] == "An error occurred during JSON parsing"
    assert payload["errorType"] == "java.lang.RuntimeException"
    assert "cannot make a int of an object" in payload["cause"]["errorMessage"]


def test_a_serializer_of_the_functions_own(lambda_client: Any, classes: dict[str, bytes]) -> None:
    """It reads events and writes results, if the package names it as a service."""
    service = "META-INF/services/com.amazonaws.services.lambda.runtime.CustomPojoSerializer"
    files = {**classes, service: "example.Shouting\n"}
    deploy(lambda_client, "java-shouting", files, Handler="example.Maps", **OPTIONS)
    payload, answer = invoke(lambda_client, "java-shouting", {"a": 1})
    expected = {"got": '{"a": 1}', "type": "java.util.Map<java.lang.String, java.lang.Object>"}
    assert (payload, answer.get("FunctionError")) == (expected, None)


@pytest.mark.parametrize("runtime", ["java8.al2", "java21", "java25"])
def test_other_versions(lambda_client: Any, classes: dict[str, bytes], runtime: str) -> None:
    """They run on the JVM of that version or a newer one, if the host has one."""
    name = f"java-version-{runtime.replace('.', '-')}"
    options = {"Runtime": runtime, "Handler": "example.Forms::javaVersion"}
    deploy(lambda_client, name, classes, **options)
    payload, _ = invoke(lambda_client, name, {})
    assert int(payload.partition(".")[0]) >= 17
