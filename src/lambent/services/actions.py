"""What a request for another service needs permission for, where it can be told.

The action is the operation's name, the resource follows from a parameter. What cannot be told for
sure is None, and for the account's root alone: the request might be understood otherwise by
whoever serves it.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote

from lambent.identity.authorizer import Access
from lambent.kit.http.messages import Exchange
from lambent.kit.strict_json import parse_loosely
from lambent.model.function import Scope

_TARGETS = {
    "cognito-identity": ("AWSCognitoIdentityService",),
    "cognito-idp": ("AWSCognitoIdentityProviderService",),
    "dynamodb": ("DynamoDB_20120810", "DynamoDBStreams_20120810"),
    "events": ("AWSEvents",),
    "firehose": ("Firehose_20150804",),
    "kinesis": ("Kinesis_20131202",),
    "kms": ("TrentService",),
    "secretsmanager": ("secretsmanager",),
    "sqs": ("AmazonSQS",),
    "ssm": ("AmazonSSM",),
    "states": ("AWSStepFunctions",),
}
"""How `X-Amz-Target` begins, by signing name."""
_FORMS = frozenset({"ses", "sns", "sqs"})
"""Services whose requests are forms."""
_RESOURCES: Mapping[str, Mapping[str, str]] = {
    "sqs": {"QueueName": "{}"},
    "sns": {"Name": "{}"},
    "dynamodb": {"TableName": "table/{}"},
    "kinesis": {"StreamName": "stream/{}"},
}
"""Parameters that name a resource, and what of its ARN follows the account."""
_ARNS = (
    *("ResourceARN", "ResourceArn", "SecretId", "StreamARN", "StreamArn", "TableName"),
    *("TargetArn", "TopicArn", "stateMachineArn"),
)
"""Parameters that are ARNs, or may be."""
_QUEUE_URL = re.compile(r"https?://[^/?#]+/(\d{12})/([\w-]{1,80}(?:\.fifo)?)")
_NAME = re.compile(r"[\w.-]{1,256}")
_S3_PATH = re.compile(r"/(?P<bucket>[a-z0-9.-]{3,63})(?:/(?P<key>.*))?", re.DOTALL)
_S3_BUCKET = {
    "GET": "ListBucket",
    "HEAD": "ListBucket",
    "PUT": "CreateBucket",
    "DELETE": "DeleteBucket",
}
_S3_OBJECT = {
    "GET": "GetObject",
    "HEAD": "GetObject",
    "PUT": "PutObject",
    "DELETE": "DeleteObject",
}
_S3_LISTING = frozenset(
    {
        *("continuation-token", "delimiter", "encoding-type", "fetch-owner", "list-type", "marker"),
        *("max-keys", "prefix", "start-after", "x-id"),
    }
)
_S3_MULTIPART = frozenset({"partNumber", "uploadId", "uploads", "x-id"})


def access_of(service: str, exchange: Exchange, scope: Scope) -> Access | None:
    """What a caller must be allowed to do; None if it cannot be told."""
    if service == "s3":
        return _of_s3(exchange, scope)
    if exchange.method != "POST" or exchange.path not in ("/", "") or exchange.query:
        return None
    target = exchange.headers.get("x-amz-target")
    try:
        if target is not None:
            prefix, _, operation = target.partition(".")
            if prefix not in _TARGETS.get(service, ()):
                return None
            params = parse_loosely(exchange.body or b"{}")
        elif service in _FORMS:
            form = parse_qs(exchange.body.decode(), keep_blank_values=True)
            if any(len(values) > 1 for values in form.values()):
                return None
            params = {name: values[0] for name, values in form.items()}
            operation = params.get("Action", "")
        else:
            return None
    except ValueError:
        return None
    if not operation.isalnum() or not isinstance(params, dict):
        return None
    if service in ("sqs", "sns"):
        operation = operation.removesuffix("Batch")
    arn = _arn(service, params, scope)
    return None if arn is None else Access(f"{service}:{operation}", arn, _owner(arn, scope))


def _arn(service: str, params: Mapping[str, Any], scope: Scope) -> str | None:
    """The ARN of what a request is about, `*` if it names nothing; None if it says it twice, or in
    a way that is not understood."""
    found = set()
    for name in _ARNS:
        value = params.get(name)
        if isinstance(value, str) and value.startswith("arn:"):
            found.add(value)
    for name, form in _RESOURCES.get(service, {}).items():
        value = params.get(name)
        if isinstance(value, str) and not value.startswith("arn:"):
            if _NAME.fullmatch(value) is None:
                return None
            found.add(f"arn:aws:{service}:{scope.region}:{scope.account}:{form.format(value)}")
    if service == "sqs" and "QueueUrl" in params:
        match = _QUEUE_URL.fullmatch(str(params["QueueUrl"]))
        if match is None:
            return None
        found.add(f"arn:aws:sqs:{scope.region}:{match[1]}:{match[2]}")
    if len(found) > 1:
        return None
    return found.pop() if found else "*"


def _owner(arn: str, scope: Scope) -> str:
    parts = arn.split(":")
    return (parts[4] if len(parts) > 5 else "") or scope.account


def _of_s3(exchange: Exchange, scope: Scope) -> Access | None:
    """Objects and lists of them; all that is about settings of a bucket is not told apart."""
    if "x-amz-target" in exchange.headers or "x-amz-copy-source" in exchange.headers:
        return None
    asked = {
        name
        for name, _ in parse_qsl(exchange.query, keep_blank_values=True)
        if not name.startswith("X-Amz-")
    }
    path = unquote(exchange.path)
    if path == "/" and exchange.method == "GET" and asked <= {"x-id"}:
        return Access("s3:ListAllMyBuckets", "*", scope.account)
    match = _S3_PATH.fullmatch(path)
    if match is None:
        return None
    action = None
    if not match["key"]:
        if asked <= (_S3_LISTING if exchange.method == "GET" else frozenset({"x-id"})):
            action = _S3_BUCKET.get(exchange.method)
    elif asked <= {"x-id"}:
        action = _S3_OBJECT.get(exchange.method)
    elif asked <= _S3_MULTIPART and exchange.method in ("POST", "PUT"):
        action = "PutObject"
    elif asked <= {"uploadId", "x-id"} and exchange.method == "DELETE":
        action = "AbortMultipartUpload"
    if action is None:
        return None
    key = f"/{match['key']}" if match["key"] else ""
    return Access(f"s3:{action}", f"arn:aws:s3:::{match['bucket']}{key}", scope.account)
