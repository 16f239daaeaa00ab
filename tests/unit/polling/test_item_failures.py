"""What a function's answer says of single records."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.polling.item_failures import (
    ReadFailures,
    failed_items,
    failed_offsets,
    read_failures,
)

KNOWN = {"a", "b", "topic-0:100", "topic-0:101"}


def reported(*identifiers: Any) -> bytes:
    failures = [{"itemIdentifier": identifier} for identifier in identifiers]
    return json.dumps({"batchItemFailures": failures}).encode()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b" {} ",
        b"[]",
        b'""',
        b'{"batchItemFailures": []}',
        b'{"batchItemFailures": null}',
        b'{"state": {"n": 1}}',
        b'{"statusCode": 200}',
    ],
)
def test_all_succeeded(payload: bytes) -> None:
    """Where an answer names no failures."""
    assert failed_items(payload, KNOWN) == frozenset()
    assert failed_offsets(payload, KNOWN) == frozenset()


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        b"\xff",
        b"NaN",
        b"[" * 100_000,
        b" ",
        b"0",
        b"false",
        b"true",
        b"12.5",
        b'"a"',
        b'["a"]',
        b'[{"itemIdentifier": "a"}]',
        b'{"batchItemFailures": {}}',
        b'{"batchItemFailures": ""}',
        b'{"batchItemFailures": false}',
        b'{"batchItemFailures": "a"}',
        b'{"batchItemFailures": ["a"]}',
        b'{"batchItemFailures": [null]}',
        b'{"batchItemFailures": [{"identifier": "a"}]}',
        b'{"batchItemFailures": [{"itemIdentifier": "a"}, {}]}',
        reported(""),
        reported(None),
        reported(123),
        reported(["a"]),
        reported("c"),
        reported("a", "c"),
    ],
    ids=range(26),
)
def test_the_whole_batch_failed(payload: bytes) -> None:
    """Where an answer cannot be understood, or names what was not in the batch."""
    assert failed_items(payload, KNOWN) is None
    assert failed_offsets(payload, KNOWN) is None


def test_what_is_no_identifier() -> None:
    """Names nothing, whatever is in the batch."""
    assert failed_items(reported(""), {""}) is None
    assert failed_items(reported(123), {"123"}) is None


def test_some_failed() -> None:
    """Those that are named, once or more often."""
    assert failed_items(reported("a"), KNOWN) == {"a"}
    assert failed_items(reported("b", "a", "a"), KNOWN) == {"a", "b"}


def test_offsets() -> None:
    """Kafka's records are named by partition and offset, not by a text."""
    one, other = ({"partition": "topic-0", "offset": offset} for offset in (100, 101))
    assert failed_offsets(reported(one), KNOWN) == {"topic-0:100"}
    assert failed_offsets(reported(one, other), KNOWN) == {"topic-0:100", "topic-0:101"}
    assert failed_items(reported(one), KNOWN) is None
    for wrong in (
        "topic-0:100",
        {},
        {"partition": "topic-0"},
        {"partition": "topic-0", "offset": 102},
        {"partition": "topic-1", "offset": 100},
        {"partition": "topic-0", "offset": "100"},
        {"partition": "topic-0", "offset": 100.0},
        {"partition": "topic-0", "offset": True},
        {"partition": 0, "offset": 100},
    ):
        assert failed_offsets(reported(one, wrong), {*KNOWN, "topic-0:True"}) is None


@given(st.sets(st.text(min_size=1)), st.data())
def test_any_of_the_batch(known: set[str], data: st.DataObject) -> None:
    """They are returned as named; an unknown one among them fails the batch."""
    failed = data.draw(st.sets(st.sampled_from(sorted(known)))) if known else set()
    assert failed_items(reported(*failed), known) == failed
    stranger = data.draw(st.text().filter(lambda text: text not in known))
    assert failed_items(reported(*failed, stranger), known) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["batchItemFailures", "itemIdentifier"]), inner)
    ),
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_answer(payload: bytes) -> None:
    """Is understood somehow, and never names what is not in the batch."""
    for read in (failed_items, failed_offsets):
        failed = read(payload, KNOWN)
        assert failed is None or failed <= KNOWN


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize("read", [failed_items, failed_offsets])
async def test_large_responses_are_read_off_the_loop(read: ReadFailures) -> None:
    """They say the same there, also when they have so many values that a process reads them."""
    for count in (1, 2_000, 60_000):
        payload = json.dumps({"batchItemFailures": [], "more": [0] * count}).encode()
        assert await read_failures(read, payload, {"a": 1}) == frozenset()
    payload = json.dumps({"batchItemFailures": 7, "more": [0] * 60_000}).encode()
    assert await read_failures(read, payload, {"a": 1}) is None
