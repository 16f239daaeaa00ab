"""The endpoints of a broker, from the setting `polling.brokers` or from Amazon MQ."""

import dataclasses
import enum
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import anyio.to_thread

from lambent.aws.client import error_code
from lambent.aws.errors import ClientError
from lambent.model.arn import Arn
from lambent.polling.credentials import CONFIG_NOT_VALID, NOT_AUTHENTICATED
from lambent.polling.ports import SourceError
from lambent.polling.role_client import RoleClient, refused, unreachable


class Engine(enum.Enum):
    """The software of a broker."""

    RABBITMQ = "RabbitMQ"
    ACTIVEMQ = "ActiveMQ"


_SCHEMES = {
    "amqp": (Engine.RABBITMQ, False, 5672),
    "amqps": (Engine.RABBITMQ, True, 5671),
    "stomp": (Engine.ACTIVEMQ, False, 61613),
    "stomp+ssl": (Engine.ACTIVEMQ, True, 61614),
}
"""Engine, whether with TLS, and the default port."""


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a broker."""

    engine: Engine
    host: str
    port: int
    uses_tls: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


async def find_endpoints(arn: str, aws: RoleClient, brokers: Mapping[str, str]) -> list[Endpoint]:
    """The endpoints of a broker, at least one. Only one of them may be active. Raises
    `SourceError`."""
    if arn in brokers:
        endpoints = [parse_endpoint(url) for url in brokers[arn].split(";")]
        if None in endpoints:
            raise _not_valid(f"The setting polling.brokers names no broker for {arn}")
    else:
        endpoints = [parse_endpoint(url) for url in await _ask_amazon_mq(aws, arn)]
    found = [endpoint for endpoint in endpoints if endpoint is not None]
    if not found:
        raise _not_valid(f"Amazon MQ has no endpoint with AMQP or STOMP for {arn}")
    return found


def parse_endpoint(url: str) -> Endpoint | None:
    """None if the URL is of another protocol, or no URL."""
    try:
        parts = urlsplit(url.strip())
        engine, uses_tls, default_port = _SCHEMES[parts.scheme]
        port = parts.port or default_port
    except (ValueError, KeyError):
        return None
    return Endpoint(engine, parts.hostname, port, uses_tls) if parts.hostname else None


async def _ask_amazon_mq(aws: RoleClient, arn: str) -> list[str]:
    try:
        response = await aws.call(
            "mq", "DescribeBroker", {"BrokerId": Arn.parse(arn).name}, resource=arn
        )
    except ClientError as error:
        if error_code(error) == "NotFoundException":
            raise _not_valid(f"There is no broker {arn}") from error
        raise refused(error) from error
    return [
        endpoint
        for instance in response.get("BrokerInstances") or ()
        for endpoint in instance.get("Endpoints") or ()
    ]


class Unreachable(SourceError):
    """There is no connection to one endpoint of a broker. Another may be active."""

    def __init__(self, endpoint: Endpoint, error: Exception) -> None:
        detail = f"{endpoint}: {error or type(error).__name__}"
        super().__init__(unreachable("").result, detail=detail)


async def trust() -> ssl.SSLContext:
    """The TLS context for brokers. It trusts the system's authorities."""
    return await anyio.to_thread.run_sync(ssl.create_default_context)


def not_trusted(error: ssl.SSLError) -> SourceError:
    """The broker's certificate is not trusted, or the broker does not speak TLS."""
    detail = getattr(error, "verify_message", "") or error.reason or type(error).__name__
    return SourceError(
        "PROBLEM: Lambda failed to authenticate server", reason=NOT_AUTHENTICATED, detail=detail
    )


def not_authenticated() -> SourceError:
    """The broker refuses the user and password."""
    return SourceError("PROBLEM: Server failed to authenticate Lambda", reason=NOT_AUTHENTICATED)


def _not_valid(problem: str) -> SourceError:
    return SourceError(f"PROBLEM: {problem}", reason=CONFIG_NOT_VALID)
