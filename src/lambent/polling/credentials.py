"""Credentials for a cluster or broker: the secrets that SourceAccessConfigurations name.
https://docs.aws.amazon.com/lambda/latest/api/API_SourceAccessConfiguration.html
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from lambent.aws.client import error_code
from lambent.aws.errors import ClientError
from lambent.kit.strict_json import parse_loosely
from lambent.model.mapping_options import SourceAccess
from lambent.polling.ports import SourceError
from lambent.polling.role_client import RoleClient, refused

CONFIG_NOT_VALID = "ESM_CONFIG_NOT_VALID"
NOT_AUTHENTICATED = "EVENT_SOURCE_AUTHN_ERROR"
"""Codes for the StateTransitionReason."""
_MECHANISMS = {
    "BASIC_AUTH": "PLAIN",
    "SASL_SCRAM_256_AUTH": "SCRAM-SHA-256",
    "SASL_SCRAM_512_AUTH": "SCRAM-SHA-512",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SourceCredentials:
    """Members that the mapping does not configure are empty."""

    mechanism: str = ""
    """The SASL mechanism, by Kafka's name; `PLAIN` for brokers."""
    user: str = dataclasses.field(default="", repr=False)
    password: str = dataclasses.field(default="", repr=False)
    certificate: str = dataclasses.field(default="", repr=False)
    """The client's certificate, and those of its issuers; PEM."""
    private_key: str = dataclasses.field(default="", repr=False)
    private_key_password: str = dataclasses.field(default="", repr=False)
    root_certificate: str = dataclasses.field(default="", repr=False)
    """The authority that the server's certificate must come from; PEM."""
    virtual_host: str = ""
    """RabbitMQ's."""


async def load_credentials(aws: RoleClient, access: Iterable[SourceAccess]) -> SourceCredentials:
    """Read the secrets. Raises `SourceError`."""
    found: dict[str, str] = {}
    for entry in access:
        kind, uri = entry.type, entry.uri
        if kind in _MECHANISMS:
            secret = await _read_secret(aws, uri, "username", "password")
            found |= {
                "mechanism": _MECHANISMS[kind],
                "user": secret["username"],
                "password": secret["password"],
            }
        elif kind == "CLIENT_CERTIFICATE_TLS_AUTH":
            secret = await _read_secret(aws, uri, "certificate", "privateKey")
            found |= {
                "certificate": secret["certificate"],
                "private_key": secret["privateKey"],
                "private_key_password": secret.get("privateKeyPassword", ""),
            }
        elif kind == "SERVER_ROOT_CA_CERTIFICATE":
            secret = await _read_secret(aws, uri, "certificate")
            found["root_certificate"] = secret["certificate"]
        elif kind == "VIRTUAL_HOST":
            found["virtual_host"] = uri
    return SourceCredentials(**found)


async def _read_secret(aws: RoleClient, arn: str, *members: str) -> Mapping[str, str]:
    """A secret, which must be a JSON object with strings of these names."""
    try:
        response = await aws.call(
            "secretsmanager", "GetSecretValue", {"SecretId": arn}, resource=arn
        )
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            raise _not_valid(f"there is no secret {arn}") from error
        raise refused(error) from error
    try:
        secret: Any = parse_loosely(response.get("SecretString") or "")
    except ValueError:
        secret = None
    if not isinstance(secret, dict) or not all(
        isinstance(secret.get(member), str) for member in members
    ):
        # The parser's error is left out: it may show the secret.
        raise _not_valid(f"the secret {arn} is no JSON object with {' and '.join(members)}")
    return {name: value for name, value in secret.items() if isinstance(value, str)}


def _not_valid(problem: str) -> SourceError:
    return SourceError(f"PROBLEM: {problem}", reason=CONFIG_NOT_VALID)
