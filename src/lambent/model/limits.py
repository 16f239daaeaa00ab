"""AWS's quotas. They are facts of the service, not settings; what an account may differ in
(concurrent executions, code storage) is a setting."""

CODE_SIZE_ZIPPED_MAX = 52_428_800
"""Bytes of a package uploaded in the request itself."""
CODE_SIZE_UNZIPPED_MAX = 262_144_000
"""Bytes of everything in a package."""
ENVIRONMENT_SIZE_MAX = 4096
"""Bytes of the environment variables as JSON."""
LAYERS_MAX = 5
TAGS_MAX = 50
TAG_KEY_LENGTH_MAX = 128
TAG_VALUE_LENGTH_MAX = 256
POLICY_SIZE_MAX = 20_480
"""Bytes of a resource-based policy as JSON."""
POLLED_TIMEOUT_S_MAX = 840
"""Seconds, of functions that clusters and brokers feed."""
TIMEOUT_S_MAX = 900
MEMORY_MB_MAX = 10_240
MAPPINGS_PAGE_MAX = 100
"""Event source mappings in one page of a list."""
PAGE_MAX = 50
"""Functions or versions in one page of a list."""

RESERVED_ENVIRONMENT_KEYS = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "AWS_LAMBDA_METADATA_API",
        "AWS_LAMBDA_METADATA_TOKEN",
    }
)
"""Variables the platform sets itself; a function's configuration may not name them."""
REQUEST_BYTES_MAX = 70_167_211
"""Bytes of a request that carries a package."""
ASYNCHRONOUS_EVENT_BYTES_MAX = 1_048_576
"""Bytes of the event of an asynchronous invocation."""
LEGACY_EVENT_BYTES_MAX = 262_144
"""The same of the deprecated InvokeAsync."""
SYNCHRONOUS_EVENT_BYTES_MAX = 6_291_456
"""Bytes of the event of a synchronous invocation."""
