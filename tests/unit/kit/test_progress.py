"""What takes long at the start is shown while it takes."""

import os
import pty
import sys
from pathlib import Path

import pytest

from lambent.kit import progress
from lambent.kit.journal import PriorityLines
from lambent.kit.progress import shown_steps


def test_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """One when something begins and one when it ends, with the reason if it did not work; what
    never began does not end. A waiting caller receives each state."""
    printed: list[str] = []
    with shown_steps(printed.append) as steps:
        steps.end("ruby3.1")
        steps.begin("python3.11", "clients, with pip")
        steps.begin("nodejs20", "an SDK, with npm")
        steps.end("python3.11")
        steps.end("nodejs20", "npm: no network")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "preparing python3.11: clients, with pip",
        "preparing nodejs20: an SDK, with npm",
        "preparing python3.11: ready after 0 s",
        "preparing nodejs20: npm: no network after 0 s",
    ]
    assert printed[:3] == [
        "Preparing python3.11: clients, with pip (0 s)",
        "Preparing python3.11: clients, with pip (0 s), nodejs20: an SDK, with npm (0 s)",
        "Preparing nodejs20: an SDK, with npm (0 s)",
    ]


def test_it_is_said_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user need not guess whether work continues."""
    monkeypatch.setattr(progress, "_REPEAT_S", 0.0)
    monkeypatch.setattr(progress, "_REFRESH_S", 0.01)
    seen: list[str] = []
    with shown_steps(seen.append) as steps:
        steps.begin("nodejs20", "an SDK")
        while len(seen) < 4:
            os.sched_yield()
    assert "preparing still at work: nodejs20: an SDK (0 s)" in capsys.readouterr().err


def test_lines_in_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not errors."""
    with (tmp_path / "journal").open("w") as stream:
        monkeypatch.setattr(sys, "stderr", PriorityLines(stream))
        with shown_steps(lambda _: None) as steps:
            steps.begin("ruby3.1", "gems")
    assert (tmp_path / "journal").read_text() == "<6>preparing ruby3.1: gems\n"


def test_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows one line that changes, and nothing remains."""
    ours, theirs = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(theirs, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with shown_steps(lambda _: None) as steps:
            steps.begin("nodejs20", "an SDK, with npm")
            shown = b""
            while b"an SDK" not in shown:
                shown += os.read(ours, 4096)
            steps.end("nodejs20")
    os.close(ours)
