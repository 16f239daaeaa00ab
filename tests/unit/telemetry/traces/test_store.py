"""The store of traces: bounded, separate for each account, and the first thing that a full disk
costs."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.telemetry.settings import TelemetrySettings
from lambent.telemetry.traces.database import TRACE_BYTES_MAX, TraceDatabase
from lambent.telemetry.traces.documents import (
    DOCUMENT_BYTES_MAX,
    Malformed,
    make_segment,
    read_segment,
)
from lambent.telemetry.traces.received import ReceivedSegment, ReceivedText
from lambent.telemetry.traces.store import TraceStore

pytestmark = pytest.mark.anyio

SCOPE = Scope(AccountId("111111111111"), Region("us-east-1"))
OTHER = Scope(AccountId("222222222222"), Region("us-east-1"))
NOW = 1_700_000_000.0


def trace_id(number: int = 1, at: float = NOW) -> str:
    return f"1-{int(at):08x}-{number:024x}"


def document(number: int = 1, **more: Any) -> dict[str, Any]:
    made = {
        "id": f"{number:016x}",
        "trace_id": trace_id(),
        "name": "shop",
        "start_time": NOW,
        "end_time": NOW + 1,
    }
    return {**made, **more}


def received(number: int = 1, **more: Any) -> ReceivedSegment:
    return ReceivedSegment(read_segment(json.dumps(document(number, **more))))


class Own:
    """What the platform has recorded."""

    size = 100

    def __init__(self, **more: Any) -> None:
        self._document = document(**more)

    def segments(self) -> Iterator[Any]:
        yield make_segment(self._document, is_own=True)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[TraceDatabase]:
    opened = TraceDatabase(tmp_path / "traces.db")
    yield opened
    opened.close()


@pytest.fixture
def store(database: TraceDatabase, tmp_path: Path) -> TraceStore:
    return TraceStore(database, tmp_path, TelemetrySettings(), ManualClock(NOW))


async def documents(store: TraceStore, scope: Scope = SCOPE, name: str = "") -> list[Any]:
    name = name or trace_id()
    return list((await store.read(scope, [name])).get(name, ()))


async def test_a_trace_belongs_to_its_account(store: TraceStore) -> None:
    """The same trace ID in another account is another trace."""
    store.record(SCOPE, received(1))
    store.record(OTHER, received(2))
    assert [each["id"] for each in await documents(store)] == [f"{1:016x}"]
    assert [each["id"] for each in await documents(store, OTHER)] == [f"{2:016x}"]


async def test_what_the_platform_made_stays(store: TraceStore) -> None:
    """A function that sends a segment with the ID of its own function's segment changes nothing."""
    store.record(SCOPE, Own(name="real"))
    store.record(SCOPE, received(name="forged"))
    assert [each["name"] for each in await documents(store)] == ["real"]
    store.record(SCOPE, Own(name="again"))
    assert [each["name"] for each in await documents(store)] == ["again"]


async def test_a_segment_in_progress_is_replaced_once(store: TraceStore) -> None:
    """What is complete stays if a part of it arrives late."""
    progress = document(in_progress=True, name="begun")
    del progress["end_time"]
    begun = ReceivedSegment(read_segment(json.dumps(progress)))
    store.record(SCOPE, begun)
    assert (await documents(store))[0]["name"] == "begun"
    store.record(SCOPE, received())
    store.record(SCOPE, begun)
    assert (await documents(store))[0]["name"] == "shop"


async def test_a_trace_is_bounded(store: TraceStore) -> None:
    """What functions send beyond the limit is dropped; what the platform makes is kept."""
    for number in range(1, 30):
        store.record(SCOPE, received(number, metadata={"a": "x" * 30_000}))
    found = await documents(store)
    assert 10 < len(found) < 20
    assert sum(len(json.dumps(each)) for each in found) < TRACE_BYTES_MAX
    store.record(SCOPE, Own(id="f" * 16))
    assert len(await documents(store)) == len(found) + 1


async def test_the_queue_is_bounded(store: TraceStore, caplog: pytest.LogCaptureFixture) -> None:
    """A flood between two writes costs neither memory nor time, and is said once."""
    flood = ReceivedText("x" * 60_000)
    assert sum(store.record(SCOPE, flood) for _ in range(20_000)) * 60_000 <= 16 << 20
    await store.write()
    assert caplog.text.count("were dropped: too many at once") == 1
    assert store.record(SCOPE, received())


