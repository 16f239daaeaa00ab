"""Playbooks of responses that arrive chunk by chunk, and of their interruptions."""

import base64
import json
from collections.abc import Callable

import pytest

from lambent.model.invocation import Crashed, FunctionFailed, Succeeded, TimedOut
from lambent.node.apis.runtime_api import RESPONSE_BYTES_MAX, STREAM_BYTES_MAX
from lambent.node.environment.lifecycle import EnvironmentState
from lambent.sandbox.ports import ExitStatus
from tests.unit.node.playbook import EXITS, IN_JSON, Call, Play, Sink

Playbook = Callable[..., Play]
MB = 1024 * 1024


def begin_streaming(play: Play) -> tuple[Call, Sink]:
    """A call whose runtime has sent its first chunk."""
    play.begin_ready()
    sink = Sink()
    call = play.invoke(sink=sink)
    return call, sink


def test_chunks_are_passed_on_as_they_come(playbook: Playbook) -> None:
    """The outcome then has no payload; the content type came first."""
    play = playbook()
    call, sink = begin_streaming(play)
    stream = play.runtime.streams("text/html")
    stream.sends(b"first ")
    assert (sink.content_type, sink.chunks) == ("text/html", [b"first "])
    assert not call.is_done
    play.passes(0.5)
    stream.sends(b"second")
    stream.ends()
    assert b"".join(sink.chunks) == b"first second"
    assert call.outcome == Succeeded(b"", "text/html")
    assert stream.request.status == 202
    assert play.report(call)["Duration"] == "500.00 ms"
    assert call.run_report.response_bytes == len(b"first second")
    play.runtime.asks()
    assert play.state is EnvironmentState.IDLE


def test_a_caller_of_a_stream_gets_a_stream_whatever_the_runtime_says(
    playbook: Playbook,
) -> None:
    """A runtime that names no mode, as Go's client, may send more than a buffered response has."""
    play = playbook()
    call, sink = begin_streaming(play)
    stream = play.runtime.streams(mode="")
    for _ in range(8):
        stream.sends(bytes(MB))
    stream.ends()
    assert sum(map(len, sink.chunks)) == 8 * MB
    assert call.kind == "Succeeded"


@pytest.mark.parametrize("mode", ["", "streaming"])
def test_a_caller_of_a_whole_response_gets_it(playbook: Playbook, mode: str) -> None:
    """Collected."""
    play = playbook()
    play.begin_ready()
    call = play.invoke()
    stream = play.runtime.streams("text/plain", mode)
    for chunk in (b"a", b"b", b"c"):
        stream.sends(chunk)
    stream.ends()
    assert call.outcome == Succeeded(b"abc", "text/plain")


def test_what_is_collected_has_a_limit(playbook: Playbook) -> None:
    """The limit of a buffered response; the environment continues to work."""
    play = playbook()
    play.begin_ready()
    call = play.invoke()
    stream = play.runtime.streams()
    for _ in range(7):
        stream.sends(bytes(MB))
    stream.ends()
    assert 7 * MB > RESPONSE_BYTES_MAX
    assert isinstance(call.outcome, FunctionFailed)
    assert call.outcome.error_type == "Function.ResponseSizeTooLarge"
    assert stream.request.status == 202
    assert play.state is EnvironmentState.IDLE


