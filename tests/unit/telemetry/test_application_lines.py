"""Printed lines in JSON logs."""

import json

from hypothesis import given
from hypothesis import strategies as st

from lambent.telemetry.application_lines import json_line
from lambent.telemetry.events import LEVELS


@given(st.binary(max_size=200), st.sampled_from([None, *LEVELS]), st.booleans())
def test_whatever_is_printed(line: bytes, lowest: str | None, wraps: bool) -> None:
    """An object with time and level, the line as it is, or nothing; never an exception."""
    logged = json_line(line, at=0.0, request_id="r", lowest=lowest, wraps=wraps)
    if logged is None:
        assert lowest is not None
        return
    written, document = logged
    if wraps:
        assert json.loads(written)["timestamp"]
    if document is None:
        assert written == line


def test_objects_keep_their_form() -> None:
    """A complete one is not touched, not even its spaces."""
    line = b'{ "level": "error", "timestamp": "t", "message": {"a": [1]}}'
    assert json_line(line, at=0.0, request_id="r", lowest="WARN", wraps=True) == (
        line,
        json.loads(line),
    )
    assert json_line(line, at=0.0, request_id="r", lowest="FATAL", wraps=True) is None


def test_objects_that_are_too_long_to_read_stay_as_they_are() -> None:
    """Whatever their level: the event loop has other things to do."""
    line = b'{"level": "DEBUG", "message": "%b"}' % (b"x" * 70_000)
    logged = json_line(line, at=0.0, request_id="r", lowest="ERROR", wraps=True)
    assert logged == (line, None)
    text = b"x" * 70_000
    logged = json_line(text, at=0.0, request_id="r", lowest="INFO", wraps=True)
    assert logged is not None
    assert logged[1] is not None
