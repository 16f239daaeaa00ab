"""Log lines for systemd's journal.

Each line begins with its priority as sd-daemon(3) defines it: `<3>` is an error. `journalctl -p`
selects by it. A line carries no time, because the journal adds it.
"""

import io
import os
from collections.abc import Mapping
from typing import TextIO

ERROR, WARNING, INFO, DEBUG = 3, 4, 6, 7
CRITICAL = 2


def goes_to_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether a stream is the one that `$JOURNAL_STREAM` names. The variable alone proves nothing:
    a process that writes to a file inherits it, too."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class PriorityLines(io.TextIOBase):
    """A stream to the journal. A line without a priority, such as one of a last traceback, becomes
    an error."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begins_line = True

    def write(self, text: str) -> int:
        for line in text.splitlines(keepends=True):
            if self._begins_line and not _has_priority(line):
                self._stream.write(f"<{ERROR}>")
            self._stream.write(line)
            self._begins_line = line.endswith("\n")
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True


def with_priority(text: str, priority: int) -> str:
    """The text, each of its lines with the priority."""
    return "\n".join(f"<{priority}>{line}" for line in text.split("\n"))


def _has_priority(line: str) -> bool:
    return len(line) > 2 and line[0] == "<" and line[2] == ">" and line[1] in "01234567"
