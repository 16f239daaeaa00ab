"""The permissions that a request for another service needs, where they can be derived.

The action is the operation's name, the resource follows from a parameter. A request whose
permissions are not certain is for the account's root only: the server of the request might
interpret it differently.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote

from lambent.identity.authorizer import Access, Caller
from lambent.kit.http.messages import Exchange
from lambent.kit.strict_json import parse_loosely
from lambent.model.arn import Arn, Scope
from lambent.model.errors import ApiError
from lambent.services.foreign_operations import OPERATIONS
from lambent.services.foreign_resources import RequestedResources
from lambent.services.passed_roles import passed_roles

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
"""Prefixes of `X-Amz-Target`, by signing name."""
_FORMS = frozenset({"ses", "sns", "sqs"})
"""Services with form-encoded requests."""
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
_S3_ACTIONS = {
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}
"""Actions of S3 that are not called as their operations are."""
_PIPE_PATH = re.compile(
    r"/v1/pipes(?:/(?P<name>[\w.-]{1,64})(?:/(?P<part>start|stop))?)?", re.ASCII
)
_PIPES = {
    ("GET", ""): "ListPipes",
    ("GET", "name"): "DescribePipe",
    ("POST", "name"): "CreatePipe",
    ("PUT", "name"): "UpdatePipe",
    ("DELETE", "name"): "DeletePipe",
    ("POST", "start"): "StartPipe",
    ("POST", "stop"): "StopPipe",
}
_S3_MULTIPART = frozenset({"partNumber", "uploadId", "uploads", "x-id"})


def accesses_of(service: str, exchange: Exchange, scope: Scope) -> Sequence[Access] | None:
    """All permissions that the caller needs; None if they are not certain."""
    if service == "s3":
        access = _of_s3(exchange, scope)
        return None if access is None else [access]
    if service == "pipes":
        return _of_pipes(exchange, scope)
    if exchange.method != "POST" or exchange.path not in ("/", "") or exchange.query:
        return None
    try:
        found = _read(service, exchange)
    except ValueError:
        return None
    if found is None:
        return None
    return _accesses(service, *found, scope)


def not_certain(caller: Caller, service: str) -> ApiError:
    """The error for a request of which `accesses_of` cannot say what it needs."""
    return ApiError(
        "AccessDeniedException",
        f"User: {caller.principal.arn} is not authorized to perform this: cannot determine which"
        f" permissions this {service} request needs; only the account's root user may make it.",
        status=403,
    )


def _accesses(
    service: str, operation: str, params: Mapping[str, Any], scope: Scope
) -> Sequence[Access] | None:
    if service in ("sqs", "sns"):
        operation = operation.removesuffix("Batch")
    find = OPERATIONS.get(service, {}).get(operation)
    about = None if find is None else find(RequestedResources(service, operation, params, scope))
    if about is None:
        return None
    found = [
        Access(
            f"{service}:{access.action or operation}",
            access.arn,
            _owner(access.arn, scope),
            is_unsure=access.is_unsure,
        )
        for access in about
    ]
    return found + passed_roles(service, params, scope)


def accesses_of_call(
    service: str, operation: str, params: Mapping[str, Any], scope: Scope
) -> Sequence[Access] | None:
    """As `accesses_of`, for a call with botocore's names of operations and members."""
    if service == "s3":
        bucket, key = params.get("Bucket"), params.get("Key")
        if bucket is None:
            return None
        resource = f"arn:aws:s3:::{bucket}" + (f"/{key}" if key is not None else "")
        action = _S3_ACTIONS.get(operation, operation)
        return [Access(f"s3:{action}", resource, scope.account)]
    return _accesses(service, operation, params, scope)


def _read(service: str, exchange: Exchange) -> tuple[str, Mapping[str, Any]] | None:
    """The operation and its parameters; None if the request does not have the service's form.
    Raises `ValueError` for invalid JSON or text, and for a member that occurs twice."""
    target = exchange.headers.get("x-amz-target")
    if target is not None:
        prefix, _, operation = target.partition(".")
        if prefix not in _TARGETS.get(service, ()):
            return None
        params = parse_loosely(exchange.body or b"{}", _distinct)
        return (operation, params) if isinstance(params, dict) else None
    if service not in _FORMS:
        return None
    form = parse_qs(exchange.body.decode(), keep_blank_values=True)
    if any(len(values) > 1 for values in form.values()):
        return None
    params = {name: values[0] for name, values in form.items()}
    return params.get("Action", ""), params


def _of_pipes(exchange: Exchange, scope: Scope) -> Sequence[Access] | None:
    """The permissions for a request about pipes, which has its operation in method and path."""
    match = _PIPE_PATH.fullmatch(exchange.path)
    if match is None or "x-amz-target" in exchange.headers:
        return None
    operation = _PIPES.get((exchange.method, match["part"] or ("name" if match["name"] else "")))
    if operation is None or (exchange.query and operation != "ListPipes"):
        return None
    try:
        params = parse_loosely(exchange.body or b"{}", _distinct)
    except ValueError:
        return None
    if not isinstance(params, dict):
        return None
    return _accesses("pipes", operation, {**params, "Name": match["name"]}, scope)


def _distinct(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object without duplicate members: of two, a server may use either."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found


def _owner(arn: str, scope: Scope) -> str:
    parsed = Arn.try_parse(arn)
    return (parsed.account if parsed is not None else "") or scope.account


def _of_s3(exchange: Exchange, scope: Scope) -> Access | None:
    """The permission for objects and lists of objects; None for other requests of a bucket."""
    if "x-amz-target" in exchange.headers or "x-amz-copy-source" in exchange.headers:
        return None
    parameters = {
        name
        for name, _ in parse_qsl(exchange.query, keep_blank_values=True)
        if not name.startswith("X-Amz-")
    }
    path = unquote(exchange.path)
    if path == "/" and exchange.method == "GET" and parameters <= {"x-id"}:
        return Access("s3:ListAllMyBuckets", "*", scope.account)
    match = _S3_PATH.fullmatch(path)
    if match is None:
        return None
    action = None
    if not match["key"]:
        if parameters <= (_S3_LISTING if exchange.method == "GET" else frozenset({"x-id"})):
            action = _S3_BUCKET.get(exchange.method)
    elif parameters <= {"x-id"}:
        action = _S3_OBJECT.get(exchange.method)
    elif parameters <= _S3_MULTIPART and exchange.method in ("POST", "PUT"):
        action = "PutObject"
    elif parameters <= {"uploadId", "x-id"} and exchange.method == "DELETE":
        action = "AbortMultipartUpload"
    if action is None:
        return None
    key = f"/{match['key']}" if match["key"] else ""
    return Access(f"s3:{action}", f"arn:aws:s3:::{match['bucket']}{key}", scope.account)
