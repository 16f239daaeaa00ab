"""Metrics in log lines: what libraries write is recorded, and hostile documents cost little."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.arn import AccountId, Region, Scope
from lambent.telemetry.embedded_metrics import MARK, EmbeddedMetrics

SCOPE = Scope(AccountId("111111111111"), Region("us-east-1"))
NOW_MS = 1_800_000_000_000


def document(**more: Any) -> dict[str, Any]:
    """As Powertools writes it."""
    directive = {
        "Namespace": "Shop",
        "Dimensions": [["service"]],
        "Metrics": [{"Name": "Orders", "Unit": "Count"}, {"Name": "Wait", "Unit": "Milliseconds"}],
    }
    about = {"Timestamp": NOW_MS, "CloudWatchMetrics": [directive]}
    return {"_aws": about, "service": "web", "Orders": [1.0, 2.0], "Wait": 3.5, **more}


def recorded(*lines: Any) -> dict[tuple[str, str, Any], tuple[float, float]]:
    """Count and sum by namespace, name and dimensions."""
    embedded = EmbeddedMetrics()
    for line in lines:
        text = line if isinstance(line, bytes) else json.dumps(line).encode()
        embedded.note(SCOPE, NOW_MS, text)
    work = embedded.take()
    points = work() if work is not None else []
    return {
        (key.namespace, key.name, key.dimensions): (values.count, values.sum)
        for (key, _), values in points
    }


def test_what_libraries_write() -> None:
    """Values, arrays and dimensions; lines of one minute are added up."""
    of_service = (("service", "web"),)
    once = recorded(document())
    assert once == {
        ("Shop", "Orders", of_service): (2, 3.0),
        ("Shop", "Wait", of_service): (1, 3.5),
    }
    assert recorded(document(), document())["Shop", "Orders", of_service] == (4, 6.0)
    prefixed = b"2026-11-30T10:00:00.000Z\tid\tINFO\t" + json.dumps(document()).encode()
    assert recorded(prefixed) == once
    assert MARK in prefixed


@pytest.mark.parametrize(
    "directive",
    [
        {"Namespace": "AWS/Lambda"},
        {"Namespace": ""},
        {"Namespace": 5},
        {"Namespace": "x" * 300},
        {"Namespace": "a\u0000b"},
        {"Dimensions": [["missing"]]},
        {"Dimensions": [["service"] * 31]},
        {"Dimensions": ["service"]},
        {"Metrics": "Orders"},
        {"Metrics": [{"Name": {}}]},
        {"Metrics": ["Orders", None, 5]},
        {"Metrics": [{"Name": "service"}]},
        {"Metrics": [{"Name": "_aws"}]},
    ],
)
def test_wrong_directives_record_nothing(directive: dict[str, Any]) -> None:
    """None raises."""
    wrong = document()
    wrong["_aws"]["CloudWatchMetrics"][0].update(directive)
    assert recorded(wrong) == {}


@pytest.mark.parametrize(
    "value",
    [None, True, "1", {}, [[1]], float("nan"), float("inf"), 10**400, 1e300, [], ["x"]],
)
def test_wrong_values_record_nothing(value: Any) -> None:
    """Whatever type they have."""
    found = recorded(document(Orders=value))
    assert {name for _, name, _ in found} == {"Wait"}


def test_hostile_documents_are_bounded() -> None:
    """Ten thousand names, deep nesting, many lines and values: little is recorded, and soon."""
    began = time.monotonic()
    many = document(**{f"{number}": 1 for number in range(10_000)})
    directive = many["_aws"]["CloudWatchMetrics"][0]
    directive["Metrics"] = [{"Name": f"{number}"} for number in range(5_000)]
    assert len(recorded(many)) == 100
    directive["Metrics"] = directive["Metrics"][:100]
    directive["Dimensions"] = [["service"]] * 30
    many["_aws"]["CloudWatchMetrics"] = [directive] * 10
    assert sum(count for count, _ in recorded(many).values()) <= 10_000
    values = recorded(document(Orders=[1.0] * 20_000))
    assert values["Shop", "Orders", (("service", "web"),)][0] == 100
    deep = b'{"_aws": {"CloudWatchMetrics": ' + b"[" * 100_000
    assert recorded(deep, b"{" * 200_000, b"x" * 300_000) == {}
    distinct = [json.dumps(document(service=f"s{number}")).encode() for number in range(15_000)]
    assert len(recorded(*distinct)) <= 20_000
    assert time.monotonic() - began < 60


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["Namespace", "Dimensions", "Metrics", "Name", "Unit", "a"]), inner
            )
        ),
        max_leaves=20,
    )
)
def test_any_document_is_read_without_an_error(value: Any) -> None:
    """Whatever stands where a list of directives is expected."""
    recorded({"_aws": {"CloudWatchMetrics": value, "Timestamp": value}, "a": value})
    recorded({"_aws": {"CloudWatchMetrics": [value]}, "a": 1})
