"""The log store: what is appended is found, whatever happens in between, within bounds."""

import os
import resource
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from lambent.kit.clock import ManualClock, SystemClock
from lambent.model.arn import Scope
from lambent.telemetry import segments
from lambent.telemetry.lines import LINE_BYTES_MAX
from lambent.telemetry.logs import LogStore, open_logs
from lambent.telemetry.queries import Bounds, event_key
from lambent.telemetry.segments import LogEvent
from lambent.telemetry.settings import TelemetrySettings

pytestmark = pytest.mark.anyio

SCOPE = ("000000000000", "us-east-1")
GROUP = "/aws/lambda/hello"
STREAM = "2024/01/31/[$LATEST]3893xmpl7fac4485b47bb75b671a283c"
BEGIN_MS = 1_700_000_000_000
QUIET = TelemetrySettings(flush_every_s=1e9)
"""Nothing is written except when a reader reads."""


def everything(**more: int) -> Bounds:
    values = {"start_ms": 0, "end_ms": 1 << 62, "events_max": 10_000, "bytes_max": 1 << 20}
    return Bounds(**{**values, **more})


async def messages(logs: LogStore, group: str = GROUP, stream: str = STREAM) -> list[bytes]:
    """All messages of a stream, which end with a newline each."""
    page = await logs.stream_page(*SCOPE, group, stream, everything(), 0, is_forward=True)
    return [text_of(event) for event in page]


def text_of(event: LogEvent) -> bytes:
    """A message without the newline that each has."""
    assert event.message.endswith(b"\n")
    return event.message[:-1]


async def grouped(
    logs: LogStore,
    bounds: Bounds,
    *,
    after: tuple[int, int, int] | None = None,
    matches: Callable[[str], bool] = lambda _: True,
) -> tuple[list[tuple[str, LogEvent]], bool]:
    names = await logs.stream_names(*SCOPE, GROUP) or []
    return await logs.group_page(*SCOPE, GROUP, names, bounds, matches, after)


@asynccontextmanager
async def opened(root: Path, settings: TelemetrySettings = QUIET) -> AsyncIterator[LogStore]:
    async with open_logs(settings, root, ManualClock()) as logs:
        yield logs


async def test_readers_see_what_was_appended_before(tmp_path: Path) -> None:
    """Written to disk yet or not."""
    async with opened(tmp_path) as logs:
        writer = logs.open_stream(*SCOPE, GROUP, STREAM)
        writer.append(BEGIN_MS, b"one")
        assert await messages(logs) == [b"one"]
        writer.append(BEGIN_MS, b"two\nlines \xff")
        assert await messages(logs) == [b"one", b"two\nlines \xff"]
        assert await logs.stream_names(*SCOPE, GROUP) == [STREAM]


async def test_what_is_appended_reaches_the_disk_by_itself(tmp_path: Path) -> None:
    """The flusher writes, also for streams that are closed; and the end of the room does."""
    async with open_logs(TelemetrySettings(flush_every_s=0.01), tmp_path, SystemClock()) as logs:
        writer = logs.open_stream(*SCOPE, GROUP, STREAM)
        writer.append(BEGIN_MS, b"by the flusher")
        writer.close()
        with anyio.fail_after(20):
            while logs.dirty or not segment_files(tmp_path):  # noqa: ASYNC110 - a file's coming
                await anyio.sleep(0.01)
    async with opened(tmp_path) as logs:
        logs.open_stream(*SCOPE, GROUP, "other").append(BEGIN_MS, b"at the end")
    async with opened(tmp_path) as logs:
        assert await messages(logs) == [b"by the flusher"]
        assert await messages(logs, stream="other") == [b"at the end"]