def test_a_stream_has_a_limit(playbook: Playbook, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 MB, here made small: 413 for the runtime, an error after what was sent."""
    assert STREAM_BYTES_MAX == 200 * MB
    monkeypatch.setattr("lambent.node.apis.runtime_api.STREAM_BYTES_MAX", 1000)
    play = playbook()
    call, sink = begin_streaming(play)
    stream = play.runtime.streams()
    stream.sends(bytes(1000))
    assert not call.is_done
    stream.sends(b"x")
    assert sink.chunks == [bytes(1000)]
    assert isinstance(call.outcome, FunctionFailed)
    assert call.outcome.error_type == "Function.ResponseSizeTooLarge"
    assert stream.request.status == 413
    play.runtime.asks()
    assert play.state is EnvironmentState.IDLE


def test_a_slow_reader_holds_the_function_back(playbook: Playbook) -> None:
    """What it does not take is not read from the runtime, and is when it does."""
    play = playbook()
    call, sink = begin_streaming(play)
    sink.is_open = False
    stream = play.runtime.streams()
    stream.sends(bytes(4 * MB))
    assert not stream.request.is_sent
    taken = sum(map(len, sink.chunks))
    assert taken < MB
    play.loop.do(sink.resume)
    stream.ends()
    assert sum(map(len, sink.chunks)) == 4 * MB
    assert call.kind == "Succeeded"


def test_an_early_error(playbook: Playbook) -> None:
    """Before the first chunk: a function error as any."""
    play = playbook()
    call, sink = begin_streaming(play)
    play.runtime.fails(b'{"errorType":"TypeError"}', "TypeError")
    assert call.outcome == FunctionFailed(b'{"errorType":"TypeError"}', "TypeError")
    assert sink.chunks == []


@pytest.mark.parametrize("is_collected", [False, True])
def test_a_late_error(playbook: Playbook, is_collected: bool) -> None:
    """In trailers, after what was sent."""
    play = playbook()
    play.begin_ready()
    sink = Sink()
    call = play.invoke(**({} if is_collected else {"sink": sink}))
    stream = play.runtime.streams()
    stream.sends(b"half ")
    body = b'{"errorType":"RangeError","errorMessage":"half an answer"}'
    stream.ends(
        Lambda_Runtime_Function_Error_Type="RangeError",
        Lambda_Runtime_Function_Error_Body=base64.b64encode(body).decode(),
    )
    assert call.outcome == FunctionFailed(body, "RangeError")
    assert sink.chunks == ([] if is_collected else [b"half "])
    assert play.state is EnvironmentState.IDLE
    assert "Status" not in play.report(call)


def test_a_connection_that_is_cut(playbook: Playbook) -> None:
    """Runtime.TruncatedResponse; the runtime may ask for more."""
    play = playbook()
    call, sink = begin_streaming(play)
    stream = play.runtime.streams()
    stream.sends(b"half ")
    stream.is_cut()
    assert isinstance(call.outcome, FunctionFailed)
    assert call.payload == {
        "errorType": "Runtime.TruncatedResponse",
        "errorMessage": "The runtime closed the connection before the end of its response.",
    }
    assert sink.chunks == [b"half "]
    play.runtime.asks()
    call = play.invoke()
    play.runtime.responds(b"1")
    assert call.outcome == Succeeded(b"1", "application/json")


@pytest.mark.parametrize(("status", "reason", "error_type"), EXITS)
def test_a_crash_in_the_middle(
    playbook: Playbook, status: ExitStatus, reason: str, error_type: str
) -> None:
    """The reason comes after the sent chunks."""
    play = playbook()
    call, sink = begin_streaming(play)
    stream = play.runtime.streams()
    stream.sends(b"half ")
    play.loop.do(play.runtime.end, status)
    assert isinstance(call.outcome, Crashed)
    assert call.outcome.error_type == error_type
    assert json.loads(call.outcome.payload)["errorMessage"].endswith(reason)
    assert sink.chunks == [b"half "]
    assert play.report(call)["Status"] == "error"
    assert play.state is EnvironmentState.RESET


def test_a_timeout_in_the_middle(playbook: Playbook) -> None:
    """Sent chunks are kept; the end says that the time was over."""
    play = playbook(timeout_s=5)
    call, sink = begin_streaming(play)
    stream = play.runtime.streams()
    stream.sends(b"half ")
    play.passes(5.0)
    assert isinstance(call.outcome, TimedOut)
    assert "Task timed out after 5.00 seconds" in call.payload["errorMessage"]
    assert sink.chunks == [b"half "]
    assert play.report(call)["Status"] == "timeout"
    assert play.state is EnvironmentState.RESET


@pytest.mark.parametrize("wants_stream", [False, True])
def test_a_mode_that_is_none(playbook: Playbook, wants_stream: bool) -> None:
    """Neither buffered nor streaming: refused, and the caller gets an error."""
    play = playbook()
    play.begin_ready()
    call = play.invoke(**({"sink": Sink()} if wants_stream else {}))
    headers = {"Lambda-Runtime-Function-Response-Mode": "other"}
    assert play.runtime.responds(b"1", **headers).status == 400
    assert isinstance(call.outcome, FunctionFailed)
    assert call.outcome.error_type == "Runtime.InvalidResponseModeHeader"
    play.runtime.asks()
    assert play.state is EnvironmentState.IDLE


def test_nothing_else_while_a_stream_is_open(playbook: Playbook) -> None:
    """Neither an error report nor another poll."""
    play = playbook()
    call, _ = begin_streaming(play)
    stream = play.runtime.streams()
    stream.sends(b"half ")
    path = f"/2018-06-01/runtime/invocation/{call.request_id}/error"
    assert play.runtime.request("POST", path, b"{}").status == 403
    assert play.runtime.request("GET", "/2018-06-01/runtime/invocation/next").status == 403
    assert not call.is_done
    stream.ends()
    assert call.kind == "Succeeded"


def test_a_stream_and_its_latency_in_json(playbook: Playbook) -> None:
    """The first chunk ends the latency; all bytes are counted."""
    play = playbook(logging=IN_JSON)
    _, _ = begin_streaming(play)
    play.passes(0.2)
    stream = play.runtime.streams()
    stream.sends(b"12345")
    play.passes(0.3)
    stream.sends(b"67890")
    stream.ends()
    (done,) = [
        document["record"]
        for document in play.documents
        if document["type"] == "platform.runtimeDone"
    ]
    assert done["metrics"] == {"durationMs": 500.0, "producedBytes": 10}
    assert [(span["name"], span["durationMs"]) for span in done["spans"]] == [
        ("responseLatency", 200.0),
        ("responseDuration", 300.0),
    ]
