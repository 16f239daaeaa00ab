"""What the console's modules compute, in the browser that runs them."""

import base64
import json
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from lambent.gateway.protocols.event_stream import encode_event
from tests.platforms import Platform

from .conftest import open_page


@pytest.fixture(scope="module")
def console(browser: Browser, workshop: Platform) -> Any:
    """A page whose modules are imported."""
    context = browser.new_context()
    page = context.new_page()
    open_page(page, workshop, "nodes")
    yield page
    context.close()


def run(console: Page, module: str, body: str, *arguments: Any) -> Any:
    """Evaluate a function body with a module `m` and arguments `a`."""
    script = f"async (a) => {{ const m = await import('./static/{module}'); {body} }}"
    return console.evaluate(script, list(arguments))


def test_a_view_holds_no_more_than_its_limits(console: Page) -> None:
    body = """
    const lines = new m.Lines(1000, 50_000);
    for (let n = 0; n < 500; n += 1) {
      lines.add(Array.from({length: 10}, () => ({timestamp: n, group: "g", logStreamName: "s", message: "m".repeat(n % 200)})));
      if (lines.items.length > 1000 || lines.chars > 50_000) return "too many";
    }
    const chars = lines.items.reduce((sum, line) => sum + line.message.length, 0);
    return [chars === lines.chars, lines.items.length + lines.dropped, lines.items.at(-1).at];
    """  # noqa: E501
    assert run(console, "log_lines.js", body) == [True, 5000, 499]


@pytest.mark.parametrize(
    ("message", "level"),
    [
        ("[ERROR] ValueError: no\nTraceback", "error"),
        ("2026-01-01T00:00:00.000Z\tid\tWARN\tslow", "warn"),
        ('{"level":"info","message":"ERROR"}', "info"),
        ('{"severity": "CRITICAL"}', "fatal"),
        ("INFO: it works", "info"),
        ("information on errors", ""),
        ("2026-01-01T00:00:00.000Z id Task timed out after 3.00 seconds", "error"),
        ("REPORT RequestId: a\tDuration: 1 ms\tStatus: timeout", "error"),
        ("REPORT RequestId: a\tDuration: 1 ms", "platform"),
        ('{"time":"x","type":"platform.start"}', "platform"),
        ("\x1b[33mWARN\x1b[0m slow", "warn"),
        ("", ""),
    ],
)
def test_levels_of_lines(console: Page, message: str, level: str) -> None:
    assert run(console, "log_lines.js", "return m.levelOf(a[0])", message) == level


def test_frames_of_an_event_stream_are_read_in_any_chunks(console: Page) -> None:
    events = [{"n": n, "text": "ä" * n} for n in range(40)]
    frames = b"".join(
        encode_event("sessionUpdate", "application/json", json.dumps(each).encode())
        for each in events
    )
    body = """
    const bytes = Uint8Array.from(atob(a[0]), (sign) => sign.charCodeAt(0));
    const chunks = [];
    for (let at = 0; at < bytes.length; at += a[1]) chunks.push(bytes.slice(at, at + a[1]));
    const reader = {read: async () => (chunks.length ? {value: chunks.shift()} : {done: true})};
    const found = [];
    for await (const frame of m.framesOf(reader)) found.push(frame);
    return found;
    """
    encoded = base64.b64encode(frames).decode()
    for size in (1, 7, 1000, len(frames)):
        found = run(console, "live_tail.js", body, encoded, size)
        assert [frame["document"] for frame in found] == events
        assert {frame["type"] for frame in found} == {"sessionUpdate"}
    broken = base64.b64encode(b"\xff" * 40).decode()
    refused = f"try {{ {body} }} catch (error) {{ return error.code; }}"
    assert run(console, "live_tail.js", refused, broken, 9) == "Unreadable"


