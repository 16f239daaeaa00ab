"""From printed bytes to events."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from lambent.telemetry.events import iso_time
from lambent.telemetry.lines import LINE_BYTES_MAX, FrameDecoder, LineAssembler

MAGIC = 0xA55A0003


def frame(message: bytes, kind: int = MAGIC, micros: int = 1_700_000_000_123_456) -> bytes:
    """A message as AWS's Python client writes it."""
    return struct.pack(">IIQ", kind, len(message), micros) + message


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in chunks, cut at some places."""
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b""))), st.data())
def test_lines_do_not_depend_on_how_they_arrive(lines: list[bytes], data: st.DataObject) -> None:
    """However the bytes are cut into reads, the same lines come out."""
    printed = b"".join(line + b"\n" for line in lines)
    assembler = LineAssembler()
    got = []
    for chunk in cut(printed, data.draw(st.lists(st.integers(0, 1000), max_size=5))):
        got += assembler.feed(chunk)
    assert lines == got
    assert assembler.flush() == []


def test_carriage_returns_keep_lines_together() -> None:
    """Runtime clients join the lines of an error with carriage returns; that is one event."""
    line = b"[ERROR] Exception: x\rTraceback:\r  File"
    assert LineAssembler().feed(line + b"\n") == [line]


def test_what_has_no_newline_yet_is_an_event_when_asked_for() -> None:
    """The rest is given once."""
    assembler = LineAssembler()
    assert assembler.feed(b"done\nnot yet") == [b"done"]
    assert assembler.flush() == [b"not yet"]
    assert assembler.flush() == []


def test_a_character_that_has_not_come_whole_waits() -> None:
    """For its rest; when nothing else is there it is given as it is."""
    assembler = LineAssembler()
    euro = "€".encode()
    assert assembler.feed(b"a" + euro[:2]) == []
    assert assembler.flush() == [b"a"]
    assert assembler.feed(euro[2:] + b"\n") == [euro]
    for text in (euro, "ä€😀".encode(), b"\x80\x80", b"\xff" + b"a"):
        assert assembler.feed(text) == []
        assert assembler.flush() == [text]
    assembler.feed(euro[:1])
    assert assembler.flush() == [euro[:1]]
    assert assembler.flush() == []


def test_long_lines_are_cut() -> None:
    """A line of 600 KiB is three events, whether its newline ever comes or not."""
    line = b"x" * (600 * 1024)
    for assembler, chunks in ((LineAssembler(), [line + b"\n"]), (LineAssembler(), [line, b"\n"])):
        got = [event for chunk in chunks for event in assembler.feed(chunk)]
        assert [len(event) for event in got] == [LINE_BYTES_MAX, LINE_BYTES_MAX, 88 * 1024]


def test_output_without_newlines_is_not_kept_in_memory() -> None:
    """The assembler holds one event at most."""
    assembler = LineAssembler()
    given_out = sum(len(event) for _ in range(64) for event in assembler.feed(b"x" * 65_536))
    assert given_out >= 64 * 65_536 - LINE_BYTES_MAX
    assert len(b"".join(assembler.flush())) == 64 * 65_536 - given_out


@given(
    st.lists(st.tuples(st.binary(max_size=40), st.sampled_from([MAGIC, 0xA55A0017, 0xA55A0002]))),
    st.data(),
)
def test_frames_do_not_depend_on_how_they_arrive(
    messages: list[tuple[bytes, int]], data: st.DataObject
) -> None:
    """However frames are cut into reads, each is one event with its own time."""
    sent = b"".join(frame(message, kind) for message, kind in messages)
    decoder = FrameDecoder()
    got = []
    for chunk in cut(sent, data.draw(st.lists(st.integers(0, 2000), max_size=5))):
        got += decoder.feed(chunk)
    levels = {MAGIC: "", 0xA55A0017: "ERROR", 0xA55A0002: ""}
    expected = [
        (1_700_000_000_123, levels[kind], message.removesuffix(b"\n")) for message, kind in messages
    ]
    assert expected == got
    assert decoder.flush() == []


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_are_some_events(chunks: list[bytes]) -> None:
    """Whatever a function writes into the log pipe, nothing breaks."""
    decoder = FrameDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.flush()
    assert all(isinstance(message, bytes) for _, _, message in events)


def test_text_in_the_log_pipe_does_not_hide_frames() -> None:
    """What is no frame is text, up to the next frame, even if that one arrives byte by byte."""
    sent = b"printed by a function itself\n" + frame(b"two\nlines") + frame(b"more")
    decoder = FrameDecoder()
    got = [event for at in range(len(sent)) for event in decoder.feed(sent[at : at + 1])]
    text = b"".join(message for at_ms, _, message in got if at_ms == 0)
    assert text == b"printed by a function itself"
    assert [message for at_ms, _, message in got if at_ms] == [b"two\nlines", b"more"]


def test_a_begun_magic_at_the_end_of_a_read_is_kept() -> None:
    """The first byte of a frame may come together with text before it."""
    whole = frame(b"hello")
    decoder = FrameDecoder()
    got = decoder.feed(b"some text of a function" + whole[:1]) + decoder.feed(whole[1:])
    assert [message for _, _, message in got] == [b"some text of a function", b"hello"]


def test_a_frame_that_claims_to_be_huge_is_text() -> None:
    """The reader does not wait for 4 GiB; the frame after it is found."""
    huge = struct.pack(">IIQ", MAGIC, 0xFFFFFFFF, 1)
    got = FrameDecoder().feed(huge + frame(b"after"))
    assert got[-1][2] == b"after"


def test_a_torn_frame_is_logged_at_the_end() -> None:
    """What a process had written when it was killed is in its log."""
    decoder = FrameDecoder()
    assert decoder.feed(frame(b"last words")[:-3]) == []
    assert decoder.flush() == [(1_700_000_000_123, "", b"last wo")]
    assert decoder.feed(b"ab") + decoder.flush() == [(0, "", b"ab")]


def test_long_frames_are_cut() -> None:
    """A message of 600 KiB is three events."""
    sizes = [len(message) for _, _, message in FrameDecoder().feed(frame(b"x" * 600 * 1024))]
    assert sizes == [LINE_BYTES_MAX, LINE_BYTES_MAX, 88 * 1024]


def test_a_time_that_no_calendar_has_is_unknown() -> None:
    """The frame is the function's, and so is its time."""
    last = 253_402_300_799_999_999
    decoder = FrameDecoder()
    for micros in (2**64 - 1, last + 1, 2**63):
        assert decoder.feed(frame(b"m", micros=micros)) == [(0, "", b"m")]
    ((at, _, _),) = decoder.feed(frame(b"m", micros=last))
    assert iso_time(at / 1000).startswith("9999-12-31T23:59:59")
    assert decoder.feed(frame(b"message", micros=2**64 - 1)[:-2]) == []
    assert decoder.flush() == [(0, "", b"messa")]
