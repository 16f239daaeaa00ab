"""The Runtime API's state machine, driven without a socket."""

import dataclasses
import json
from collections.abc import Callable, Iterable

import pytest

from lambent.model.function import FunctionVersion
from lambent.model.invocation import InvocationKind, InvocationRequest
from lambent.node.apis.runtime_api import (
    INIT_ERROR,
    INVOCATION,
    NEXT,
    RESPONSE_BYTES_MAX,
    RuntimeApi,
)
from tests.factories import function_version


def function() -> FunctionVersion:
    return function_version("hello")


def invocation(request_id: str = "id-1", event: bytes = b'{"a":1}') -> InvocationRequest:
    return InvocationRequest(
        request_id=request_id,
        kind=InvocationKind.REQUEST_RESPONSE,
        function=function(),
        event=event,
    )


@dataclasses.dataclass
class Said:
    """Records what the runtime did."""

    facts: list[tuple[object, ...]] = dataclasses.field(default_factory=list)

    def on_ready(self) -> None:
        self.facts.append(("ready",))

    def on_response(self, payload: bytes, content_type: str) -> None:
        self.facts.append(("response", payload, content_type))

    def on_error(self, payload: bytes, error_type: str, cause: str = "") -> None:
        self.facts.append(("error", payload, error_type))

    def on_oversized_response(self) -> None:
        self.facts.append(("oversized",))

    def on_init_error(self, payload: bytes, error_type: str) -> None:
        self.facts.append(("init error", payload, error_type))


