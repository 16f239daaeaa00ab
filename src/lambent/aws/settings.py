"""Where the platform finds other AWS services, and how long it waits for them."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """One service. Credentials come from the usual places (environment, profile)."""

    endpoint_url: str = ""
    """Endpoint of the service, or of a compatible one. Default: empty, which means AWS itself."""

    connect_timeout_s: float = 5.0
    """Timeout of a connection attempt, in seconds. Default: 5."""

    deadline_s: float = 60.0
    """Timeout of a response, in seconds. Default: 60, as in AWS SDKs."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings:
    """Settings of each service."""

    s3: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """Amazon S3: packages named by `S3Bucket` and `S3Key`, and a destination."""
    sqs: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """Amazon SQS: dead-letter queues and destinations."""
    sns: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """Amazon SNS: dead-letter topics and destinations."""
    events: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """Amazon EventBridge: destinations."""
    kinesis: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """Amazon Kinesis: event sources."""
    dynamodb: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """Amazon DynamoDB: requests that are forwarded."""
    dynamodbstreams: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """DynamoDB Streams: event sources."""
    secretsmanager: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """AWS Secrets Manager: credentials of event sources."""
    kafka: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """Amazon MSK: event sources."""
    mq: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """Amazon MQ: event sources."""
