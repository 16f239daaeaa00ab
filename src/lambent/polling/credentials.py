"""How to get into a cluster or broker: what a mapping's SourceAccessConfigurations say.
https://docs.aws.amazon.com/lambda/latest/api/API_SourceAccessConfiguration.html
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from lambent.aws.client import error_code
from lambent.aws.errors import ClientError
from lambent.kit.strict_json import parse_loosely
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.ports import SourceError
from lambent.polling.role_client import refused

CONFIG_NOT_VALID = "ESM_CONFIG_NOT_VALID"
_MECHANISMS = {
    "BASIC_AUTH": "PLAIN",
    "SASL_SCRAM_256_AUTH": "SCRAM-SHA-256",
    "SASL_SCRAM_512_AUTH": "SCRAM-SHA-512",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SourceCredentials:
    """Empty where the mapping says nothing."""

    mechanism: str = ""
    """Of SASL, as Kafka names it; `PLAIN` for brokers."""
    user: str = dataclasses.field(default="", repr=False)
    password: str = dataclasses.field(default="", repr=False)
    certificate: str = dataclasses.field(default="", repr=False)
    """The client's, PEM; with those of its issuers."""
    private_key: str = dataclasses.field(default="", repr=False)
    private_key_password: str = dataclasses.field(default="", repr=False)
    root_certificate: str = dataclasses.field(default="", repr=False)
    """That the server's certificate must go back to, PEM."""
    virtual_host: str = ""
    """Of RabbitMQ."""


async def load_credentials(polled: ActiveMapping) -> SourceCredentials:
    """Read the secrets. Raises `SourceError`."""
    found: dict[str, str] = {}
    for one in polled.mapping.configuration.get("SourceAccessConfigurations") or ():
        kind, uri = one.get("Type", ""), one.get("URI", "")
        if kind in _MECHANISMS:
            secret = await _read_secret(polled, uri, "username", "password")
            found |= {
                "mechanism": _MECHANISMS[kind],
                "user": secret["username"],
                "password": secret["password"],
            }
        elif kind == "CLIENT_CERTIFICATE_TLS_AUTH":
            secret = await _read_secret(polled, uri, "certificate", "privateKey")
            found |= {
                "certificate": secret["certificate"],
                "private_key": secret["privateKey"],
                "private_key_password": secret.get("privateKeyPassword", ""),
            }
        elif kind == "SERVER_ROOT_CA_CERTIFICATE":
            secret = await _read_secret(polled, uri, "certificate")
            found["root_certificate"] = secret["certificate"]
        elif kind == "VIRTUAL_HOST":
            found["virtual_host"] = uri
    return SourceCredentials(**found)


async def _read_secret(polled: ActiveMapping, arn: str, *members: str) -> Mapping[str, str]:
    """A secret, which is a JSON object with texts of these names."""
    try:
        answer = await polled.aws.call(
            "secretsmanager", "GetSecretValue", {"SecretId": arn}, resource=arn
        )
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            raise _not_valid(f"there is no secret {arn}") from error
        raise refused(error) from error
    try:
        secret: Any = parse_loosely(answer.get("SecretString") or "")
    except ValueError:
        secret = None
    if not isinstance(secret, dict) or not all(
        isinstance(secret.get(member), str) for member in members
    ):
        # Not even the parser's error is told: it may show what is in the secret.
        raise _not_valid(f"the secret {arn} is no JSON object with {' and '.join(members)}")
    return {name: value for name, value in secret.items() if isinstance(value, str)}


def _not_valid(what: str) -> SourceError:
    return SourceError(f"PROBLEM: {what}", reason=CONFIG_NOT_VALID)
