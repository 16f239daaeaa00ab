"""Batches of PutLogEvents, and the files they go to."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambent.kit.clock import ManualClock
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.errors import ApiError
from lambent.telemetry.caller_events import CallerEvents, check_batch
from lambent.telemetry.logs import open_logs
from lambent.telemetry.queries import Bounds
from lambent.telemetry.settings import TelemetrySettings

SCOPE = Scope(AccountId("000000000000"), Region("us-east-1"))
NOW_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
EVERYTHING = Bounds(start_ms=0, end_ms=1 << 62, events_max=100, bytes_max=1 << 20)


@given(
    st.lists(st.integers(-16 * DAY_MS, 4 * HOUR_MS), min_size=1, max_size=20).map(sorted),
    st.sampled_from([0, NOW_MS - DAY_MS]),
)
def test_events_are_kept_or_rejected(ages: list[int], oldest_ms: int) -> None:
    """The indexes of the response tell exactly which."""
    events = [{"timestamp": NOW_MS + age, "message": str(at)} for at, age in enumerate(ages)]
    if ages[-1] - ages[0] > DAY_MS:
        with pytest.raises(ApiError, match="24"):
            check_batch(events, NOW_MS, oldest_ms)
        return
    batch = check_batch(events, NOW_MS, oldest_ms)
    rejected = batch.rejected
    first = max(
        rejected.get("tooOldLogEventEndIndex", 0), rejected.get("expiredLogEventEndIndex", 0)
    )
    last = rejected.get("tooNewLogEventStartIndex", len(events))
    assert [int(message) for _, message in batch.events] == list(range(first, last))
    for number, age in enumerate(ages):
        is_kept = max(NOW_MS - 14 * DAY_MS, oldest_ms) <= NOW_MS + age <= NOW_MS + 2 * HOUR_MS
        assert is_kept == (first <= number < last)


def files_of(root: Path) -> list[Path]:
    """All segments."""
    return list(root.rglob("*.log"))


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.anyio
async def test_batches_share_a_file(tmp_path: Path) -> None:
    """However many there are, and what is not written is refused."""
    clock = ManualClock()
    async with open_logs(TelemetrySettings(), tmp_path, clock) as logs:
        callers = CallerEvents(logs, clock)
        await logs.create_group(*SCOPE, "g")
        for number in range(20):
            await callers.put(SCOPE, "g", "s", [(NOW_MS, b"%d" % number)])
        assert len(files_of(tmp_path)) == 1
        with full_disk(), pytest.raises(ApiError) as caught:
            await callers.put(SCOPE, "g", "s", [(NOW_MS, b"lost")])
        assert caught.value.status == 503
        await callers.put(SCOPE, "g", "s", [(NOW_MS, b"after")])
        page = await logs.stream_page(*SCOPE, "g", "s", EVERYTHING, 0, is_forward=True)
        assert [event.message for event in page][-2:] == [b"19", b"after"]


@pytest.mark.anyio
async def test_streams_are_closed_when_others_are_used(tmp_path: Path) -> None:
    """Descriptors are bounded."""
    clock = ManualClock()
    async with open_logs(TelemetrySettings(), tmp_path, clock) as logs:
        callers = CallerEvents(logs, clock)
        before = len(os.listdir("/dev/fd"))
        for number in range(150):
            await callers.put(SCOPE, "g", f"s{number}", [(NOW_MS, b"x")])
        await logs.flush()
        assert len(os.listdir("/dev/fd")) - before <= 70
