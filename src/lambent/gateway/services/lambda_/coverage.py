"""What Lambda's operations do not do yet, for docs/reference/api-coverage.md."""

from collections.abc import Mapping, Sequence

from lambent.gateway.definitions import Coverage

_STORED: Mapping[str, Sequence[str]] = {
    "CreateFunction": (
        "FileSystemConfigs",
        "KMSKeyArn",
        "VpcConfig",
    ),
    "CreateEventSourceMapping": ("KMSKeyArn", "LoggingConfig"),
    "UpdateEventSourceMapping": ("KMSKeyArn", "LoggingConfig"),
    "PutRuntimeManagementConfig": ("all",),
}

_REFUSED: Mapping[str, Sequence[str]] = {
    "CreateFunction": (
        "AcceleratorConfig",
        "CapacityProviderConfig",
        "Code.ImageUri",
        "Code.S3ObjectStorageMode",
        "Code.SourceKMSKeyArn",
        "DurableConfig",
        "ImageConfig",
        "PublishTo",
        "RuntimeConfig",
    ),
    "UpdateFunctionCode": (
        "ImageUri",
        "PublishTo",
        "S3ObjectStorageMode",
        "SourceKMSKeyArn",
    ),
    "PublishVersion": ("PublishTo",),
    "Invoke": ("DurableExecutionName",),
    "PutFunctionScalingConfig": ("all",),
    "CreateEventSourceMapping": (
        "AmazonManagedKafkaEventSourceConfig.SchemaRegistryConfig",
        "DocumentDBEventSourceConfig",
        "SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig",
    ),
}

COVERAGE = Coverage(stored=_STORED, refused=_REFUSED, is_listed=True)
