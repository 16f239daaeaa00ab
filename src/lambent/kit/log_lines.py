"""The format of the platform's own log lines, which depends on the destination.

Lines for systemd's journal have a priority, lines in a file the time (UTC). Lines on a terminal or
a pipe have neither.
"""

import logging
import os
import stat
import sys
import time
from typing import TextIO

from lambent.kit import journal

_FORMAT = "%(levelname)s %(name)s: %(message)s"
_PRIORITIES = (
    (logging.CRITICAL, journal.CRITICAL),
    (logging.ERROR, journal.ERROR),
    (logging.WARNING, journal.WARNING),
    (logging.INFO, journal.INFO),
)
"""From the most severe down."""


def set_up_logging(level: int = logging.WARNING, *, name: str = "") -> None:
    """Log to stderr, in the format for its destination. `name` precedes the name of each logger."""
    line = _FORMAT.replace("%(name)s", f"{name}%(name)s")
    if journal.goes_to_journal(sys.stderr, os.environ):
        sys.stderr = journal.PriorityLines(sys.stderr)
        formatter: logging.Formatter = JournalFormatter(line)
    elif is_file(sys.stderr):
        formatter = logging.Formatter(f"%(asctime)s {line}", "%Y-%m-%dT%H:%M:%SZ")
        formatter.converter = time.gmtime
    else:
        formatter = logging.Formatter(line)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler])


class JournalFormatter(logging.Formatter):
    """Adds the priority to each line, including lines of tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        levels = (priority for level, priority in _PRIORITIES if record.levelno >= level)
        return journal.with_priority(super().format(record), next(levels, journal.DEBUG))


def is_file(stream: TextIO) -> bool:
    """Whether a stream writes to a regular file."""
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False
