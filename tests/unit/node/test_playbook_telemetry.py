"""Playbooks of telemetry: extensions subscribe, and are sent what happens."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from lambent.node.apis.telemetry_api import LOGS, TELEMETRY
from lambent.node.environment.lifecycle import EnvironmentState
from tests.unit.node.playbook import IN_JSON, Play
from tests.unit.node.scripted_box import Extension

Playbook = Callable[..., Play]
SUBSCRIPTION: dict[str, Any] = {
    "schemaVersion": "2022-12-13",
    "types": ["platform", "function", "extension"],
    "buffering": {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25},
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/here"},
}
TCP = {**SUBSCRIPTION, "destination": {"protocol": "TCP", "port": 8080}}
LEGACY = {
    **SUBSCRIPTION,
    "schemaVersion": "2021-03-18",
    "destination": {**SUBSCRIPTION["destination"], "method": "PUT", "encoding": "JSON"},
}


class Listener:
    """An extension's server in the box. It takes what is sent unless a test says otherwise."""

    def __init__(self, play: Play, port: int = 8080) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self.requests: list[str] = []
        """Their first lines."""
        self.statuses: list[int] = []
        """Status codes of the next responses; 200 when there are none. 0: no response."""
        path = play.box.directory / str(port)
        listening = play.loop.begin(asyncio.start_unix_server(self._serve, path))
        play.servers.append(listening.result())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.readline()
            if first.startswith(b"{"):
                while first:
                    self.batches.append([json.loads(first)])
                    first = await reader.readline()
                return
            self.requests.append(first.decode().strip())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"content-length: (\d+)", head.lower())[1])  # type: ignore[index]
            batch = json.loads(await reader.readexactly(length))
            status = self.statuses.pop(0) if self.statuses else 200
            if status == 0:
                await reader.read()
                return
            if status == 200:
                self.batches.append(batch)
            writer.write(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % status)
        finally:
            writer.close()

    @property
    def events(self) -> list[dict[str, Any]]:
        """All received records."""
        return [event for batch in self.batches for event in batch]

    @property
    def kinds(self) -> list[str]:
        """Their types."""
        return [event["type"] for event in self.events]

    def records(self, kind: str) -> list[Any]:
        """The records of one type."""
        return [event["record"] for event in self.events if event["type"] == kind]


def start(
    play: Play, subscription: dict[str, Any] = SUBSCRIPTION, path: str = TELEMETRY
) -> tuple[Extension, Listener]:
    """An environment that is up, with an extension that listens."""
    play.begin()
    agent = play.extension("agent")
    agent.registers("INVOKE", "SHUTDOWN")
    listener = Listener(play)
    subscribed = agent.subscribes(subscription, path)
    assert (subscribed.status, subscribed.body) == (200, b'"OK"')
    agent.asks()
    play.runtime.asks()
    return agent, listener


def call(play: Play, agent: Extension, *lines: str) -> None:
    """One invocation from its beginning to its end."""
    play.invoke(b"{}")
    for line in lines:
        play.runtime.prints(line + "\n")
    play.passes(0.1)
    play.runtime.responds(b'"done"')
    play.runtime.asks()
    agent.asks()