async def test_accounts_and_regions_are_apart(tmp_path: Path) -> None:
    """One does not see the other's groups."""
    async with opened(tmp_path) as logs:
        logs.open_stream(*SCOPE, GROUP, STREAM).append(BEGIN_MS, b"x")
        assert [group.name for group in await logs.describe_groups(*SCOPE)] == [GROUP]
        assert await logs.describe_groups("111111111111", "us-east-1") == []
        assert await logs.describe_groups("000000000000", "eu-west-1") == []
        assert await logs.stream_names("111111111111", "us-east-1", GROUP) is None


@pytest.mark.parametrize(
    "name",
    ["../../../escape", "/", "..", ".", "a/b/[$LATEST]", "x" * 512, "name", "\u00e4\0\n", ""],
)
async def test_any_name_is_a_name(tmp_path: Path, name: str) -> None:
    """Hostile names of groups and streams stay in the directory and are found again."""
    root = tmp_path / "logs"
    async with opened(root) as logs:
        logs.open_stream(*SCOPE, name, name).append(BEGIN_MS, b"here")
    async with opened(root) as logs:
        assert [group.name for group in await logs.describe_groups(*SCOPE)] == [name]
        assert await logs.stream_names(*SCOPE, name) == [name]
        assert await messages(logs, name, name) == [b"here"]
    assert os.listdir(tmp_path) == ["logs"]


@pytest.mark.parametrize("torn", [1, 10, 25])
async def test_a_torn_event_is_ignored(tmp_path: Path, torn: int) -> None:
    """After a crash in the middle of a write the rest is there, and more can be logged."""
    async with opened(tmp_path) as logs:
        writer = logs.open_stream(*SCOPE, GROUP, STREAM)
        writer.append(BEGIN_MS, b"whole")
        writer.append(BEGIN_MS, b"torn apart")
    (path,) = segment_files(tmp_path)
    path.write_bytes(path.read_bytes()[:-torn])
    async with opened(tmp_path) as logs:
        assert await messages(logs) == [b"whole"]
        logs.open_stream(*SCOPE, GROUP, STREAM).append(BEGIN_MS, b"later")
        assert await messages(logs) == [b"whole", b"later"]


async def test_what_else_lies_in_the_directory_is_left_alone(tmp_path: Path) -> None:
    """Files of others, directories without a name, odd segments: no reader stumbles."""
    async with opened(tmp_path) as logs:
        logs.open_stream(*SCOPE, GROUP, STREAM).append(BEGIN_MS, b"x")
        await logs.flush()
        (segment,) = segment_files(tmp_path)
        (tmp_path / "README").write_text("hello")
        (tmp_path / SCOPE[0] / "file").write_text("hello")
        (segment.parent / "odd.log").write_text("hello")
        (segment.parent.parent / "unnamed").mkdir()
        logs.trim()
        assert len(await logs.describe_groups(*SCOPE)) == 1
        assert [stream.name for stream in await logs.describe_streams(*SCOPE, GROUP) or []] == [
            STREAM
        ]
        assert await messages(logs) == [b"x"]


async def test_long_messages_are_cut(tmp_path: Path) -> None:
    """600 KiB are three events."""
    async with opened(tmp_path) as logs:
        logs.open_stream(*SCOPE, GROUP, STREAM).append(BEGIN_MS, b"x" * 600 * 1024)
        sizes = [len(message) for message in await messages(logs)]
        assert sizes == [LINE_BYTES_MAX, LINE_BYTES_MAX, 88 * 1024]


