"""The ways in which integrations and authorizers of APIs name functions.

A function is named by its ARN, or by the ARN of the operation that invokes it:
`arn:aws:apigateway:<region>:lambda:path/2015-03-31/functions/<function ARN>/invocations`. Either
may have a version or alias, and `${stageVariables.name}` anywhere in it. The operation that streams
the response is another: `2021-11-15/functions/<function ARN>/response-streaming-invocations`.
"""

import re
from collections.abc import Mapping

from lambent.model.arn import Arn
from lambent.model.errors import ApiError
from lambent.model.names import FunctionReference, parse_function_name

_INVOKE, _STREAM = "2015-03-31/functions/", "2021-11-15/functions/"
_WRAPPED = re.compile(
    r"arn:aws[a-z-]*:apigateway:[a-z0-9-]{1,32}:lambda:path/{1,2}"
    rf"(?:{_INVOKE}(?P<function>.{{1,512}})/invocations"
    rf"|{_STREAM}(?P<streaming>.{{1,512}})/response-streaming-invocations)"
)
_VARIABLE = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]{1,64})\}")


def inner_arn(uri: str) -> str:
    """The function's ARN in an `IntegrationUri` or `AuthorizerUri`, or the text itself if it is not
    that of an invocation. Stage variables are not expanded."""
    match = _WRAPPED.fullmatch(uri)
    return uri if match is None or match["function"] is None else match["function"]


def is_invocation(uri: str) -> bool:
    """Whether it is the ARN of the operation that invokes a function."""
    match = _WRAPPED.fullmatch(uri)
    return match is not None and match["function"] is not None


def is_streaming_invocation(uri: str) -> bool:
    """Whether it is the ARN of the operation that streams a function's response."""
    match = _WRAPPED.fullmatch(uri)
    return match is not None and match["streaming"] is not None


def has_variables(uri: str) -> bool:
    """Whether stage variables are part of it: what it names depends on the stage."""
    return "${stageVariables." in uri


def expand_variables(text: str, variables: Mapping[str, str]) -> str:
    """The text with the values of stage variables; those without a value are empty."""
    return _VARIABLE.sub(lambda match: variables.get(match[1], ""), text)


def parse_function_uri(uri: str, variables: Mapping[str, str]) -> FunctionReference:
    """The function that a URI names in a stage with these variables. Raises ValueError."""
    expanded = expand_variables(uri, variables)
    match = _WRAPPED.fullmatch(expanded)
    text = expanded if match is None else match["function"] or match["streaming"]
    arn = Arn.try_parse(text)
    if arn is None or arn.service != "lambda" or not arn.resource.startswith("function:"):
        raise ValueError(f"{text[:256]!r} is not the ARN of a function")
    try:
        return parse_function_name(text, arn.scope)
    except ApiError as error:
        raise ValueError(error.message) from error
