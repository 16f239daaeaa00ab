"""What integrations, and their responses, may be."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lambent.control.apis.errors import bad_request, unsupported
from lambent.control.apis.v1.errors import invalid_mapping
from lambent.control.apis.v1.limits import TEMPLATE_BYTES_MAX
from lambent.control.apis.v1.patch_tables import (
    STREAM_TIMEOUT_MS_MAX,
    TIMEOUT_MS_MAX,
    TIMEOUT_MS_MIN,
    timeout_refusal,
)
from lambent.control.apis.v1.paths import VERBS
from lambent.control.apis.v1.rules.apis import without_unset
from lambent.control.apis.v1.rules.methods import STATUS, check_content_type
from lambent.model.function_uris import is_invocation, is_streaming_invocation
from lambent.model.rest_services import SERVICE_URI

TYPES = ("HTTP", "MOCK", "AWS_PROXY", "HTTP_PROXY", "AWS")
_PASSTHROUGHS = ("WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER")
_MODES = ("BUFFERED", "STREAM")
_CONVERSIONS = ("CONVERT_TO_BINARY", "CONVERT_TO_TEXT")
_ARN = re.compile(r"arn:aws[a-z-]*:apigateway:[^:]*:[^:]+:(?:path|action)/.*", re.S)
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.{1,512}", re.ASCII)
_CALLER = re.compile(r"arn:aws[a-z-]*:iam::\*:user/\*")
_NAME = r"[A-Za-z0-9._\-$:\[\]]{1,128}"
_TARGET = re.compile(rf"integration\.request\.(header|querystring|path)\.{_NAME}", re.ASCII)
_SOURCE = re.compile(
    rf"method\.request\.(?:(?:header|multivalueheader|querystring|multivaluequerystring|path)"
    rf"\.{_NAME}|body(?:[.\[].{{0,256}})?)"
    rf"|stageVariables\.[A-Za-z0-9_]{{1,64}}|context\.[A-Za-z0-9_.\-]{{1,128}}|'[^']{{0,2048}}'",
    re.ASCII | re.S,
)
_RESPONSE_TARGET = re.compile(rf"method\.response\.(header|multivalueheader)\.{_NAME}", re.ASCII)
_RESPONSE_SOURCE = re.compile(
    rf"integration\.response\.(?:(?:header|multivalueheader)\.{_NAME}|body(?:[.\[].{{0,256}})?)"
    rf"|stageVariables\.[A-Za-z0-9_]{{1,64}}|context\.[A-Za-z0-9_.\-]{{1,128}}|'[^']{{0,2048}}'",
    re.ASCII | re.S,
)
_INVOCATION_TYPE = "integration.request.header.x-amz-invocation-type"
_PATTERN_LENGTH_MAX = 1024


def check_integration(given: Mapping[str, Any], resource_id: str) -> dict[str, Any]:
    """An integration with its defaults. Raises `BadRequestException`."""
    body = without_unset(given)
    kind = body["type"]
    if kind not in TYPES:
        raise bad_request(f"Invalid integration type specified: {kind}")
    body.setdefault("passthroughBehavior", "WHEN_NO_MATCH")
    body.setdefault("timeoutInMillis", TIMEOUT_MS_MAX)
    body.setdefault("cacheNamespace", resource_id)
    body.setdefault("cacheKeyParameters", [])
    _check_refused(body)
    _check_target(body, kind)
    if body["passthroughBehavior"] not in _PASSTHROUGHS:
        raise bad_request(
            f"Invalid passthrough behavior specified. Valid options are {','.join(_PASSTHROUGHS)}"
        )
    _check_conversion(body)
    is_stream = _check_transfer(body, kind)
    longest = STREAM_TIMEOUT_MS_MAX if is_stream else TIMEOUT_MS_MAX
    if not TIMEOUT_MS_MIN <= body["timeoutInMillis"] <= longest:
        raise bad_request(timeout_refusal(longest))
    if _CALLER.fullmatch(body.get("credentials", "")):
        raise unsupported("integrations with the caller's credentials")
    if "credentials" in body and not _ROLE.fullmatch(body["credentials"]):
        raise bad_request("Invalid ARN specified in the request")
    for target, source in (body.get("requestParameters") or {}).items():
        if not _TARGET.fullmatch(target):
            raise invalid_mapping(target)
        if not isinstance(source, str) or not _SOURCE.fullmatch(source):
            raise invalid_mapping(str(source))
        _check_invocation_type(kind, target, source)
    if "requestTemplates" in body:
        body["requestTemplates"] = check_templates(body["requestTemplates"])
    return body


def _check_invocation_type(kind: str, target: str, source: str) -> None:
    """How a function is called: an integration may say `'Event'`."""
    if kind not in ("AWS", "AWS_PROXY") or target.lower() != _INVOCATION_TYPE:
        return
    if kind == "AWS_PROXY" and source != "'RequestResponse'":
        raise unsupported("asynchronous calls by integrations of type AWS_PROXY. Use AWS")
    if source.startswith("'") and source not in ("'Event'", "'RequestResponse'"):
        raise bad_request(f"Invalid invocation type: {source[:100]}")


def check_integration_response(given: Mapping[str, Any]) -> dict[str, Any]:
    """A response of an integration. Raises `BadRequestException`."""
    body = {
        name: value
        for name, value in given.items()
        if value is not None and (value != "" or name == "selectionPattern")
    }
    if not STATUS.fullmatch(body["statusCode"]):
        raise bad_request(f"Invalid status code specified: {body['statusCode'][:20]}")
    _check_conversion(body)
    if len(body.get("selectionPattern", "")) > _PATTERN_LENGTH_MAX:
        raise bad_request(
            f"The selection pattern must not have more than {_PATTERN_LENGTH_MAX} characters."
        )
    for target, source in (body.get("responseParameters") or {}).items():
        if not _RESPONSE_TARGET.fullmatch(target):
            raise invalid_mapping(target)
        if not isinstance(source, str) or not _RESPONSE_SOURCE.fullmatch(source):
            raise invalid_mapping(str(source))
    if "responseTemplates" in body:
        body["responseTemplates"] = check_templates(body["responseTemplates"])
    return body


def check_templates(templates: Mapping[str, str | None]) -> dict[str, str | None]:
    """Templates by content type; an empty one is null, as in AWS. Raises `BadRequestException`."""
    for content_type, template in templates.items():
        check_content_type(content_type)
        if len((template or "").encode(errors="surrogatepass")) > TEMPLATE_BYTES_MAX:
            raise bad_request(f"A template must not have more than {TEMPLATE_BYTES_MAX} bytes.")
    return {content_type: template or None for content_type, template in templates.items()}


def _check_refused(body: Mapping[str, Any]) -> None:
    """What would be configured and have no effect."""
    if body.get("connectionType", "INTERNET") != "INTERNET" or "integrationTarget" in body:
        raise unsupported("VPC links")
    if (body.get("tlsConfig") or {}).get("insecureSkipVerification"):
        raise unsupported("HTTPS without verification (tlsConfig)")


def _check_transfer(body: Mapping[str, Any], kind: str) -> bool:
    """Whether responses are streamed: by proxies, and of a function only with the URI of the
    operation that streams."""
    mode = body.get("responseTransferMode", _MODES[0])
    if mode not in _MODES:
        raise bad_request(
            f"Invalid response transfer mode specified. Valid options are {','.join(_MODES)}"
        )
    is_stream: bool = mode == "STREAM"
    if is_stream and kind not in ("AWS_PROXY", "HTTP_PROXY"):
        raise bad_request(
            "The response transfer mode STREAM is only supported for integrations of type AWS_PROXY"
            " and HTTP_PROXY."
        )
    if kind == "AWS_PROXY" and is_stream != is_streaming_invocation(body.get("uri", "")):
        raise bad_request(
            "The response transfer mode STREAM and the URI of the function must go together:"
            " .../2021-11-15/functions/ARN/response-streaming-invocations."
        )
    return is_stream


def _check_target(body: dict[str, Any], kind: str) -> None:
    """What is called, and with which method."""
    if kind == "MOCK":
        body.pop("uri", None)
        return
    if body.get("httpMethod") not in VERBS:
        raise bad_request("Enumeration value for HttpMethod must be non-empty")
    uri = body.get("uri", "")
    if kind in ("HTTP", "HTTP_PROXY"):
        _check_url(uri)
        return
    if _ARN.fullmatch(uri) is None:
        is_arn = uri.startswith("arn:aws")
        raise bad_request(
            "AWS ARN for integration must contain path or action"
            if is_arn
            else "Invalid ARN specified in the request"
        )
    if kind == "AWS" and not is_invocation(uri):
        if SERVICE_URI.fullmatch(uri) is None:
            raise unsupported(f"integrations with {uri[:200]}")
        if "credentials" not in body:
            raise bad_request("Integrations with other services than Lambda need credentials.")
    if kind == "AWS_PROXY":
        if not (is_invocation(uri) or is_streaming_invocation(uri)):
            raise bad_request(
                "Integrations of type 'AWS_PROXY' currently only supports Lambda function and"
                " Firehose stream invocations."
            )
        if body["httpMethod"] != "POST":
            raise bad_request(
                "Integrations of type 'AWS_PROXY' must call Lambda functions with the HTTP method"
                f" POST, not {body['httpMethod']}."
            )


def _check_url(uri: str) -> None:
    """An HTTP endpoint; its host may be a stage variable."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme.lower() not in ("http", "https") or not parts.netloc or len(uri) > 8192:
        raise bad_request("Invalid HTTP endpoint specified for URI")


def _check_conversion(body: Mapping[str, Any]) -> None:
    if body.get("contentHandling", _CONVERSIONS[0]) not in _CONVERSIONS:
        raise bad_request(
            f"Invalid content handling specified. Valid options are {','.join(_CONVERSIONS)}"
        )