async def test_lists_are_by_time(store: TraceStore) -> None:
    """The latest first, page by page; by the beginning or by any event."""
    for number in range(1, 6):
        at = NOW + number * 10
        store.record(
            SCOPE,
            received(1, trace_id=trace_id(number, at), start_time=at, end_time=at + 15),
        )
    first = await store.list(SCOPE, start=NOW + 20, end=NOW + 50, limit=2)
    assert [each.began for each in first] == [NOW + 40, NOW + 30]
    rest = await store.list(SCOPE, start=NOW + 20, end=NOW + 50, before=first[-1], limit=2)
    assert [each.began for each in rest] == [NOW + 20]
    touched = await store.list(SCOPE, start=NOW + 30, end=NOW + 31, by_event=True, limit=9)
    assert [each.began for each in touched] == [NOW + 30, NOW + 20]
    assert not await store.list(OTHER, start=0, end=NOW * 2, limit=9)


async def test_old_traces_are_deleted(database: TraceDatabase, store: TraceStore) -> None:
    """By age, and the oldest tenth when there are too many bytes."""
    for number in range(1, 21):
        at = NOW + number
        more = {"trace_id": trace_id(number, at), "start_time": at, "end_time": at}
        store.record(SCOPE, received(1, metadata={"a": "x" * 10_000}, **more))
    await store.write()
    database.forget(NOW + 5, 1 << 30)
    assert len(await store.list(SCOPE, start=0, end=NOW * 2, limit=99)) == 16
    database.forget(0, 10_000)
    left = await store.list(SCOPE, start=0, end=NOW * 2, limit=99)
    assert [each.began for each in left][-1] == NOW + 7
    assert not await documents(store, name=trace_id(5, NOW + 5))


async def test_a_full_disk_drops_traces_and_says_so(
    database: TraceDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, as long as it lasts; later traces are kept again."""
    free = 0
    store = TraceStore(database, tmp_path, TelemetrySettings(), ManualClock(NOW), lambda _: free)
    with caplog.at_level(logging.WARNING):
        for number in (1, 2, 3):
            store.record(SCOPE, received(number))
            await store.write()
        assert not await documents(store)
        assert caplog.text.count("cannot write traces, they are dropped") == 1
        free = 1 << 40
        store.record(SCOPE, received(4))
        assert [each["id"] for each in await documents(store)] == [f"{4:016x}"]
        assert "traces are written again" in caplog.text


async def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    """The platform starts with an empty one."""
    file = tmp_path / "damaged.db"
    file.write_bytes(b"no database" * 1000)
    TraceDatabase(file).close()
    assert (tmp_path / "damaged.db.damaged").exists()


DEEP: Any = []
for _ in range(100):
    DEEP = [DEEP]
BAD: list[tuple[str, dict[str, Any]]] = [
    ("InvalidTraceId", {"trace_id": "1-2-3"}),
    ("InvalidTraceId", {"trace_id": None}),
    ("InvalidId", {"id": "xyz"}),
    ("InvalidId", {"id": 7}),
    ("InvalidId", {"type": "subsegment"}),
    ("InvalidName", {"name": ""}),
    ("InvalidName", {"name": "x" * 300}),
    ("InvalidTime", {"start_time": "now"}),
    ("InvalidTime", {"start_time": True}),
    ("InvalidTime", {"start_time": 1e300}),
    ("InvalidEndTime", {"end_time": 1.0}),
    ("InvalidField", {"annotations": [1]}),
    ("InvalidField", {"http": "GET"}),
    ("InvalidSubsegments", {"subsegments": {"a": 1}}),
    ("InvalidSubsegments", {"subsegments": [1]}),
    ("InvalidName", {"subsegments": [{"id": "0" * 16, "start_time": 1, "end_time": 2}]}),
    ("ParseError", {"metadata": DEEP}),
    ("InvalidId", {"parent_id": ["a"]}),
    ("InvalidId", {"parent_id": {}}),
    ("DocumentTooLarge", {"metadata": "x" * DOCUMENT_BYTES_MAX}),
]


@pytest.mark.parametrize(("code", "change"), BAD)
def test_malformed_documents(code: str, change: dict[str, Any]) -> None:
    """They are refused with a code, and never stored."""
    with pytest.raises(Malformed) as caught:
        read_segment(json.dumps(document(**change)))
    assert caught.value.code == code


def test_a_number_that_no_json_has() -> None:
    """It would become `Infinity` in the response."""
    with pytest.raises(Malformed, match="too large"):
        read_segment(json.dumps(document(annotations={"a": "N"})).replace('"N"', "1e999"))


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "NaN", "[" * 50_000, '{"id": NaN}'])
def test_texts_that_are_no_documents(text: str) -> None:
    """JSON of another kind, and none."""
    with pytest.raises(Malformed) as caught:
        read_segment(text)
    assert caught.value.code == "ParseError"


def test_a_lone_surrogate_is_kept_in_ascii() -> None:
    """Texts that UTF-8 cannot express neither break the file nor the response."""
    made = read_segment(json.dumps(document(name="\ud800")))
    assert made.text.isascii()


def test_w3c_ids() -> None:
    """32 digits name the same trace as X-Ray's form."""
    made = read_segment(json.dumps(document(trace_id=trace_id()[2:].replace("-", ""))))
    assert made.trace_id == trace_id()
