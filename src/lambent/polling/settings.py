"""Settings of event source mappings."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PollingSettings:
    """Settings of the `polling` room."""

    brokers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Addresses, by ARN, of brokers and clusters that no AWS API knows: `amqp://HOST:PORT` or
    `amqps://…` for RabbitMQ, `stomp://…` or `stomp+ssl://…` for ActiveMQ, `HOST:PORT` for Amazon
    MSK, several separated by semicolons. User and password come from the mapping's secret.
    Default: none; the platform asks Amazon MQ and Amazon MSK."""
    retry_s: float = 1.0
    """Seconds until a batch of a stream or broker is retried after the function failed, doubled
    each time. Default: 1."""
    retry_max_s: float = 60.0
    """Maximum seconds between two such attempts. Default: 60."""
    throttled_s: float = 0.2
    """Seconds until a throttled batch is retried, doubled each time. Default: 0.2."""
    throttled_max_s: float = 15.0
    """Maximum seconds between two such attempts. Default: 15."""
    backoff_s: float = 1.0
    """Seconds until a source that cannot be read is retried, doubled each time. Default: 1."""
    backoff_max_s: float = 60.0
    """Maximum seconds between two such attempts. Default: 60."""
    stop_grace_s: float = 5.0
    """Seconds that batches in progress have to end when the platform stops. Default: 5."""
    long_poll_s: int = 10
    """Seconds that a request for messages of a queue waits; a change of the mapping may take as
    long. Default: 10; SQS allows at most 20."""
    idle_poll_s: float = 1.0
    """Seconds between two reads of a shard without new records. Default: 1, as in AWS."""
    idle_polls_per_s: float = 50.0
    """Reads per second of shards without new records, of all mappings together: with many shards,
    each is read less often. Default: 50, which costs less than a tenth of a processor."""
    session_s: float = 10.0
    """Seconds until a Kafka consumer group assigns the partitions of a platform that has died to
    other members. Brokers refuse less than 6 by default. Default: 10."""
