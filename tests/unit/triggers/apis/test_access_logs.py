"""A format in JSON stays JSON, whatever the client sends."""

import json

from hypothesis import given
from hypothesis import strategies as st

from lambent.triggers.apis.access_logs import LogFormat

FORMAT = '{"id":"$context.requestId","agent":"$context.identity.userAgent","ip":"$context.x.y"}'


@given(st.text(max_size=2000))
def test_values_are_escaped(value: str) -> None:
    """Quotes, backslashes and control characters."""
    values = {"requestId": "r=", "identity.userAgent": value}
    found = json.loads(LogFormat(FORMAT).line(values.get))
    assert found == {"id": "r=", "agent": value[:1024] or "-", "ip": "-"}


def test_formats() -> None:
    """Common log format, text around variables, booleans and numbers."""
    values = {"identity.sourceIp": "1.2.3.4", "status": 200, "ok": True, "path": "/a.b"}
    text = '$context.identity.sourceIp - [$context.requestTime] "$context.path." $context.status'
    assert LogFormat(text).line(values.get) == '1.2.3.4 - [-] "/a.b." 200'
    assert LogFormat("no variables, $contextual $context").line(values.get) == (
        "no variables, $contextual $context"
    )
    assert LogFormat("$context.ok$context.status").line(values.get) == "true200"
