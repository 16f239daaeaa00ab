"""Recognizes the service of an unsigned request by the request's form.

A signature names the service. An unsigned request is recognized by the path of an operation, by
`X-Amz-Target` (JSON), by the service in its path (CBOR) or by the version of the API (forms). A few
operations are never signed, because callers get their credentials from them: the service models say
which.
"""

import functools
from collections.abc import Iterable, Mapping, Set

from lambent.gateway.definitions import AnyService
from lambent.gateway.models import load_model
from lambent.gateway.protocols.cbor import operation_in_path
from lambent.gateway.protocols.forms import read_field
from lambent.kit.http.messages import Exchange

FOREIGN_TARGETS: Mapping[str, str] = {
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
    "ResourceGroupsTaggingAPI_20170126": "tagging",
    "TrentService": "kms",
    "secretsmanager": "secretsmanager",
}
"""Signing names of services that are forwarded, by the prefix of `X-Amz-Target`."""
FOREIGN_VERSIONS: Mapping[str, str] = {
    "2010-03-31": "sns",
    "2010-08-01": "monitoring",
    "2010-12-01": "ses",
    "2012-11-05": "sqs",
}
"""The same, by the version of the API that a form names."""
_TOKENS = {
    "/client/register": "sso-oauth",
    "/device_authorization": "sso-oauth",
    "/token": "sso-oauth",
    "/v1/token": "signin",
}
"""Paths where clients get credentials without a signature."""
_PUBLIC = ("cognito-identity", "cognito-idp")


class Recognition:
    """Recognizes services by the form of requests."""

    def __init__(self, services: Iterable[AnyService]) -> None:
        """`services` are the platform's own; their models say how they are recognized."""
        self.targets = dict(FOREIGN_TARGETS)
        """Signing names by the prefix of `X-Amz-Target`, which is in the path of CBOR requests."""
        self.versions = dict(FOREIGN_VERSIONS)
        """Signing names, by the version of the API that a form names."""
        for service in services:
            spoken = {protocol.name for protocol in service.protocols}
            if "targetPrefix" in service.model.metadata:
                self.targets[service.model.metadata["targetPrefix"]] = service.signing_name
            if "query" in spoken:
                self.versions[service.model.api_version] = service.signing_name

    def service_of(self, exchange: Exchange) -> str | None:
        """The signing name of the service that an unsigned request is for. None if its form
        indicates no service, empty if it indicates one that is not known here."""
        headers = exchange.headers
        target = headers.get("x-amz-target")
        if target is not None:
            return self.targets.get(target.partition(".")[0], "")
        if "smithy-protocol" in headers:
            return self.targets.get(operation_in_path(exchange)[0], "")
        if "x-amz-sso_bearer_token" in headers:
            return "awsssoportal"
        if exchange.method != "POST":
            return None
        if exchange.path == "/":
            version = read_field(exchange, "Version")
            return self.versions.get(version, "")
        is_json = headers.get("content-type", "").startswith("application/json")
        return _TOKENS.get(exchange.path) if is_json else None


def is_public(exchange: Exchange) -> bool:
    """Whether a request is for an operation of Cognito that needs no signature, according to the
    service's model."""
    headers = exchange.headers
    prefix, _, operation = headers.get("x-amz-target", "").partition(".")
    service = FOREIGN_TARGETS.get(prefix)
    if service not in _PUBLIC or operation not in _public_operations(service):
        return False
    # No policy is checked, so the server behind must not read another request out of it.
    is_plain = exchange.method == "POST" and exchange.path == "/" and not exchange.query
    return is_plain and headers.get("content-type", "").startswith("application/x-amz-json-1.")


@functools.cache
def _public_operations(service: str) -> Set[str]:
    model = load_model(service)
    return frozenset(
        name for name in model.operation_names if model.operation_model(name).auth_type == "none"
    )