class Request:
    """An exchange that remembers its answer."""

    def __init__(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> None:
        self.method, self.path, self.body, self.query = method, path, body, ""
        self.headers = headers or {}
        self.status: int | None = None
        self.answer = b""
        self.head = b""
        self.is_open = True
        self.keep_alive = True

    def respond(
        self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        assert self.is_open
        self.status, self.answer, self.is_open = status, body, False

    def respond_raw(self, head: bytes, body: bytes) -> None:
        assert self.is_open
        self.status = int(head.split(b" ", 2)[1])
        self.head, self.answer, self.is_open = head, body, False

    def on_disconnect(self, callback: Callable[[], None]) -> None:
        pass


def api() -> tuple[RuntimeApi, Said]:
    said = Said()
    return RuntimeApi(said), said


def ask(runtime_api: RuntimeApi, *request: object, **more: object) -> Request:
    exchange = Request(*request, **more)  # type: ignore[arg-type]
    runtime_api.handle(exchange)
    return exchange


def test_an_invocation_goes_to_the_runtime_that_waits() -> None:
    """/next blocks until there is work and then carries event and headers."""
    runtime_api, said = api()
    waiting = ask(runtime_api, "GET", NEXT)
    assert waiting.is_open
    assert said.facts == [("ready",)]
    runtime_api.deliver(invocation(), 1234)
    assert waiting.answer == b'{"a":1}'
    assert b"Lambda-Runtime-Aws-Request-Id: id-1\r\n" in waiting.head
    assert b"Lambda-Runtime-Deadline-Ms: 1234\r\n" in waiting.head
    assert b"Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:" in waiting.head
    answer = ask(runtime_api, "POST", INVOCATION + "id-1/response", b"42")
    assert (answer.status, answer.answer) == (202, b'{"status":"OK"}\n')
    assert said.facts[-1] == ("response", b"42", "application/json")


def test_an_early_invocation_is_kept_for_the_next_poll() -> None:
    """An invocation that arrives before the runtime polls again is delivered when it does."""
    runtime_api, _ = api()
    early = invocation()
    runtime_api.deliver(early, 1)
    assert runtime_api.keeps(early)
    assert ask(runtime_api, "GET", NEXT).answer == b'{"a":1}'
    assert not runtime_api.keeps(early)


def test_polling_again_while_running_returns_the_same_event() -> None:
    """A runtime that lost its event may ask again."""
    runtime_api, _ = api()
    runtime_api.deliver(invocation(), 1)
    assert ask(runtime_api, "GET", NEXT).answer == ask(runtime_api, "GET", NEXT).answer


def test_answers_out_of_turn_are_refused() -> None:
    """No invocation is running: 403; a wrong id: 400."""
    runtime_api, said = api()
    refused = ask(runtime_api, "POST", INVOCATION + "id-1/response", b"1")
    assert refused.status == 403
    assert json.loads(refused.answer)["errorType"] == "InvalidStateTransition"
    runtime_api.deliver(invocation(), 1)
    ask(runtime_api, "GET", NEXT)
    wrong = ask(runtime_api, "POST", INVOCATION + "other/response", b"1")
    assert wrong.status == 400
    assert json.loads(wrong.answer) == {
        "errorMessage": "Invalid request ID",
        "errorType": "InvalidRequestID",
    }
    ask(runtime_api, "POST", INVOCATION + "id-1/response", b"1")
    assert ask(runtime_api, "POST", INVOCATION + "id-1/response", b"2").status == 403
    assert [fact for fact in said.facts if fact[0] == "response"] == [
        ("response", b"1", "application/json")
    ]


def test_an_error_is_passed_on_verbatim() -> None:
    """/error's body is the invoke payload."""
    runtime_api, said = api()
    runtime_api.deliver(invocation(), 1)
    ask(runtime_api, "GET", NEXT)
    body = b'{"errorMessage":"m","errorType":"E"}'
    headers = {"lambda-runtime-function-error-type": "E"}
    assert ask(runtime_api, "POST", INVOCATION + "id-1/error", body, headers).status == 202
    assert said.facts[-1] == ("error", body, "E")


def test_an_error_cause_is_stripped() -> None:
    """The X-Ray cause inside the error document is not for the caller."""
    runtime_api, said = api()
    runtime_api.deliver(invocation(), 1)
    ask(runtime_api, "GET", NEXT)
    headers = {"content-type": "application/vnd.aws.lambda.error.cause+json"}
    body = b'{"errorMessage":"m","errorCause":{"paths":[]}}'
    ask(runtime_api, "POST", INVOCATION + "id-1/error", body, headers)
    assert said.facts[-1] == ("error", b'{"errorMessage":"m"}', "Runtime.Unknown")


def test_a_large_error_keeps_its_cause() -> None:
    """The event loop has no time to read it."""
    runtime_api, said = api()
    runtime_api.deliver(invocation(), 1)
    ask(runtime_api, "GET", NEXT)
    headers = {"content-type": "application/vnd.aws.lambda.error.cause+json"}
    body = b'{"errorMessage": "%b", "errorCause": {}}' % (b"x" * 70_000)
    ask(runtime_api, "POST", INVOCATION + "id-1/error", body, headers)
    assert said.facts[-1][1] == body


@pytest.mark.parametrize("body", [b"[]", b"1", b"[" * 60_000, b'{"a":' * 12_000, b"\xff", b""])
def test_an_error_with_a_cause_that_cannot_be_read_ends_the_invocation(body: bytes) -> None:
    runtime_api, said = api()
    runtime_api.deliver(invocation(), 1)
    ask(runtime_api, "GET", NEXT)
    headers = {"content-type": "application/vnd.aws.lambda.error.cause+json"}
    answer = ask(runtime_api, "POST", INVOCATION + "id-1/error", body, headers)
    assert answer.status == 202
    assert said.facts[-1] == ("error", b'"Invalid error body"', "Runtime.Unknown")


def test_init_error_is_accepted_once_and_only_during_init() -> None:
    """A second report, and one after /next, are refused."""
    runtime_api, said = api()
    assert ask(runtime_api, "POST", INIT_ERROR, b"{}").status == 202
    assert ask(runtime_api, "POST", INIT_ERROR, b"{}").status == 403
    assert ask(runtime_api, "GET", NEXT).status == 403
    assert said.facts == [("init error", b"{}", "Runtime.Unknown")]
    later, _ = api()
    ask(later, "GET", NEXT)
    assert ask(later, "POST", INIT_ERROR, b"{}").status == 403


def test_an_oversized_response_is_refused_and_reported() -> None:
    """More than 6 MiB + 100 bytes: 413 to the runtime, a function error for the caller."""
    runtime_api, said = api()
    runtime_api.deliver(invocation(), 1)
    ask(runtime_api, "GET", NEXT)
    elsewhere = Request("POST", INVOCATION + "other/response")
    runtime_api.handle_oversized(elsewhere)
    assert elsewhere.status == 413
    assert said.facts == [("ready",)]
    answer = Request("POST", INVOCATION + "id-1/response")
    runtime_api.handle_oversized(answer)
    assert answer.status == 413
    assert str(RESPONSE_BYTES_MAX) in answer.answer.decode()
    assert said.facts[-1] == ("oversized",)


def test_an_oversized_error_ends_the_invocation_too() -> None:
    """A report of an error that is too large does not leave the caller to the timeout."""
    runtime_api, said = api()
    runtime_api.deliver(invocation(), 1)
    ask(runtime_api, "GET", NEXT)
    runtime_api.handle_oversized(Request("POST", INVOCATION + "id-1/error"))
    assert said.facts[-1] == ("oversized",)
    assert ask(runtime_api, "GET", NEXT).status is None


def test_an_unknown_response_mode_is_an_error() -> None:
    """Only buffered and streaming exist."""
    runtime_api, said = api()
    runtime_api.deliver(invocation(), 1)
    ask(runtime_api, "GET", NEXT)
    headers = {"lambda-runtime-function-response-mode": "carrier pigeon"}
    answer = ask(runtime_api, "POST", INVOCATION + "id-1/response", b"1", headers)
    assert answer.status == 400
    assert said.facts[-1][2] == "Runtime.InvalidResponseModeHeader"


def test_a_detached_runtime_is_heard_no_more() -> None:
    """What a given-up runtime still says changes nothing."""
    runtime_api, said = api()
    runtime_api.deliver(invocation(), 1)
    ask(runtime_api, "GET", NEXT)
    runtime_api.detach()
    heard = len(said.facts)
    assert ask(runtime_api, "POST", INVOCATION + "id-1/response", b"1").status == 403
    assert ask(runtime_api, "POST", INIT_ERROR, b"1").status == 403
    assert ask(runtime_api, "GET", NEXT).status == 403
    assert len(said.facts) == heard


def test_other_paths_and_methods() -> None:
    """ping answers pong; what does not exist is 404; a wrong method 405."""
    runtime_api, _ = api()
    assert ask(runtime_api, "GET", "/2018-06-01/ping").answer == b"pong"
    assert ask(runtime_api, "GET", "/2018-06-01/nothing").status == 404
    assert ask(runtime_api, "POST", INVOCATION + "id-1/nothing").status == 404
    assert ask(runtime_api, "POST", NEXT).status == 405


@pytest.mark.parametrize(
    ("given", "payload"),
    [("eyJhIjoxfQ==", b'{"a":1}'), ("\xe9", None), ("=", None), ("e\0", None), ("", None)],
)
def test_an_error_at_the_end_of_a_stream_is_reported_whatever_its_body_is(
    given: str, payload: bytes | None
) -> None:
    """A body that is not base64 counts as none."""

    class Streamed(Said):
        def on_stream(self, content_type: str, resume: Callable[[], None]) -> "Streamed":
            return self

        def write(self, data: bytes) -> bool:
            return True

    said = Streamed()
    runtime_api = RuntimeApi(said)  # type: ignore[arg-type]
    runtime_api.deliver(invocation(), 1)
    ask(runtime_api, "GET", NEXT)
    headers = {"lambda-runtime-function-response-mode": "streaming"}
    exchange = Request("POST", INVOCATION + "id-1/response", headers=headers)
    exchange.resume_body = lambda: None  # type: ignore[attr-defined]
    reader = runtime_api.open_stream(exchange)  # type: ignore[arg-type]
    assert reader is not None
    reader.data(b"half")
    name = "lambda-runtime-function-error"
    reader.end({f"{name}-type": "Mine", f"{name}-body": given})
    expected = payload or b'{"errorType":"Mine","errorMessage":""}'
    assert said.facts[-1] == ("error", expected, "Mine")