async def test_nothing_is_logged_in_the_future(tmp_path: Path) -> None:
    """A time a function made up is no younger than now; an unknown one is now."""
    async with opened(tmp_path) as logs:
        writer = logs.open_stream(*SCOPE, GROUP, STREAM)
        writer.append((1 << 64) // 1000, b"far")
        writer.append(0, b"unknown")
        writer.append(-5, b"before all time")
        page = await logs.stream_page(*SCOPE, GROUP, STREAM, everything(), 0, is_forward=True)
        assert [event.timestamp_ms for event in page] == [BEGIN_MS, BEGIN_MS, 0]


async def test_a_full_buffer_holds_the_writer_back(tmp_path: Path) -> None:
    """Until what it holds has been written."""
    settings = TelemetrySettings(flush_every_s=1e9, stream_buffer_bytes_max=10_000)
    async with opened(tmp_path, settings) as logs:
        writer = logs.open_stream(*SCOPE, GROUP, STREAM)
        writer.append(BEGIN_MS, b"x" * 9_000)
        assert not writer.is_full
        await writer.wait_not_full()
        writer.append(BEGIN_MS, b"x" * 2_000)
        assert writer.is_full
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(writer.wait_not_full)
            await anyio.wait_all_tasks_blocked()
            with anyio.fail_after(20):
                await logs.flush()
        assert not writer.is_full


async def test_a_group_keeps_its_newest(tmp_path: Path) -> None:
    """Over its bound a group loses its oldest segments; others lose nothing."""
    settings = TelemetrySettings(flush_every_s=1e9, group_bytes_max=25_000)
    async with opened(tmp_path, settings) as logs:
        for number in range(4):
            logs.open_stream(*SCOPE, GROUP, f"s{number}").append(BEGIN_MS, b"x" * 10_000)
            await logs.flush()
            set_age(logs, f"s{number}", 100 - number)
        logs.open_stream(*SCOPE, "other", "s").append(BEGIN_MS, b"y")
        await logs.flush()
        logs.trim()
        kept = [f"s{number}" for number in range(4) if await messages(logs, stream=f"s{number}")]
        assert kept == ["s2", "s3"]
        assert await messages(logs, "other", "s") == [b"y"]


async def test_the_whole_store_keeps_its_newest(tmp_path: Path) -> None:
    """The bound of all groups together."""
    settings = TelemetrySettings(flush_every_s=1e9, total_bytes_max=25_000)
    async with opened(tmp_path, settings) as logs:
        for group in ("a", "b", "c"):
            logs.open_stream(*SCOPE, group, "s").append(BEGIN_MS, b"x" * 10_000)
            await logs.flush()
        for path in segment_files(tmp_path):
            if (path.parent.parent / "name").read_text() == "b":
                os.utime(path, (1, 1))
        logs.trim()
        kept = [group for group in ("a", "b", "c") if await messages(logs, group, "s")]
        assert kept == ["a", "c"]


async def test_a_group_is_kept_for_days(tmp_path: Path) -> None:
    """Segments that were last written before then go; other groups keep theirs."""
    async with opened(tmp_path, TelemetrySettings(flush_every_s=1e9)) as logs:
        for name in ("old", "new"):
            logs.open_stream(*SCOPE, GROUP, name).append(BEGIN_MS, b"x")
        logs.open_stream(*SCOPE, "other", "old").append(BEGIN_MS, b"x")
        await logs.flush()
        now = logs.now()
        for path in segment_files(tmp_path):
            age_s = 86_400 * (8 if (path.parent / "name").read_text() == "old" else 6)
            os.utime(path, (now - age_s, now - age_s))
        logs.trim({(Scope(*SCOPE), GROUP): 7})
        assert not await messages(logs, stream="old")
        assert await messages(logs, stream="new") == [b"x"]
        assert await messages(logs, "other", "old") == [b"x"]


async def test_a_group_keeps_so_many_streams(tmp_path: Path) -> None:
    """Every environment leaves a stream; the oldest go."""
    settings = TelemetrySettings(flush_every_s=1e9, group_streams_max=3)
    async with opened(tmp_path, settings) as logs:
        for number in range(6):
            logs.open_stream(*SCOPE, GROUP, f"s{number}").append(BEGIN_MS, b"x")
            await logs.flush()
            set_age(logs, f"s{number}", 100 - number)
        logs.trim()
        assert await logs.stream_names(*SCOPE, GROUP) == ["s3", "s4", "s5"]


async def test_a_trimmed_stream_comes_back(tmp_path: Path) -> None:
    """An environment that logs again after its stream was deleted is found, and positions that
    were returned are not returned again."""
    async with opened(tmp_path) as logs:
        writer = logs.open_stream(*SCOPE, GROUP, STREAM)
        writer.append(BEGIN_MS, b"before " * 100)
        (before,) = await logs.stream_page(*SCOPE, GROUP, STREAM, everything(), 0, is_forward=True)
        for trimmed in (lambda path: path.unlink(), remove_directory):
            (segment,) = segment_files(tmp_path)
            trimmed(segment)
            writer.append(BEGIN_MS, b"after")
            (after,) = await logs.stream_page(
                *SCOPE, GROUP, STREAM, everything(), before.position + 1, is_forward=True
            )
            assert text_of(after) == b"after"
            assert await logs.stream_names(*SCOPE, GROUP) == [STREAM]
            before = after


async def test_a_full_disk_costs_events_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The platform stays up, says so once, and logs again when there is room."""
    async with opened(tmp_path) as logs:
        writer = logs.open_stream(*SCOPE, GROUP, STREAM)
        await logs.flush()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            for _ in range(3):
                writer.append(BEGIN_MS, b"lost")
                writer.write_now()
                writer.append(BEGIN_MS, b"lost")
                await logs.flush()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        writer.append(BEGIN_MS, b"kept")
        assert await messages(logs) == [b"kept"]


async def test_a_cancelled_reader_loses_nothing(tmp_path: Path) -> None:
    """A reader that disconnects in the middle of a flush loses no events."""
    async with opened(tmp_path) as logs:
        writer = logs.open_stream(*SCOPE, GROUP, STREAM)
        writer.append(BEGIN_MS, b"precious")
        with anyio.CancelScope() as scope:
            scope.cancel()
            await logs.flush()
        assert await messages(logs) == [b"precious"]


async def test_readers_and_writers_at_once(tmp_path: Path) -> None:
    """Each reader sees every stream whole up to some event, in order, and never a torn one."""
    count = 2_000
    async with open_logs(TelemetrySettings(flush_every_s=0.001), tmp_path, SystemClock()) as logs:
        writers = [logs.open_stream(*SCOPE, GROUP, f"s{n}") for n in range(4)]

        async def write(number: int) -> None:
            for at in range(count):
                writers[number].append(BEGIN_MS + at, b"%d" % at)
                if at % 50 == 0:
                    await anyio.lowlevel.checkpoint()

        async def read(number: int) -> None:
            seen = 0
            while seen < count:
                got = await messages(logs, stream=f"s{number}")
                assert got == [b"%d" % at for at in range(len(got))]
                assert len(got) >= seen
                seen = len(got)

        with anyio.fail_after(50):
            async with anyio.create_task_group() as tasks:
                for number in range(4):
                    tasks.start_soon(write, number)
                    tasks.start_soon(read, number)


async def test_pages_of_a_group_cover_it_once(tmp_path: Path) -> None:
    """By time across streams, bounded in events and bytes, also while more is logged."""
    async with opened(tmp_path) as logs:
        writers = [logs.open_stream(*SCOPE, GROUP, f"s{n}") for n in range(3)]
        for at in range(300):
            writers[at % 3].append(BEGIN_MS - 1000 + at // 2, b"%d" % at)
        for bounds in (everything(events_max=7), everything(bytes_max=400)):
            after, got = None, []
            has_more = True
            while has_more:
                page, has_more = await grouped(logs, bounds, after=after)
                assert 0 < len(page) <= 20
                after = event_key(*page[-1])
                got += page
            assert sorted(int(text_of(event)) for _, event in got) == list(range(300))
            keys = [event_key(*item) for item in got]
            assert keys == sorted(set(keys))


async def test_pages_of_a_filtered_group(tmp_path: Path) -> None:
    """Only what matches counts, within the times asked for."""
    async with opened(tmp_path) as logs:
        writer = logs.open_stream(*SCOPE, GROUP, STREAM)
        for at in range(100):
            writer.append(BEGIN_MS - 100 + at, b"%d" % at)
        bounds = everything(start_ms=BEGIN_MS - 90, end_ms=BEGIN_MS - 50, events_max=3)
        page, has_more = await grouped(logs, bounds, matches=lambda text: text.endswith("7"))
        assert [text_of(event) for _, event in page] == [b"17", b"27", b"37"]
        assert has_more
        page, has_more = await grouped(
            logs, bounds, after=event_key(*page[-1]), matches=lambda text: text.endswith("7")
        )
        assert ([text_of(event) for _, event in page], has_more) == ([b"47"], False)


async def test_following_reads_only_what_was_written_since(tmp_path: Path) -> None:
    """Segments last written long before the time asked for are passed over: nothing in them can
    be younger."""
    async with opened(tmp_path) as logs:
        logs.open_stream(*SCOPE, GROUP, "old").append(BEGIN_MS, b"old")
        logs.open_stream(*SCOPE, GROUP, "new").append(BEGIN_MS, b"new")
        await logs.flush()
        set_age(logs, "old", time.time() - BEGIN_MS / 1000 + 3600)
        page, _ = await grouped(logs, everything(start_ms=BEGIN_MS))
        assert [text_of(event) for _, event in page] == [b"new"]


async def test_a_search_without_end_is_ended(tmp_path: Path) -> None:
    """A request for too much gets an error."""
    clock = ManualClock()
    async with open_logs(QUIET, tmp_path, clock) as logs:
        writer = logs.open_stream(*SCOPE, GROUP, STREAM)
        for _ in range(3):
            writer.append(BEGIN_MS, b"x")

        def slowly(_: str) -> bool:
            clock.advance(20)
            return False

        with pytest.raises(TimeoutError):
            await grouped(logs, everything(), matches=slowly)


async def test_backward_pages_leave_no_gap(tmp_path: Path) -> None:
    """The last events first, each page in order, over several segments."""
    async with opened(tmp_path) as logs:
        for begin in (0, 40):
            writer = logs.open_stream(*SCOPE, GROUP, STREAM)
            for at in range(begin, begin + 40):
                writer.append(BEGIN_MS, b"%02d" % at)
            await logs.flush()
        got: list[bytes] = []
        position = 1 << 62
        while page := await logs.stream_page(
            *SCOPE,
            GROUP,
            STREAM,
            everything(events_max=9, bytes_max=28 * 7),
            position,
            is_forward=False,
        ):
            position = page[0].position
            got = [text_of(event) for event in page] + got
        assert got == [b"%02d" % at for at in range(80)]


def segment_files(root: Path) -> list[Path]:
    return list(root.rglob("*.log"))


def stream_directory(logs: LogStore, stream: str) -> Path:
    return segments.directory_of(segments.directory_of(logs._scope(*SCOPE), GROUP), stream)


def set_age(logs: LogStore, stream: str, age_s: float) -> None:
    """As if a stream had last been written so long ago."""
    for path in segments.segments(stream_directory(logs, stream)):
        os.utime(path, (time.time() - age_s, time.time() - age_s))


def remove_directory(segment: Path) -> None:
    for path in segment.parent.iterdir():
        path.unlink()
    segment.parent.rmdir()


def written(root: Path) -> bytes:
    """The content of the files, whether or not a reader flushed."""
    return b"".join(path.read_bytes() for path in sorted(root.rglob("*.log")))


async def test_waiters_for_lines_are_notified_when_they_are_written(tmp_path: Path) -> None:
    """Of a stream whose file is open that is before the call returns, of a new one soon."""
    async with opened(tmp_path) as logs:
        writer = logs.open_stream(*SCOPE, GROUP, STREAM)
        seen: list[bytes] = []
        writer.append(BEGIN_MS, b"first")
        writer.when_written(lambda: seen.append(written(tmp_path)))
        assert not seen
        with anyio.fail_after(5):
            while not seen:
                await anyio.lowlevel.checkpoint()
        assert b"first" in seen[0]
        for number in range(3):
            writer.append(BEGIN_MS, b"line %d" % number)
            writer.when_written(lambda: seen.append(written(tmp_path)))
            assert len(seen) == 2 + number
            assert b"line %d" % number in seen[-1]
        writer.when_written(lambda: seen.append(b"nothing to write"))
        assert seen[-1] == b"nothing to write"
        assert await messages(logs) == [b"first", b"line 0", b"line 1", b"line 2"]


async def test_lines_of_several_writers_stay_in_order(tmp_path: Path) -> None:
    """What comes while the flusher is writing waits for it."""
    async with opened(tmp_path) as logs:
        writer = logs.open_stream(*SCOPE, GROUP, STREAM)
        await logs.flush()
        go_on = threading.Event()
        inner = logs._write_all

        def held(*args: Any) -> None:
            go_on.wait(5)
            inner(*args)

        logs._write_all = held  # type: ignore[method-assign]
        seen: list[bytes] = []
        writer.append(BEGIN_MS, b"one")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(logs.flush)
            while not writer._is_taken:
                await anyio.lowlevel.checkpoint()
            writer.append(BEGIN_MS, b"two")
            writer.when_written(lambda: seen.append(written(tmp_path)))
            assert not seen
            go_on.set()
        with anyio.fail_after(5):
            while not seen:
                await anyio.lowlevel.checkpoint()
        assert b"two" in seen[0]
        assert await messages(logs) == [b"one", b"two"]


async def test_a_disk_that_hangs_delays_no_call(tmp_path: Path) -> None:
    """The answer comes without its lines, after a moment; what must not be forgotten can settle."""
    async with opened(tmp_path) as logs:
        writer = logs.open_stream(*SCOPE, GROUP, STREAM)
        hangs = threading.Event()
        inner = logs._write_all

        def held(*args: Any) -> None:
            hangs.wait(20)
            inner(*args)

        logs._write_all = held  # type: ignore[method-assign]
        writer.append(BEGIN_MS, b"late")
        seen: list[bytes] = []
        began = time.monotonic()
        for _ in range(3):
            writer.when_written(lambda: seen.append(written(tmp_path)))
        with anyio.fail_after(5):
            while len(seen) < 3:  # noqa: ASYNC110 - no event tells
                await anyio.sleep(0.01)
        assert time.monotonic() - began < 4  # 2 s, and what a busy host adds
        assert seen == [b"", b"", b""]
        hangs.set()
        await logs.settle()
        assert b"late" in written(tmp_path)


@pytest.mark.parametrize("sleeps", [True, False])
async def test_a_disk_that_is_slow_does_not_stop_the_event_loop_again(
    tmp_path: Path, sleeps: bool
) -> None:
    """After two slow writes lines go by the flusher's thread for a second; not if another process
    had its turn meanwhile."""
    async with opened(tmp_path) as logs:
        writer = logs.open_stream(*SCOPE, GROUP, STREAM)
        await logs.flush()
        clock: Any = logs._clock
        inner = writer._write

        def slowly(*args: Any) -> None:
            inner(*args)
            clock.advance(0.006)
            if sleeps:
                time.sleep(0.001)  # noqa: TID251 - as the kernel does

        writer._write = slowly  # type: ignore[method-assign]
        found = []
        for _ in range(4):
            writer.append(BEGIN_MS, b"one")
            found.append(writer.write_now())
        assert found == ([True, True, False, False] if sleeps else [True] * 4)
        clock.advance(1.1)
        assert writer.write_now()
        assert written(tmp_path).count(b"one") == 4
