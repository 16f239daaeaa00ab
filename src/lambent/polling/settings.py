"""What an operator may choose about event source mappings."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PollingSettings:
    """Settings of the `polling` room."""

    brokers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Where brokers and clusters are, by ARN, that no AWS API knows: `amqp://HOST:PORT` or
    `amqps://…` for RabbitMQ, `stomp://…` or `stomp+ssl://…` for ActiveMQ, `HOST:PORT` for Amazon
    MSK, several with a semicolon between them. User and password come from the mapping's secret.
    Default: none; Amazon MQ and Amazon MSK are asked."""
    retry_s: float = 1.0
    """Seconds until a batch of a stream or broker is tried again when the function has failed,
    doubled each time. Default: 1."""
    retry_max_s: float = 60.0
    """Most seconds between two such attempts. Default: 60."""
    throttled_s: float = 0.2
    """Seconds until a batch is offered again that the function could not take, doubled each time.
    Default: 0.2."""
    throttled_max_s: float = 15.0
    """Most seconds between two such offers. Default: 15."""
    backoff_s: float = 1.0
    """Seconds until a source that cannot be read is tried again, doubled each time. Default: 1."""
    backoff_max_s: float = 60.0
    """Most seconds between two such attempts. Default: 60."""
    stop_grace_s: float = 5.0
    """Seconds that batches under way have to end when the platform stops. Default: 5."""
    long_poll_s: int = 10
    """Seconds that a request for messages of a queue waits for some; as long may a change of the
    mapping take. Default: 10; SQS allows 20 at most."""
    idle_poll_s: float = 1.0
    """Seconds between two looks at a shard that has nothing new. Default: 1, as in AWS."""
    idle_polls_per_s: float = 50.0
    """Looks per second at shards that have nothing new, of all mappings together: of many shards,
    each is looked at less often. Default: 50, which costs less than a tenth of a processor."""
    session_s: float = 10.0
    """Seconds until a Kafka consumer group gives the partitions of a platform that has died to
    others. Brokers refuse less than 6 unless they are told otherwise. Default: 10."""
