"""Apache Kafka: Amazon MSK and self-managed clusters.
https://docs.aws.amazon.com/lambda/latest/dg/kafka-esm-create.html
"""

from lambent.model.errors import invalid_parameter
from lambent.model.limits import POLLED_TIMEOUT_S_MAX
from lambent.model.sources.kind import (
    AWS_DESTINATIONS,
    COMMON_PARAMETERS,
    REGION_AND_ACCOUNT,
    FilterRules,
    Params,
    SourceKind,
    named_by_arn,
)

_PARAMETERS = COMMON_PARAMETERS | {
    "StartingPosition",
    "StartingPositionTimestamp",
    "Topics",
    "SourceAccessConfigurations",
    "ProvisionedPollerConfig",
    "DestinationConfig",
    "LoggingConfig",
    "BisectBatchOnFunctionError",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "FunctionResponseTypes",
}
_NEEDS_PROVISIONED = (
    "BisectBatchOnFunctionError",
    "FunctionResponseTypes",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
)
"""What mappings offer in provisioned mode only."""
_MSK_CONFIG = "AmazonManagedKafkaEventSourceConfig"
_SELF_MANAGED_CONFIG = "SelfManagedKafkaEventSourceConfig"
_FILTERS = FilterRules(data_key="value", admits_mismatch=True)
_DESTINATIONS = AWS_DESTINATIONS | {"kafka://"}
_WINDOW_S = 0.5
_RETRIES_BEFORE_DESTINATION = 10


def _identify_self_managed(params: Params) -> str | None:
    source = params.get("SelfManagedEventSource")
    if source is None or "EventSourceArn" in params:
        return None
    servers = (source.get("Endpoints") or {}).get("KAFKA_BOOTSTRAP_SERVERS")
    if not servers:
        return None
    if not params.get("SourceAccessConfigurations"):
        raise invalid_parameter("Required 'sourceAccessConfigurations' parameter is missing.")
    return ",".join(sorted(servers))


def _check(_source_id: str, members: Params) -> None:
    for name in (_MSK_CONFIG, _SELF_MANAGED_CONFIG):
        config = members.get(name) or {}
        if any(value not in ([], {}, None) for value in _registry_values(config)):
            raise invalid_parameter("Lambent does not offer schema registries.")
        if config.get("ConsumptionMode") == "Queue":
            raise invalid_parameter("Lambent does not offer Kafka's share groups.")
    if "ProvisionedPollerConfig" in members:
        return
    for name in _NEEDS_PROVISIONED:
        if members.get(name):
            raise invalid_parameter(
                f"{name} is supported only with ProvisionedPollerConfig for this event source."
            )


def _registry_values(config: Params) -> list[object]:
    return list((config.get("SchemaRegistryConfig") or {}).values())


MSK = SourceKind(
    name="msk",
    driver="lambent.polling.sources.kafka.driver",
    identify=named_by_arn(rf"kafka:{REGION_AND_ACCOUNT}:cluster/[\w.-]+/[\w-]+"),
    parameters=_PARAMETERS | {_MSK_CONFIG},
    defaults={"BatchSize": 100},
    required=("Topics",),
    check=_check,
    group_member=_MSK_CONFIG,
    destinations=_DESTINATIONS,
    filters=_FILTERS,
    window_s=_WINDOW_S,
    retries_before_destination=_RETRIES_BEFORE_DESTINATION,
    service="Kafka",
    actions=("kafka:GetBootstrapBrokers",),
    function_timeout_max_s=POLLED_TIMEOUT_S_MAX,
    conflict=(
        'An event source mapping with event source ("{source}") and function ("{function_arn}")'
        " already exists."
    ),
)

KAFKA = SourceKind(
    name="kafka",
    driver="lambent.polling.sources.kafka.driver",
    identify=_identify_self_managed,
    has_arn=False,
    parameters=_PARAMETERS | {_SELF_MANAGED_CONFIG, "SelfManagedEventSource"},
    defaults={"BatchSize": 100, "StartingPosition": "TRIM_HORIZON"},
    required=("Topics",),
    check=_check,
    group_member=_SELF_MANAGED_CONFIG,
    destinations=_DESTINATIONS,
    filters=_FILTERS,
    window_s=_WINDOW_S,
    retries_before_destination=_RETRIES_BEFORE_DESTINATION,
    function_timeout_max_s=POLLED_TIMEOUT_S_MAX,
    conflict=(
        'An event source mapping with event source ("{source}"), function ("{function_arn}"),'
        ' topics ("{topics}") already exists.'
    ),
)
