"""The address of a mapping's Kafka cluster, and the settings to connect to it."""

import dataclasses
import ipaddress
import logging
from collections.abc import Mapping
from typing import Any

from lambent.aws.errors import ClientError
from lambent.model.mapping import EventSourceMapping
from lambent.polling.credentials import CONFIG_NOT_VALID, SourceCredentials, load_credentials
from lambent.polling.ports import SourceError
from lambent.polling.role_client import RoleClient, refused

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
    """librdkafka's settings to connect."""

    bootstrap: str
    """`HOST:PORT`, several with commas between them."""
    login: Mapping[str, Any] = dataclasses.field(repr=False)
    """Settings of librdkafka, including secrets."""

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of any client of the cluster."""
        return {
            "bootstrap.servers": self.bootstrap,
            "client.id": "lambent",
            # Otherwise librdkafka tries a broker that is down, and logs it, 20 times a second.
            "reconnect.backoff.ms": 250,
            "reconnect.backoff.max.ms": 2000,
            "socket.timeout.ms": 10_000,
            "socket.keepalive.enable": True,
            "topic.metadata.refresh.interval.ms": 60_000,
            **self.login,
        }


class ClientLog:
    """Takes librdkafka's log, which is long when a broker is down. It needs a `logging.Logger`, of
    which it calls this method only."""

    def __init__(self) -> None:
        self.last = ""

    def log(self, _level: int, text: str, *arguments: object) -> None:
        """A line. Its last argument is the text."""
        logger.debug(text, *arguments)
        self.last = str(arguments[-1]) if arguments else text


async def find_cluster(
    mapping: EventSourceMapping, aws: RoleClient, brokers: Mapping[str, str]
) -> Cluster:
    """Read the secrets, and find the address: in the mapping, in the setting `brokers`, or from
    Amazon MSK. Raises `SourceError`."""
    for entry in mapping.options.access:
        if entry.type not in _UNDERSTOOD:
            raise SourceError(f"PROBLEM: {entry.type} is not supported", reason=CONFIG_NOT_VALID)
    access = await load_credentials(aws, mapping.options.access)
    source_id = mapping.source_id
    if not mapping.kind.has_arn:
        return Cluster(source_id, login(access, source_id))
    if source_id in brokers:
        bootstrap = ",".join(address.strip() for address in brokers[source_id].split(";"))
        return Cluster(bootstrap, login(access, bootstrap))
    return await _ask_msk(aws, source_id, access)


def login(
    access: SourceCredentials, bootstrap: str, *, wants_tls: bool = False
) -> Mapping[str, Any]:
    """librdkafka's settings for credentials.

    Passwords go over TLS, unless all servers are on this machine's loopback and there is no root
    certificate. Without credentials the connection is encrypted only if `wants_tls`.
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


async def _ask_msk(aws: RoleClient, arn: str, access: SourceCredentials) -> Cluster:
    """Call GetBootstrapBrokers, which returns addresses for each way to authenticate."""
    try:
        response = await aws.call("kafka", "GetBootstrapBrokers", {"ClusterArn": arn}, resource=arn)
    except ClientError as error:
        raise refused(error) from error
    if access.mechanism:
        members = ["BootstrapBrokerStringSaslScram"]
    elif access.certificate:
        members = ["BootstrapBrokerStringTls"]
    else:
        members = ["BootstrapBrokerStringTls", "BootstrapBrokerString"]
    for member in members:
        if bootstrap := response.get(member):
            has_tls = member != "BootstrapBrokerString"
            return Cluster(bootstrap, login(access, bootstrap, wants_tls=has_tls))
    raise SourceError(
        f"PROBLEM: The cluster has no {' or '.join(members)}", reason=CONFIG_NOT_VALID
    )


def _is_loopback(bootstrap: str) -> bool:
    return all(_is_here(address.rpartition(":")[0]) for address in bootstrap.split(","))


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
