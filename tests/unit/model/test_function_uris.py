"""How integrations and authorizers name functions."""

import pytest

from lambent.model.function_uris import (
    inner_arn,
    is_invocation,
    is_streaming_invocation,
    parse_function_uri,
)

ARN = "arn:aws:lambda:us-east-1:111122223333:function:f"
PATH = "arn:aws:apigateway:us-east-1:lambda:path"
INVOKE = f"{PATH}/2015-03-31/functions/{ARN}/invocations"
STREAM = f"{PATH}/2021-11-15/functions/{ARN}/response-streaming-invocations"


@pytest.mark.parametrize(
    ("uri", "invokes", "streams"),
    [
        (INVOKE, True, False),
        (INVOKE.replace("path/", "path//"), True, False),
        (STREAM, False, True),
        (ARN, False, False),
    ],
)
def test_each_form_names_the_function(uri: str, invokes: bool, streams: bool) -> None:
    """By itself, or in the path of one of two operations."""
    assert (is_invocation(uri), is_streaming_invocation(uri)) == (invokes, streams)
    assert parse_function_uri(uri, {}).arn == ARN
    assert inner_arn(uri) == (uri if streams else ARN)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        INVOKE.replace("2015-03-31", "2021-11-15"),
        STREAM.replace("2021-11-15", "2015-03-31"),
        INVOKE.replace("path/", "path///"),
        INVOKE.replace("us-east-1", "", 1),
        INVOKE + "\n",
        f"{PATH}/2015-03-31/functions//invocations",
        f"{PATH}/2015-03-31/functions/{'x' * 600}/invocations",
    ],
)
def test_what_names_no_function(uri: str) -> None:
    """Other operations, other paths, and nothing."""
    assert not is_invocation(uri)
    assert not is_streaming_invocation(uri)
    with pytest.raises(ValueError, match="is not the ARN of a function"):
        parse_function_uri(uri, {})
