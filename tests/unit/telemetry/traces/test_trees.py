"""Traces as trees and graphs, and the filters that search them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.telemetry.traces.facts import read_trace
from lambent.telemetry.traces.filters import InvalidFilter, read_filter
from lambent.telemetry.traces.graphs import make_graph
from lambent.telemetry.traces.trees import assemble, walk

TRACE = "1-5759e988-bd862e3fe1be46a994272793"


def part(id: int, name: str, start: float, end: float, **more: Any) -> dict[str, Any]:
    made = {"id": f"{id:016x}", "name": name, "start_time": start, "end_time": end}
    return {**made, "trace_id": TRACE, **more}


def parent(id: int) -> dict[str, Any]:
    return {"parent_id": f"{id:016x}"}


def documents() -> list[dict[str, Any]]:
    """A client calls shop, which calls DynamoDB and the function stock, which fails."""
    request = {"method": "POST", "url": "https://shop.example.com/buy", "user_agent": "curl/8"}
    http = {"request": {**request, "client_ip": "10.0.0.1"}, "response": {"status": 500}}
    of_lambda = {"namespace": "aws", "subsegments": []}
    return [
        part(1, "shop", 10, 14, http=http, origin="AWS::EC2::Instance", fault=True),
        part(2, "Lambda", 11, 13, type="subsegment", **parent(1), **of_lambda),
        part(3, "stock", 11.1, 12.9, **parent(2), origin="AWS::Lambda", fault=True),
        part(4, "stock", 11.2, 12.8, **parent(3), origin="AWS::Lambda::Function", fault=True),
        part(
            5,
            "## handler",
            11.3,
            12,
            type="subsegment",
            **parent(4),
            annotations={"customer": "7", "items": 3, "gift": True},
            user="ann",
        ),
        part(6, "DynamoDB", 11.4, 11.5, type="subsegment", **parent(5), namespace="aws"),
        part(7, "example.org", 11.6, 11.7, type="subsegment", **parent(5), namespace="remote"),
    ]


def test_subsegments_join_their_segments() -> None:
    """Also those within others, whatever the order of arrival."""
    for order in (documents(), documents()[::-1]):
        shop, service, function = assemble(order)
        assert [shop["name"], service["origin"]] == ["shop", "AWS::Lambda"]
        assert shop["subsegments"][0]["name"] == "Lambda"
        (handler,) = function["subsegments"]
        assert [each["name"] for each in handler["subsegments"]] == ["DynamoDB", "example.org"]


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), max_size=12))
def test_every_subsegment_is_somewhere(links: list[tuple[int, int]]) -> None:
    """Circles and subsegments without a parent as well; each appears once."""
    given_ = {each: part(each, "x", 1, 2, type="subsegment", **parent(of)) for each, of in links}
    names = [inner["id"] for top in assemble(list(given_.values())) for inner in walk(top)]
    assert sorted(names) == sorted(each["id"] for each in given_.values())


def test_a_long_chain_ends() -> None:
    """Deep trees can still be written as JSON."""
    chain = [
        part(each, "x", 1, 2, type="subsegment", **parent(each - 1)) for each in range(2, 2000)
    ]
    found = assemble([part(1, "top", 1, 2), *chain])
    assert sum(1 for top in found for _ in walk(top)) == 1999
    assert json.dumps(found)


def test_a_graph_has_the_services_and_their_edges() -> None:
    """A service that sends nothing is there, too, and the client."""
    services = {
        (service.node.name, service.node.type): service
        for service in make_graph([read_trace(TRACE, documents())] * 2)
    }
    numbers = {service.number: name for name, service in services.items()}
    edges = {
        (name, numbers[target]) for name, service in services.items() for target in service.edges
    }
    function = ("stock", "AWS::Lambda::Function")
    assert edges == {
        (("shop", "client"), ("shop", "AWS::EC2::Instance")),
        (("shop", "AWS::EC2::Instance"), ("stock", "AWS::Lambda")),
        (("stock", "AWS::Lambda"), function),
        (function, ("DynamoDB", "AWS::DynamoDB")),
        (function, ("example.org", "remote")),
    }
    assert services[function].statistics.faults == 2
    assert services[("DynamoDB", "AWS::DynamoDB")].statistics.ok == 2
    assert services[("shop", "AWS::EC2::Instance")].is_root


TRUE = [
    "",
    "fault",
    "fault = true",
    "!ok",
    "ok = false AND !throttle",
    "duration >= 4 AND responsetime < 5",
    "http.status = 500",
    'http.url BEGINSWITH "https://shop" AND http.method = "POST"',
    'http.useragent CONTAINS "curl" AND http.clientip ENDSWITH ".1"',
    'annotation.customer = "7"',
    "annotation[items] > 2.5",
    "annotation.gift = true",
    "annotation.customer",
    'user = "ann"',
    'service("stock")',
    'service("stock") { fault = true AND responsetime < 2 }',
    'service(id(name: "stock", type: "AWS::Lambda::Function")) { annotation.items = 3 }',
    'service("DynamoDB") { ok }',
    'edge("shop", "stock")',
    'edge(id(name: "stock"), "example.org") { inferred }',
    'service("nothing") OR (throttle OR (fault))',
    "NOT throttle",
    'annotation.other != "7"',
]
FALSE = [
    "ok",
    "throttle",
    "error",
    "partial",
    "duration > 4",
    "http.status = 200",
    'http.url = "x"',
    "annotation.customer = 7",
    "annotation.other",
    'annotation.customer != "7"',
    'service("nothing")',
    'service("DynamoDB") { fault }',
    'edge("stock", "shop")',
    '!service("stock")',
    "fault AND ok",
]


@pytest.mark.parametrize("text", TRUE)
def test_filters_that_accept(text: str) -> None:
    """The forms that X-Ray documents."""
    assert read_filter(text)(read_trace(TRACE, documents()))


@pytest.mark.parametrize("text", FALSE)
def test_filters_that_do_not(text: str) -> None:
    """The same forms, with what is not so."""
    assert not read_filter(text)(read_trace(TRACE, documents()))


@pytest.mark.parametrize(
    "text",
    [
        "AND",
        "fault =",
        "duration > true",
        "duration CONTAINS 3",
        "unknown = 1",
        "fault fault",
        "(fault",
        'service("a"',
        'service("a") {',
        '"a"',
        "annotation",
        "annotation[",
        "fault = 1",
        "http.body = 1",
        "! " * 3000,
        "(" * 4000,
        "!" * 4000,
        "fault OR",
        "é",
        'user = "',
        "x" * 5000,
    ],
)
def test_texts_that_are_no_filters(text: str) -> None:
    """They are refused, however they are nested."""
    with pytest.raises(InvalidFilter):
        read_filter(text)


@given(st.text(alphabet='abfault =!<>"(){}[],.:1ANDOR', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else is raised."""
    try:
        accepts = read_filter(text)
    except InvalidFilter:
        return
    assert accepts(read_trace(TRACE, documents())) in (True, False)
