"""Parameter mappings of HTTP APIs: keys say what changes, values what it becomes.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html
"""

import re
from collections.abc import Mapping

from lambent.control.apis.errors import bad_request

RESERVED_HEADERS = frozenset(
    {
        *("authorization", "connection", "content-encoding", "content-length"),
        *("content-location", "forwarded", "keep-alive", "origin", "proxy-authenticate"),
        *("proxy-authorization", "te", "trailers", "transfer-encoding", "upgrade"),
        *("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "via"),
    }
)
RESERVED_PREFIXES = ("access-control-", "apigw-", "x-amz-", "x-amzn-")

_KEY = re.compile(r"(append|overwrite|remove):(header|querystring)\.(.+)")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NAME = r"[^\s${}]+"
_COMMON = rf"context\.[A-Za-z0-9_.\-\[\]']+|stageVariables\.{_NAME}"
_OF_REQUESTS = re.compile(
    rf"request\.(?:header|querystring)\.{_NAME}|request\.path(?:\.{_NAME})?"
    rf"|request\.body(?:[.\[].+)?|{_COMMON}"
)
_OF_RESPONSES = re.compile(rf"response\.header\.{_NAME}|response\.body(?:[.\[].+)?|{_COMMON}")
_EMBEDDED = re.compile(r"\$\{([^{}]*)\}")
_STATUS = re.compile(r"[2-5][0-9][0-9]")


def check_request_parameters(parameters: Mapping[str, str]) -> None:
    """Raise `BadRequestException` for a mapping of requests that is none."""
    for key, value in parameters.items():
        if key == "overwrite:path":
            check_value(key, value, _OF_REQUESTS)
        else:
            _check_key(key, ("header", "querystring"))
            if not key.startswith("remove:"):
                check_value(key, value, _OF_REQUESTS)


def check_response_parameters(parameters: Mapping[str, Mapping[str, str]]) -> None:
    """Raise `BadRequestException` for a mapping of responses that is none."""
    for status, changes in parameters.items():
        if _STATUS.fullmatch(status) is None:
            raise bad_request(f"Invalid response parameters: {status[:20]!r} is no status code.")
        for key, value in changes.items():
            if key == "overwrite:statuscode":
                is_fixed = not value.startswith("$")
                if is_fixed and _STATUS.fullmatch(value) is None:
                    raise bad_request(f"Invalid status code {value[:20]!r} in response parameters.")
            else:
                _check_key(key, ("header",))
            if not key.startswith("remove:"):
                check_value(key, value, _OF_RESPONSES)


def check_service_parameters(
    parameters: Mapping[str, str], required: frozenset[str], optional: frozenset[str]
) -> None:
    """Raise `BadRequestException` for parameters of an AWS service that are missing, unknown, or
    no mapping."""
    missing = required - parameters.keys()
    if missing:
        raise bad_request(f"Missing required request parameters: {', '.join(sorted(missing))}.")
    unknown = parameters.keys() - required - optional
    if unknown:
        raise bad_request(f"Invalid request parameters: {', '.join(sorted(unknown))}.")
    for key, value in parameters.items():
        check_value(key, value, _OF_REQUESTS)


def check_value(key: str, value: str, allowed: re.Pattern[str] = _OF_REQUESTS) -> None:
    """Raise `BadRequestException` for a value that is no text with expressions in it."""
    is_whole = value.startswith("$") and not value.startswith("${")
    found = [value[1:]] if is_whole else _EMBEDDED.findall(value)
    if not is_whole and "${" in _EMBEDDED.sub("", value):
        raise _invalid(key, value)
    for expression in found:
        if allowed.fullmatch(expression) is None:
            raise _invalid(key, value)
        if ".body" in expression and (".." in expression or "?(" in expression):
            raise bad_request(
                f"Invalid mapping expression specified: {value[:200]!r}. JSON paths with recursive"
                " descent or filters are not supported."
            )


def _check_key(key: str, locations: tuple[str, ...]) -> None:
    match = _KEY.fullmatch(key)
    if match is None or match[2] not in locations:
        raise bad_request(f"Invalid mapping expression parameter specified: {key[:200]!r}.")
    if match[2] != "header":
        return
    name = match[3].lower()
    if _TOKEN.fullmatch(name) is None:
        raise bad_request(f"Invalid mapping expression parameter specified: {key[:200]!r}.")
    if name in RESERVED_HEADERS or name.startswith(RESERVED_PREFIXES):
        raise bad_request(f"Operations on header {name} are restricted.")


def _invalid(key: str, value: str) -> Exception:
    return bad_request(
        f"Invalid mapping expression specified: Validation Result: warnings : [], errors :"
        f" [Invalid mapping expression specified: {value[:200]}] for {key[:200]!r}"
    )