@pytest.mark.parametrize("subscription", [SUBSCRIPTION, TCP], ids=["HTTP", "TCP"])
def test_a_cold_invocation_in_order(playbook: Playbook, subscription: dict[str, Any]) -> None:
    """With the records of the schema; earlier records are delivered, too."""
    play = playbook(extensions=("agent",), memory_mb=512)
    agent, listener = start(play, subscription)
    agent.program.prints("subscribed\n")
    call(play, agent, "hello")
    play.passes(1.0)
    assert listener.kinds == [
        "platform.initStart",
        "platform.telemetrySubscription",
        "platform.extension",
        "platform.initRuntimeDone",
        "platform.initReport",
        "extension",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.report",
    ]
    for event in listener.events:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"])
    start_record = listener.records("platform.initStart")[0]
    assert start_record["initializationType"] == "on-demand"
    assert start_record["phase"] == "init"
    assert start_record["functionVersion"] == "$LATEST"
    assert start_record["instanceMaxMemory"] == 512
    assert listener.records("platform.telemetrySubscription") == [
        {
            "name": "agent",
            "state": "Subscribed",
            "types": ["platform", "function", "extension"],
        }
    ]
    assert listener.records("platform.extension") == [
        {"name": "agent", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}
    ]
    (done,) = listener.records("platform.runtimeDone")
    assert (done["status"], done["requestId"]) == ("success", "id-1")
    assert done["metrics"] == {"durationMs": 100.0, "producedBytes": len(b'"done"')}
    assert [span["name"] for span in done["spans"]] == ["responseLatency", "responseDuration"]
    (report,) = listener.records("platform.report")
    assert (report["status"], report["requestId"]) == ("success", "id-1")
    assert report["metrics"]["memorySizeMB"] == 512
    assert report["metrics"]["initDurationMs"] == 0
    assert report["tracing"]["type"] == "X-Amzn-Trace-Id"
    assert listener.records("function") == ["hello"]
    assert listener.records("extension") == ["subscribed"]
    assert "TELEMETRY\tName: agent\tState: Subscribed\tTypes: [Platform, Function, Extension]" in (
        play.log
    )


def test_the_request(playbook: Playbook) -> None:
    """Method and path of the subscription."""
    play = playbook(extensions=("agent",))
    _, listener = start(play, LEGACY, LOGS)
    play.passes(1.0)
    assert set(listener.requests) == {"PUT /here HTTP/1.1"}


def test_what_was_not_subscribed_is_not_sent(playbook: Playbook) -> None:
    """Only the types that were named."""
    play = playbook(extensions=("agent",))
    agent, listener = start(play, {**SUBSCRIPTION, "types": ["function"]})
    call(play, agent, "hello")
    play.passes(1.0)
    assert listener.kinds == ["function"]


def test_the_older_logs_api(playbook: Playbook) -> None:
    """Its own records, and none of init's."""
    play = playbook(extensions=("agent",))
    agent, listener = start(play, LEGACY, LOGS)
    call(play, agent, "hello")
    play.passes(1.0)
    assert listener.kinds == [
        "platform.logsSubscription",
        "platform.extension",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.end",
        "platform.report",
    ]
    assert "LOGS\tName: agent\tState: Subscribed\tTypes: [Platform, Function, Extension]" in (
        play.log
    )


@pytest.mark.parametrize(
    ("fails", "status", "error_type"),
    [
        (lambda play: play.runtime.exits(1), "error", "Runtime.ExitError"),
        (lambda play: play.passes(3.0), "timeout", None),
    ],
    ids=["exit", "timeout"],
)
def test_a_failure_is_reported(
    playbook: Playbook, fails: Callable[[Play], object], status: str, error_type: str | None
) -> None:
    """Before the extension receives the shutdown."""
    play = playbook(extensions=("agent",))
    agent, listener = start(play)
    agent.program.ignores_sigterm = True
    play.invoke()
    agent.asks()
    fails(play)
    assert agent.event["eventType"] == "SHUTDOWN"
    (report,) = listener.records("platform.report")
    assert (report["status"], report.get("errorType")) == (status, error_type)
    (done,) = listener.records("platform.runtimeDone")
    assert (done["status"], done["errorType"]) == (status, error_type or "Sandbox.Timedout")


def test_a_fault_is_reported_to_the_older_api(playbook: Playbook) -> None:
    """In a separate line."""
    play = playbook(extensions=("agent",))
    agent, listener = start(play, LEGACY, LOGS)
    play.invoke()
    agent.asks()
    play.runtime.exits(1)
    assert listener.records("platform.fault") == [
        "RequestId: id-1 Status: error\tErrorType: Runtime.ExitError"
    ]


def test_an_init_that_fails_is_reported(playbook: Playbook) -> None:
    """With its type; a new environment reports only its own init."""
    play = playbook(extensions=("agent",))
    play.begin()
    agent = play.extension("agent")
    agent.registers("SHUTDOWN")
    listener = Listener(play)
    agent.subscribes(SUBSCRIPTION, TELEMETRY)
    agent.asks()
    play.runtime.exits(1)
    assert [record["status"] for record in listener.records("platform.initReport")] == ["error"]
    assert listener.records("platform.initRuntimeDone")[0]["errorType"] == "Runtime.ExitError"


