"""The endpoints of a broker, from the setting `polling.brokers` or from Amazon MQ."""

from collections.abc import Mapping

from lambent.aws.client import error_code
from lambent.aws.errors import ClientError
from lambent.model.arn import Arn
from lambent.polling.broker_connections import (
    Endpoint,
    Scheme,
    config_not_valid,
    find_in_settings,
    parse_endpoint,
)
from lambent.polling.role_client import RoleClient, refused

SCHEMES = {
    "amqp": Scheme(5672),
    "amqps": Scheme(5671, uses_tls=True),
    "stomp": Scheme(61613),
    "stomp+ssl": Scheme(61614, uses_tls=True),
}
"""AMQP is RabbitMQ's, STOMP is ActiveMQ's."""


async def find_endpoints(arn: str, aws: RoleClient, brokers: Mapping[str, str]) -> list[Endpoint]:
    """The endpoints of a broker, at least one. Only one of them may be active. Raises
    `SourceError`."""
    if arn in brokers:
        return find_in_settings(arn, brokers, SCHEMES)
    # Amazon MQ also names endpoints of protocols that are not spoken here.
    found = [parse_endpoint(url, SCHEMES) for url in await _ask_amazon_mq(aws, arn)]
    endpoints = [endpoint for endpoint in found if endpoint is not None]
    if not endpoints:
        raise config_not_valid(f"Amazon MQ has no endpoint with AMQP or STOMP for {arn}")
    return endpoints


async def _ask_amazon_mq(aws: RoleClient, arn: str) -> list[str]:
    try:
        response = await aws.call(
            "mq", "DescribeBroker", {"BrokerId": Arn.parse(arn).name}, resource=arn
        )
    except ClientError as error:
        if error_code(error) == "NotFoundException":
            raise config_not_valid(f"There is no broker {arn}") from error
        raise refused(error) from error
    return [
        endpoint
        for instance in response.get("BrokerInstances") or ()
        for endpoint in instance.get("Endpoints") or ()
    ]
