"""Where a mapping's Kafka cluster is, and how to get into it."""

import dataclasses
import ipaddress
import logging
from collections.abc import Mapping
from typing import Any

from lambent.aws.errors import ClientError
from lambent.model.mapping import Source
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.credentials import CONFIG_NOT_VALID, SourceCredentials, load_credentials
from lambent.polling.ports import SourceError
from lambent.polling.role_client import refused

logger = logging.getLogger(__name__)

_UNDERSTOOD = frozenset(
    {
        "BASIC_AUTH",
        "SASL_SCRAM_256_AUTH",
        "SASL_SCRAM_512_AUTH",
        "CLIENT_CERTIFICATE_TLS_AUTH",
        "SERVER_ROOT_CA_CERTIFICATE",
        "VPC_SUBNET",
        "VPC_SECURITY_GROUP",
    }
)


@dataclasses.dataclass(frozen=True, slots=True)
class Cluster:
    """What librdkafka must know to connect."""

    bootstrap: str
    """`HOST:PORT`, several with commas between them."""
    login: Mapping[str, Any] = dataclasses.field(repr=False)
    """Settings of librdkafka, secrets among them."""

    @property
    def settings(self) -> dict[str, Any]:
        """Of any client of the cluster."""
        return {
            "bootstrap.servers": self.bootstrap,
            "client.id": "lambent",
            # Else a broker that is down is asked, and complained about, 20 times a second.
            "reconnect.backoff.ms": 250,
            "reconnect.backoff.max.ms": 2000,
            "socket.timeout.ms": 10_000,
            "socket.keepalive.enable": True,
            "topic.metadata.refresh.interval.ms": 60_000,
            **self.login,
        }

    @property
    def shows_certificate(self) -> bool:
        """Whether a certificate says who we are."""
        return self.login.get("security.protocol") == "SSL"


class ClientLog:
    """What librdkafka logs, of which there is much when a broker is away. (It wants a
    `logging.Logger`, and calls nothing else of it.)"""

    def __init__(self) -> None:
        self.last = ""

    def log(self, _level: int, text: str, *arguments: object) -> None:
        """A line; its last argument is what was said."""
        logger.debug(text, *arguments)
        self.last = str(arguments[-1]) if arguments else text


async def find_cluster(polled: ActiveMapping) -> Cluster:
    """Read the secrets, and ask where the cluster is if nobody said. Raises `SourceError`."""
    mapping = polled.mapping
    for one in mapping.configuration.get("SourceAccessConfigurations") or ():
        if one.get("Type") not in _UNDERSTOOD:
            raise SourceError(
                f"PROBLEM: {one.get('Type')} is not supported", reason=CONFIG_NOT_VALID
            )
    access = await load_credentials(polled)
    if mapping.source is Source.KAFKA:
        return Cluster(mapping.source_id, login(access, mapping.source_id))
    known = polled.settings.brokers.get(mapping.source_id)
    if known is not None:
        bootstrap = ",".join(one.strip() for one in known.split(";"))
        return Cluster(bootstrap, login(access, bootstrap))
    return await _ask_msk(polled, access)


def login(
    access: SourceCredentials, bootstrap: str, *, wants_tls: bool = False
) -> Mapping[str, Any]:
    """Settings for what the mapping says of access.

    Passwords go over TLS, unless all servers are on this machine's loopback and no root certificate
    is given. Without anything about access, nothing is encrypted unless `wants_tls`.
    """
    found: dict[str, Any] = {}
    if access.root_certificate:
        found["ssl.ca.pem"] = access.root_certificate
    if access.certificate:
        found["ssl.certificate.pem"] = access.certificate
        found["ssl.key.pem"] = access.private_key
        if access.private_key_password:
            found["ssl.key.password"] = access.private_key_password
    has_tls = wants_tls or bool(found) or (bool(access.mechanism) and not _is_loopback(bootstrap))
    if access.mechanism:
        found["security.protocol"] = "SASL_SSL" if has_tls else "SASL_PLAINTEXT"
        found["sasl.mechanism"] = access.mechanism
        found["sasl.username"] = access.user
        found["sasl.password"] = access.password
    else:
        found["security.protocol"] = "SSL" if has_tls else "PLAINTEXT"
    return found


async def _ask_msk(polled: ActiveMapping, access: SourceCredentials) -> Cluster:
    """See GetBootstrapBrokers, which has addresses for each way to get in."""
    arn = polled.mapping.source_id
    try:
        answer = await polled.aws.call(
            "kafka", "GetBootstrapBrokers", {"ClusterArn": arn}, resource=arn
        )
    except ClientError as error:
        raise refused(error) from error
    if access.mechanism:
        members = ["BootstrapBrokerStringSaslScram"]
    elif access.certificate:
        members = ["BootstrapBrokerStringTls"]
    else:
        members = ["BootstrapBrokerStringTls", "BootstrapBrokerString"]
    for member in members:
        if bootstrap := answer.get(member):
            has_tls = member != "BootstrapBrokerString"
            return Cluster(bootstrap, login(access, bootstrap, wants_tls=has_tls))
    raise SourceError(
        f"PROBLEM: The cluster has no {' or '.join(members)}", reason=CONFIG_NOT_VALID
    )


def _is_loopback(bootstrap: str) -> bool:
    return all(_is_here(one.rpartition(":")[0]) for one in bootstrap.split(","))


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
