"""Where a broker of Amazon MQ is, as the operator says or Amazon MQ knows."""

import dataclasses
import enum
import ssl
from urllib.parse import urlsplit

import anyio.to_thread

from lambent.aws.client import error_code
from lambent.aws.errors import ClientError
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.credentials import CONFIG_NOT_VALID
from lambent.polling.ports import SourceError
from lambent.polling.role_client import refused, unreachable

NOT_AUTHENTICATED = "EVENT_SOURCE_AUTHN_ERROR"


class Engine(enum.Enum):
    """What a broker runs."""

    RABBITMQ = "RabbitMQ"
    ACTIVEMQ = "ActiveMQ"


_SCHEMES = {
    "amqp": (Engine.RABBITMQ, False, 5672),
    "amqps": (Engine.RABBITMQ, True, 5671),
    "stomp": (Engine.ACTIVEMQ, False, 61613),
    "stomp+ssl": (Engine.ACTIVEMQ, True, 61614),
}
"""Engine, whether with TLS, and the usual port."""


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a broker."""

    engine: Engine
    host: str
    port: int
    uses_tls: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


async def find_places(polled: ActiveMapping) -> list[Endpoint]:
    """The addresses of a mapping's broker, of which one at a time may answer. Raises
    `SourceError`."""
    arn = polled.mapping.source_id
    set_by_operator = polled.settings.brokers.get(arn)
    if set_by_operator is not None:
        places = [parse_place(one) for one in set_by_operator.split(";")]
        if None in places:
            raise _not_valid(f"The setting polling.brokers names no broker for {arn}")
    else:
        places = [parse_place(one) for one in await _ask_amazon_mq(polled, arn)]
    found = [one for one in places if one is not None]
    if not found:
        raise _not_valid(f"Amazon MQ tells no endpoint with AMQP or STOMP of {arn}")
    return found


def parse_place(url: str) -> Endpoint | None:
    """None if the URL is of another protocol, or no URL."""
    try:
        parts = urlsplit(url.strip())
        engine, uses_tls, usual_port = _SCHEMES[parts.scheme]
        port = parts.port or usual_port
    except (ValueError, KeyError):
        return None
    return Endpoint(engine, parts.hostname, port, uses_tls) if parts.hostname else None


async def _ask_amazon_mq(polled: ActiveMapping, arn: str) -> list[str]:
    try:
        answer = await polled.aws.call(
            "mq", "DescribeBroker", {"BrokerId": arn.rpartition(":")[2]}, resource=arn
        )
    except ClientError as error:
        if error_code(error) == "NotFoundException":
            raise _not_valid(f"There is no broker {arn}") from error
        raise refused(error) from error
    return [
        endpoint
        for instance in answer.get("BrokerInstances") or ()
        for endpoint in instance.get("Endpoints") or ()
    ]


class Unreachable(SourceError):
    """There is no connection to one address of a broker. Another may do."""

    def __init__(self, place: Endpoint, error: Exception) -> None:
        detail = f"{place}: {error or type(error).__name__}"
        super().__init__(unreachable("").result, detail=detail)


async def trust() -> ssl.SSLContext:
    """What is needed to believe a broker who it is: the system's authorities."""
    return await anyio.to_thread.run_sync(ssl.create_default_context)


def not_trusted(error: ssl.SSLError) -> SourceError:
    """The broker's certificate is none that we trust, or there was no TLS at all."""
    detail = getattr(error, "verify_message", "") or error.reason or type(error).__name__
    return SourceError(
        "PROBLEM: Lambda failed to authenticate server", reason=NOT_AUTHENTICATED, detail=detail
    )


def not_authenticated() -> SourceError:
    """The broker does not take our user and password."""
    return SourceError("PROBLEM: Server failed to authenticate Lambda", reason=NOT_AUTHENTICATED)


def _not_valid(what: str) -> SourceError:
    return SourceError(f"PROBLEM: {what}", reason=CONFIG_NOT_VALID)