def test_objects_in_json_logs(playbook: Playbook) -> None:
    """A printed object is delivered as an object, since a schema that supports it."""
    play = playbook(extensions=("agent",), logging=IN_JSON)
    agent, listener = start(play)
    call(play, agent, '{"level": "warn", "message": "structured"}', "plain")
    play.passes(1.0)
    first, second = listener.records("function")
    assert {"level": "warn", "message": "structured"}.items() <= first.items()
    assert second["message"] == "plain"


def test_objects_are_text_in_older_schemas(playbook: Playbook) -> None:
    """The document as printed."""
    play = playbook(extensions=("agent",), logging=IN_JSON)
    agent, listener = start(play, {**SUBSCRIPTION, "schemaVersion": "2022-07-01"})
    call(play, agent, '{"message": "structured"}')
    play.passes(1.0)
    (record,) = listener.records("function")
    assert json.loads(record)["message"] == "structured"


# -- delivery --------------------------------------------------------------------------------


def test_records_gather_until_the_time_is_up(playbook: Playbook) -> None:
    """One batch for the records within `timeoutMs`."""
    buffering = {**SUBSCRIPTION["buffering"], "timeoutMs": 1000}
    play = playbook(extensions=("agent",))
    agent, listener = start(play, {**SUBSCRIPTION, "buffering": buffering})
    call(play, agent, "hello")
    play.passes(0.8)
    assert listener.batches == []
    play.passes(0.2)
    (batch,) = listener.batches
    assert batch[-1]["type"] == "platform.report"


def test_a_full_batch_is_sent_at_once(playbook: Playbook) -> None:
    """`maxItems` records."""
    buffering = {"maxItems": 1000, "maxBytes": 1_048_576, "timeoutMs": 30_000}
    play = playbook(extensions=("agent",), timeout_s=60)
    _, listener = start(play, {**SUBSCRIPTION, "types": ["function"], "buffering": buffering})
    play.invoke()
    play.runtime.prints("x\n" * 999)
    assert listener.batches == []
    play.runtime.prints("x\n")
    assert [len(batch) for batch in listener.batches] == [1000]


@pytest.mark.parametrize("status", [500, 403])
def test_what_is_refused_is_sent_again(playbook: Playbook, status: int) -> None:
    """After a growing pause; no record is lost or sent twice."""
    play = playbook(extensions=("agent",))
    agent, listener = start(play)
    listener.statuses = [status, status]
    call(play, agent, "hello")
    play.passes(5.0)
    assert listener.records("function") == ["hello"]
    assert listener.kinds.count("platform.start") == 1
    assert len(listener.requests) > 2


def test_a_server_that_does_not_listen_yet(playbook: Playbook) -> None:
    """It is retried."""
    play = playbook(extensions=("agent",))
    play.begin()
    agent = play.extension("agent")
    agent.registers("INVOKE", "SHUTDOWN")
    agent.subscribes(SUBSCRIPTION, TELEMETRY)
    agent.asks()
    play.runtime.asks()
    call(play, agent, "hello")
    play.passes(2.0)
    listener = Listener(play)
    play.passes(5.0)
    assert listener.records("function") == ["hello"]


def test_a_server_that_does_not_answer(playbook: Playbook) -> None:
    """After thirty seconds the request is repeated."""
    play = playbook(extensions=("agent",))
    agent, listener = start(play)
    listener.statuses = [0]
    play.passes(29.0)
    assert listener.batches == []
    play.passes(3.0)
    assert "platform.initStart" in listener.kinds
    call(play, agent)


