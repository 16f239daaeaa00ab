"""A function's output, in a log whose format is JSON. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
"""

import json
from typing import Any

from lambent.telemetry.events import LEVELS, is_shown, iso_time, to_json

_READ_BYTES_MAX = 64 * 1024
"""The event loop has no time to parse longer lines: those that look like an object are logged
unchanged, whatever their level."""
_OTHER_NAMES = {"WARNING": "WARN", "CRITICAL": "FATAL"}
"""Names of levels in Python."""


def read_object(line: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a line is, or None."""
    if not line.startswith(b"{") or len(line) > _READ_BYTES_MAX:
        return None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def json_line(
    line: bytes, *, at: float, request_id: str, lowest: str | None, wraps: bool
) -> tuple[bytes, dict[str, Any] | None] | None:
    """Return a printed line as it is logged, and as an object if it is one; None if its level is
    below `lowest`.

    An object keeps its form; one without a level is INFO, one without a time gets `at` (epoch
    seconds). Plain text is wrapped if `wraps`.
    """
    if len(line) > _READ_BYTES_MAX and line.startswith(b"{"):
        return line, None
    document = read_object(line)
    if document is not None:
        level = str(document.get("level", "")).upper()
        level = _OTHER_NAMES.get(level, level)
        if not is_shown(level if level in LEVELS else "INFO", lowest):
            return None
        if level not in LEVELS or "timestamp" not in document:
            document.setdefault("timestamp", iso_time(at))
            if level not in LEVELS:
                document["level"] = "INFO"
            line = to_json(document)
        return line, document
    if not is_shown("INFO", lowest):
        return None
    if not wraps:
        return line, None
    document = {
        "timestamp": iso_time(at),
        "level": "INFO",
        "message": line.decode(errors="replace"),
    }
    if request_id:
        document["requestId"] = request_id
    return to_json(document), document
