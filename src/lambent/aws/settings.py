"""Endpoints of other AWS services, and how long the platform waits for them."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """One service. Credentials come from the usual places (environment, profile)."""

    endpoint_url: str = ""
    """Endpoint of the service, AWS's or that of a compatible server. Default: empty, which means
    AWS."""

    connect_timeout_s: float = 5.0
    """Timeout for a connection, in seconds. Default: 5."""

    deadline_s: float = 60.0
    """Timeout for a response, in seconds. Default: 60, as in AWS's SDKs."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings:
    """Settings of all services."""

    s3: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """Amazon S3: packages named by `S3Bucket` and `S3Key`, and destinations."""
    sqs: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """Amazon SQS: event sources, dead-letter queues and destinations."""
    sns: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """Amazon SNS: dead-letter topics and destinations."""
    events: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """Amazon EventBridge: destinations."""
    kinesis: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """Amazon Kinesis: event sources."""
    dynamodb: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """Amazon DynamoDB: requests that the platform forwards."""
    dynamodbstreams: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """DynamoDB Streams: event sources."""
    secretsmanager: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """AWS Secrets Manager: credentials of event sources."""
    kms: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """AWS KMS: keys that encrypt codes for functions of user pools."""
    kafka: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """Amazon MSK: event sources."""
    stepfunctions: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """AWS Step Functions: state machines that APIs start."""
    appconfig: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """AWS AppConfig: configurations that APIs return."""
    mq: ServiceSettings = dataclasses.field(default_factory=ServiceSettings)
    """Amazon MQ: event sources."""