def test_lines_that_are_loaded_and_followed_are_shown_once(console: Page) -> None:
    body = """
    const line = (at, message) => ({at, group: "g", stream: "s", message});
    const event = (timestamp, message) => ({timestamp, group: "g", logStreamName: "s", message});
    const lines = {items: [line(1, "old"), line(5, "same"), line(5, "same"), line(6, "b")]};
    const arrived = [event(5, "same"), event(5, "same"), event(5, "same"), event(6, "b"), event(7, "new")];
    return m.without(lines, arrived).map((each) => each.message);
    """  # noqa: E501
    assert run(console, "pages/logs/load.js", body) == ["same", "new"]


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ('{"requestContext":{},"requestPayload":12345678901234567890}', "12345678901234567890"),
        ('{"requestContext":{},"requestPayload": {"a":"}\\"],"} , "b":1}', '{"a":"}\\"],"}'),
        ('{"a":{"requestPayload":1},"requestContext":{},"requestPayload":[1,[2]]}', "[1,[2]]"),
        ('{"a":"requestPayload","requestContext":{},"requestPayload":"requestPayload"}',
         '"requestPayload"'),
        ('{"requestPayload":1}', None),
        ('[{"requestContext":{},"requestPayload":1}]', None),
        ("no JSON", None),
    ],
)  # fmt: skip
def test_the_event_of_a_record_is_its_text(console: Page, text: str, payload: str | None) -> None:
    body = 'return m.memberText(a[0], "requestPayload")'
    assert run(console, "redriving.js", body, text) == payload


def test_cells_of_a_spreadsheet_are_no_formulas(console: Page) -> None:
    cells = {"=1+1": '"\'=1+1"', "-3": '"-3"', 'a"b': '"a""b"', "@x": '"\'@x"', "+": '"\'+"'}
    body = "return a[0].map(m.csvCell)"
    assert run(console, "pages/logs/query.js", body, list(cells)) == list(cells.values())


def test_a_graph_has_places_for_all_even_in_a_circle(console: Page) -> None:
    template = {
        "Resources": {
            "A": {"Properties": {"X": {"Fn::Sub": "${B.Arn}/${!C}/${AWS::Region}"}}},
            "B": {"DependsOn": ["C"], "Properties": {"Y": [{"Ref": "C"}, {"Ref": "Nothing"}]}},
            "C": {"Properties": {"Z": {"Fn::GetAtt": "D.Arn"}}},
            "D": {"Properties": {"Z": {"Fn::GetAtt": ["C", "Arn"]}}},
        }
    }
    body = """
    const edges = m.dependencies(a[0]);
    return [Object.fromEntries(edges), m.layout([...edges.keys()], edges).length, m.dependencies("a: b")];
    """  # noqa: E501
    edges, count, other = run(console, "stack_graph.js", body, json.dumps(template))
    assert edges == {"A": ["B"], "B": ["C"], "C": ["D"], "D": ["C"]}
    assert (count, other) == (4, None)


def test_a_timeline_shows_every_segment_once(console: Page) -> None:
    """Also where a client sends nonsense: parents in a circle, and no times."""
    documents = [
        {"id": "1", "name": "a", "start_time": 10, "end_time": 12, "subsegments": [
            {"id": "2", "name": "b", "start_time": 11, "end_time": 12, "fault": True}]},
        {"id": "3", "name": "c", "parent_id": "2", "start_time": 11.5, "end_time": 11.6},
        {"id": "4", "name": "self", "parent_id": "4", "start_time": 10.5},
        {"id": "5", "name": "no times"},
    ]  # fmt: skip
    segments = [{"Document": json.dumps(each)} for each in documents] + [{"Document": "{"}]
    body = "return m.timelineOf(a[0]).rows.map((row) => [row.name, row.depth, row.state])"
    assert run(console, "trace_tree.js", body, segments) == [
        ["a", 0, "ok"],
        ["b", 1, "fault"],
        ["c", 2, "ok"],
        ["self", 0, "ok"],
    ]
