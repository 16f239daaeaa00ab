"""Which service a request without a signature is for: its form says it.

A signature names the service. Without one, `X-Amz-Target` tells the services that speak JSON apart,
and the version of the API those that speak forms. A few operations never have a signature, because
they are how their callers come by credentials: the service models say which.
"""

import functools
from collections.abc import Mapping, Set
from urllib.parse import parse_qs, unquote_plus

from lambent.gateway.protocol.models import load_model
from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError

TARGETS: Mapping[str, str] = {
    "AWSCognitoIdentityProviderService": "cognito-idp",
    "AWSCognitoIdentityService": "cognito-identity",
    "AWSEvents": "events",
    "AWSStepFunctions": "states",
    "AmazonSQS": "sqs",
    "AmazonSSM": "ssm",
    "DynamoDBStreams_20120810": "dynamodb",
    "DynamoDB_20120810": "dynamodb",
    "Firehose_20150804": "firehose",
    "GraniteServiceVersion20100801": "monitoring",
    "Kinesis_20131202": "kinesis",
    "Logs_20140328": "logs",
    "ResourceGroupsTaggingAPI_20170126": "tagging",
    "TrentService": "kms",
    "secretsmanager": "secretsmanager",
}
"""Signing names, by what `X-Amz-Target` begins with."""
VERSIONS: Mapping[str, str] = {
    "2010-03-31": "sns",
    "2010-05-08": "iam",
    "2010-08-01": "monitoring",
    "2010-12-01": "ses",
    "2011-06-15": "sts",
    "2012-11-05": "sqs",
}
"""Signing names, by the version of the API that a form names."""
_TOKENS = {
    "/client/register": "sso-oauth",
    "/device_authorization": "sso-oauth",
    "/token": "sso-oauth",
    "/v1/token": "signin",
}
"""Paths at which credentials are had for something else than a signature."""
_FIELD_BYTES_MAX = 256
_FORM_BYTES_MAX = 512 * 1024
"""A policy of IAM has up to 128 Ki characters, each of which may take three bytes."""
_FORM_FIELDS_MAX = 1000
_PUBLIC = ("cognito-identity", "cognito-idp")


def service_of(exchange: Exchange) -> str | None:
    """The signing name of the service that an unsigned request is for, None if its form is that of
    no service in particular, and empty if it is that of a service which is not known here."""
    headers = exchange.headers
    target = headers.get("x-amz-target")
    if target is not None:
        return TARGETS.get(target.partition(".")[0], "")
    if "x-amz-sso_bearer_token" in headers:
        return "awsssoportal"
    if exchange.method != "POST":
        return None
    if exchange.path == "/":
        version = read_field(exchange, "Version")
        return VERSIONS.get(version, "")
    is_json = headers.get("content-type", "").startswith("application/json")
    return _TOKENS.get(exchange.path) if is_json else None


def read_field(exchange: Exchange, name: str) -> str:
    """One field of a form, empty if it is not there, without reading the rest."""
    form = exchange.body or exchange.query.encode("latin-1")
    begin = f"{name}=".encode()
    at = 0 if form.startswith(begin) else form.find(b"&" + begin) + 1
    if at == 0 and not form.startswith(begin):
        return ""
    end = form.find(b"&", at)
    value = form[at + len(begin) : end if end >= 0 else len(form)]
    return unquote_plus(value[:_FIELD_BYTES_MAX].decode("latin-1"))


def read_form(exchange: Exchange) -> dict[str, list[str]]:
    """The fields of a form. Raises `RequestEntityTooLargeException` for one that is larger than
    any request of ours may be."""
    text = exchange.body[: _FORM_BYTES_MAX + 1].decode("latin-1") or exchange.query
    try:
        if len(text) > _FORM_BYTES_MAX:
            raise ValueError
        return parse_qs(text, keep_blank_values=True, max_num_fields=_FORM_FIELDS_MAX)
    except ValueError:
        message = f"A form may have {_FORM_BYTES_MAX} bytes and {_FORM_FIELDS_MAX} fields."
        raise ApiError("RequestEntityTooLargeException", message, status=413) from None


def is_public(exchange: Exchange) -> bool:
    """Whether a request is for an operation that its service's model has no signature for, of a
    service that others serve."""
    headers = exchange.headers
    prefix, _, operation = headers.get("x-amz-target", "").partition(".")
    service = TARGETS.get(prefix)
    if service not in _PUBLIC or operation not in _public_operations(service):
        return False
    # Nobody else is asked: it must not look like another request to whoever serves it.
    is_plain = exchange.method == "POST" and exchange.path == "/" and not exchange.query
    return is_plain and headers.get("content-type", "").startswith("application/x-amz-json-1.")


@functools.cache
def _public_operations(service: str) -> Set[str]:
    model = load_model(service)
    return frozenset(
        name for name in model.operation_names if model.operation_model(name).auth_type == "none"
    )
