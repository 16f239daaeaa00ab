"""Trace headers of X-Ray and W3C: read, written, and what becomes of those that are neither."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.model.traces import (
    TraceContext,
    passed_on,
    read_header,
    read_traceparent,
    trace_id_of,
    trace_id_of_request,
    traceparent_of,
)

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
PARENT = "53995c3f42cd8ad8"
W3C = f"00-5759e988bd862e3fe1be46a994272793-{PARENT}-01"
CONTEXTS = st.builds(
    TraceContext,
    root=st.from_regex(r"1-[0-9a-f]{8}-[0-9a-f]{24}", fullmatch=True),
    parent=st.none() | st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    is_sampled=st.sampled_from([None, True, False]),
    rest=st.sampled_from(["", "Lineage=1:a87bd80c:1", "Lineage=1:a87bd80c:1;Other=x"]),
)


@given(CONTEXTS)
def test_headers_are_read_as_they_were_written(context: TraceContext) -> None:
    """Whatever a header says, the lineage and unknown fields included."""
    assert read_header(context.header()) == context


@given(st.text(max_size=80) | st.from_regex(r"Root=[0-9a-fA-F-]{0,40};?.{0,40}"))
def test_no_text_is_mistaken(text: str) -> None:
    """A header is read or it is none; nothing raises, and what is passed on has one line."""
    context = read_header(text)
    assert context is None or re.fullmatch(r"1-[0-9a-f]{8}-[0-9a-f]{24}", context.root)
    read_traceparent(text)
    for made in (trace_id_of(text), passed_on(text)):
        assert made.isascii()
        assert made.isprintable()
        assert " " not in made


@pytest.mark.parametrize(
    ("text", "sampled"),
    [("Sampled=1", True), ("Sampled=0", False), ("Sampled=?", None), ("Sampled=2", None)],
)
def test_the_decision(text: str, sampled: bool | None) -> None:
    """Only 0 and 1 are decisions."""
    context = read_header(f"Root={ROOT};Parent={PARENT};{text}")
    assert context is not None
    assert context.is_sampled is sampled


def test_what_a_function_gets_that_is_not_traced() -> None:
    """A decision is passed on; without one the call is not sampled, and the header is complete."""
    decided = f"Root={ROOT};Parent={PARENT};Sampled=1"
    assert passed_on(decided) == decided
    assert passed_on(f"Root={ROOT};Parent={PARENT}") == f"Root={ROOT};Parent={PARENT};Sampled=0"
    for given_ in (None, f"Root={ROOT}", "a b"):
        made = read_header(passed_on(given_))
        assert made is not None
        assert made.is_sampled is False
        assert made.parent is not None


def test_a_request_without_a_header_begins_a_trace_that_is_not_decided() -> None:
    """As API Gateway and function URLs show it: only a root."""
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", trace_id_of(None))


def test_traceparent_becomes_a_trace_header_and_back() -> None:
    """The trace's digits stay the same. X-Ray's own header comes first."""
    header = f"Root={ROOT};Parent={PARENT};Sampled=1"
    assert trace_id_of_request(None, W3C) == header
    assert traceparent_of(header) == W3C
    assert traceparent_of(f"Root={ROOT};Parent={PARENT}") == W3C[:-1] + "0"
    assert trace_id_of_request(f"Root={ROOT}", W3C) == f"Root={ROOT}"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        W3C.upper(),
        W3C.replace("00-", "ff-", 1),
        f"{W3C}-more",
        W3C.replace(PARENT, "0" * 16),
        f"00-{'0' * 32}-{PARENT}-01",
        W3C[:-1],
    ],
)
def test_invalid_traceparents(text: str | None) -> None:
    """They are ignored, as W3C says."""
    assert read_traceparent(text) is None
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", trace_id_of_request(None, text))


def test_a_later_version_of_traceparent_is_read() -> None:
    """Its further fields are ignored."""
    context = read_traceparent(f"cc{W3C[2:]}-what-comes")
    assert context is not None
    assert context.parent == PARENT
