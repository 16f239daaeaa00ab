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