def test_what_does_not_fit_is_dropped_and_reported(playbook: Playbook) -> None:
    """For a slow subscriber, two batches are buffered; the rest is counted."""
    buffering = {"maxItems": 1000, "maxBytes": 262_144, "timeoutMs": 25}
    play = playbook(extensions=("agent",), timeout_s=600)
    agent, listener = start(
        play, {**SUBSCRIPTION, "types": ["function", "platform"], "buffering": buffering}
    )
    play.passes(1.0)
    listener.statuses = [500]
    play.invoke()
    for _ in range(60):
        play.runtime.prints(("x" * 100 + "\n") * 100)
    play.passes(10.0)
    play.runtime.responds()
    play.runtime.asks()
    agent.asks()
    play.passes(10.0)
    heard = listener.records("function").count("x" * 100)
    dropped = listener.records("platform.logsDropped")
    assert heard < 6000
    assert heard + sum(record["droppedRecords"] for record in dropped) == 6000
    assert all(record["droppedBytes"] > 100 * record["droppedRecords"] for record in dropped)


def test_nothing_is_sent_to_a_frozen_box(playbook: Playbook) -> None:
    """It is sent when the box is thawed."""
    buffering = {**SUBSCRIPTION["buffering"], "timeoutMs": 1000}
    play = playbook(extensions=("agent",))
    agent, listener = start(play, {**SUBSCRIPTION, "buffering": buffering})
    call(play, agent, "hello")
    play.freeze()
    assert play.state is EnvironmentState.FROZEN
    play.passes(60.0)
    assert listener.batches == []
    play.invoke()
    play.passes(1.0)
    assert listener.records("function") == ["hello"]


def test_a_response_is_awaited_while_the_box_is_frozen(playbook: Playbook) -> None:
    """That time does not count against the thirty seconds."""
    play = playbook(extensions=("agent",), timeout_s=600)
    agent, listener = start(play)
    play.passes(1.0)
    listener.statuses = [0]
    agent.program.prints("between\n")
    play.passes(1.0)
    assert len(listener.requests) == 2
    play.freeze()
    play.passes(600.0)
    assert len(listener.requests) == 2
    play.invoke()
    play.passes(29.0)
    assert listener.records("extension") == []
    play.passes(2.0)
    assert listener.records("extension") == ["between"]


def test_all_is_sent_before_the_end(playbook: Playbook) -> None:
    """Buffered records are sent before the SHUTDOWN event."""
    buffering = {**SUBSCRIPTION["buffering"], "timeoutMs": 30_000}
    play = playbook(extensions=("agent",))
    agent, listener = start(play, {**SUBSCRIPTION, "buffering": buffering})
    call(play, agent, "hello")
    assert listener.batches == []
    play.retire()
    assert listener.records("function") == ["hello"]
    assert agent.event["eventType"] == "SHUTDOWN"


def test_a_listener_that_hangs_does_not_hold_the_end_up(playbook: Playbook) -> None:
    """It has three tenths of the two seconds."""
    play = playbook(extensions=("agent",))
    agent, listener = start(play)
    listener.statuses = [0] * 10
    play.retire()
    assert agent.event is None
    play.passes(0.6)
    assert agent.event["eventType"] == "SHUTDOWN"


# -- subscribing -----------------------------------------------------------------------------


def test_a_second_subscription_takes_the_place_of_the_first(playbook: Playbook) -> None:
    """Of the same extension."""
    play = playbook(extensions=("agent",))
    play.begin()
    agent = play.extension("agent")
    agent.registers("INVOKE", "SHUTDOWN")
    listener = Listener(play)
    agent.subscribes({**SUBSCRIPTION, "types": ["extension"]}, TELEMETRY)
    agent.subscribes({**SUBSCRIPTION, "types": ["function"]}, TELEMETRY)
    agent.asks()
    play.runtime.asks()
    agent.program.prints("not heard\n")
    call(play, agent, "hello")
    play.passes(1.0)
    assert listener.kinds == ["function"]


def test_one_api_of_the_two(playbook: Playbook) -> None:
    """Not both, by one extension."""
    play = playbook(extensions=("agent",))
    play.begin()
    agent = play.extension("agent")
    agent.registers("SHUTDOWN")
    assert agent.subscribes(SUBSCRIPTION, TELEMETRY).status == 200
    refused = agent.subscribes(LEGACY, LOGS)
    assert (refused.status, refused.json["errorType"]) == (400, "Logs.ValidationError")


