"""Where log lines go decides how they look."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lambent.kit.journal import PriorityLines, goes_to_journal

PROGRAM = """
import logging
from lambent.kit.log_lines import set_up_logging
set_up_logging()
log = logging.getLogger("room")
log.warning("two\\nlines")
log.info("not shown")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
raise SystemExit("lambent: cannot")
"""


def logged(stderr: int, **environment: str) -> None:
    """Run the program with this as its stderr."""
    subprocess.run([sys.executable, "-c", PROGRAM], stderr=stderr, env=environment, timeout=30)


def logged_to_pipe(journal: bool) -> list[str]:
    """Its lines in a pipe of which the variable says that it is the journal's, or another."""
    read, write = os.pipe()
    with open(read) as lines:
        status = os.fstat(write)
        inode = status.st_ino if journal else status.st_ino + 1
        logged(write, JOURNAL_STREAM=f"{status.st_dev}:{inode}")
        os.close(write)
        return lines.read().splitlines()


def test_lines_of_the_journal_have_priorities() -> None:
    """All of them, including those of a traceback; no time, no level as a word."""
    lines = logged_to_pipe(journal=True)
    assert lines[:3] == [
        "<4>WARNING room: two",
        "<4>lines",
        "<3>ERROR room: failed",
    ]
    assert len(lines) > 5
    assert all(line.startswith("<3>") for line in lines[2:])
    assert lines[-1] == "<3>lambent: cannot"


def test_a_pipe_that_is_not_the_journals_gets_no_priorities() -> None:
    """The variable is inherited by what writes elsewhere."""
    lines = logged_to_pipe(journal=False)
    assert lines[0] == "WARNING room: two"
    assert lines[-1] == "lambent: cannot"


def test_a_file_gets_the_time(tmp_path: Path) -> None:
    """No other writer writes it there."""
    with (tmp_path / "log").open("w") as file:
        logged(file.fileno())
    first = (tmp_path / "log").read_text().splitlines()[0]
    time, _, rest = first.partition(" ")
    assert rest == "WARNING room: two"
    assert len(time) == len("2026-01-01T00:00:00Z")
    assert time.endswith("Z")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (["a\n"], "<3>a\n"),
        (["a", "b\n", "c"], "<3>ab\n<3>c"),
        (["<6>known\n"], "<6>known\n"),
        (["<9>no priority\n"], "<3><9>no priority\n"),
        (["a\n\nb\n"], "<3>a\n<3>\n<3>b\n"),
    ],
)
def test_what_comes_without_a_priority_is_an_error(
    tmp_path: Path, written: list[str], shown: str
) -> None:
    """However it is cut into chunks; what has one keeps it."""
    with (tmp_path / "stream").open("w") as stream:
        lines = PriorityLines(stream)
        for chunk in written:
            lines.write(chunk)
        lines.flush()
    assert (tmp_path / "stream").read_text() == shown


def test_a_stream_without_a_descriptor_is_not_the_journal() -> None:
    """Such as one that a test captures."""
    import io

    assert not goes_to_journal(io.StringIO(), {"JOURNAL_STREAM": "1:2"})