@pytest.mark.parametrize(
    ("subscription", "path", "error_type"),
    [
        (SUBSCRIPTION, TELEMETRY, "Telemetry.SubscriptionClosed"),
        (LEGACY, LOGS, "Logs.SubscriptionClosed"),
    ],
)
def test_a_late_subscription_is_refused(
    playbook: Playbook, subscription: dict[str, Any], path: str, error_type: str
) -> None:
    """Init is over."""
    play = playbook(extensions=("agent",))
    play.begin()
    agent = play.extension("agent")
    agent.registers("SHUTDOWN")
    agent.asks()
    play.runtime.asks()
    refused = agent.subscribes(subscription, path)
    assert (refused.status, refused.json["errorType"]) == (403, error_type)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"types": []}, "types should not be empty"),
        ({"types": ["other"]}, "types should be among"),
        ({"schemaVersion": "1999-01-01"}, "schemaVersion should be one of"),
        ({"buffering": {"maxItems": 1}}, "buffering.maxItems should be between"),
        ({"buffering": {"maxBytes": 1}}, "buffering.maxBytes should be between"),
        ({"buffering": {"timeoutMs": 1}}, "buffering.timeoutMs should be between"),
        ({"buffering": {"timeoutMs": True}}, "buffering.timeoutMs should be between"),
        ({"buffering": 1}, "buffering should be an object"),
        ({"destination": None}, "destination is not provided"),
        ({"destination": {"protocol": "UDP"}}, "destination protocol should be HTTP or TCP"),
        ({"destination": {"protocol": "HTTP", "URI": "http://sandbox/x"}}, "URI port is not"),
        ({"destination": {"protocol": "HTTP"}}, "URI is not valid"),
        ({"destination": {"protocol": "TCP", "port": 0}}, "port should be between 1 and 65535"),
        ({"destination": {"protocol": "TCP", "port": 9001}}, "port 9001 is reserved"),
        (
            {"destination": {"protocol": "HTTP", "URI": "http://169.254.169.254:80/"}},
            "URI host should be sandbox.localdomain",
        ),
        ({"destination": {"protocol": "HTTP", "URI": "http://sandbox:9001/"}}, "reserved"),
        ({"destination": {"protocol": "HTTP", "URI": "https://sandbox:80/"}}, "scheme"),
        (
            {"destination": {"protocol": "HTTP", "URI": "http://sandbox:80/\r\nX: y"}},
            "URI is not valid",
        ),
        (
            {"destination": {**SUBSCRIPTION["destination"], "method": "GET"}},
            "destination method should be POST or PUT",
        ),
        (
            {"destination": {**SUBSCRIPTION["destination"], "encoding": "XML"}},
            "destination encoding should be JSON",
        ),
    ],
)
def test_what_cannot_be_subscribed(
    playbook: Playbook, change: dict[str, Any], message: str
) -> None:
    """A validation error that names what is wrong; the function is not affected."""
    play = playbook(extensions=("agent",))
    play.begin()
    agent = play.extension("agent")
    agent.registers("SHUTDOWN")
    refused = agent.subscribes({**SUBSCRIPTION, **change}, TELEMETRY)
    assert refused.status == 400
    assert refused.json["errorType"] == "ValidationError"
    assert message in refused.json["errorMessage"]
    agent.asks()
    play.runtime.asks()
    assert play.state is EnvironmentState.IDLE


@pytest.mark.parametrize("body", ["nonsense", [], "[" * 10])
def test_what_is_no_subscription(playbook: Playbook, body: Any) -> None:
    """An object is needed."""
    play = playbook(extensions=("agent",))
    play.begin()
    agent = play.extension("agent")
    agent.registers("SHUTDOWN")
    refused = agent.subscribes(body, TELEMETRY)
    assert (refused.status, refused.json["errorType"]) == (400, "ValidationError")


def test_only_extensions_subscribe(playbook: Playbook) -> None:
    """And only by PUT."""
    play = playbook()
    play.begin()
    refused = play.runtime.request("PUT", TELEMETRY, b"{}")
    assert refused.json["errorType"] == "Extension.MissingExtensionIdentifier"
    assert play.runtime.request("GET", TELEMETRY).status == 405
    assert play.runtime.request("GET", "/nothing").status == 404
