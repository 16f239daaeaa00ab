"""What an event source mapping can be configured with: the rules the service model does not know,
which differ from source to source. The table of what is allowed where is `model.mapping`."""

import re
from collections.abc import Mapping
from typing import Any

from lambent.model.arn import has_right_partition
from lambent.model.errors import ApiError, invalid_parameter
from lambent.model.filtering import DATA_KEYS
from lambent.model.filters import is_pattern
from lambent.model.mapping import DEFAULTS, PARAMETERS, Source, source_of

Params = Mapping[str, Any]

FILTERS_MAX = 10
_CLEARED_BY_EMPTY = ("FilterCriteria", "ScalingConfig", "ProvisionedPollerConfig", "MetricsConfig")
_DESTINATIONS = ("sqs", "sns", "s3")
_KAFKA_CONFIGS = frozenset(
    {"AmazonManagedKafkaEventSourceConfig", "SelfManagedKafkaEventSourceConfig"}
)
_NEEDS_PROVISIONED = (
    "BisectBatchOnFunctionError",
    "FunctionResponseTypes",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
)
"""What Kafka's mappings offer in provisioned mode only."""
_BROKER_ACCESS = ("BASIC_AUTH", "VIRTUAL_HOST")
_SECRET = re.compile(
    r"arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[\w/+=.@-]+", re.ASCII
)
_IDENTITY = frozenset({"EventSourceArn", "FunctionName", "UUID", "Tags", "Enabled"})


def find_source(params: Params) -> tuple[Source, str]:
    """The kind of source of a CreateEventSourceMapping request, and what identifies it.

    Raises `InvalidParameterValueException`.
    """
    own = params.get("SelfManagedEventSource")
    if own is not None:
        servers = (own.get("Endpoints") or {}).get("KAFKA_BOOTSTRAP_SERVERS")
        if not servers or "EventSourceArn" in params:
            raise invalid_parameter("Unrecognized event source.")
        if not params.get("SourceAccessConfigurations"):
            raise invalid_parameter("Required 'sourceAccessConfigurations' parameter is missing.")
        return Source.KAFKA, ",".join(sorted(servers))
    arn = params.get("EventSourceArn", "")
    if arn.split(":")[2:3] == ["rds"]:
        raise invalid_parameter("Lambent does not offer Amazon DocumentDB as an event source.")
    source = source_of(arn)
    if source is None:
        raise invalid_parameter("Unrecognized event source.")
    return source, arn


def configure(source: Source, params: Params, *, uuid: str) -> Params:
    """The configuration of a new mapping. Raises `ApiError`."""
    _check_allowed(source, params)
    _check_start(source, params)
    for member in ("Topics", "Queues"):
        if member in PARAMETERS[source] and not params.get(member):
            raise invalid_parameter(f"{member} is required for this event source.")
    chosen = _chosen(params)
    if source.is_kafka:
        member = (
            "AmazonManagedKafkaEventSourceConfig"
            if source is Source.MSK
            else "SelfManagedKafkaEventSourceConfig"
        )
        chosen[member] = {"ConsumerGroupId": uuid, **chosen.get(member, {})}
    configuration = {**DEFAULTS[source], **chosen}
    _check_rules(source, configuration)
    return configuration


def reconfigure(source: Source, current: Params, params: Params) -> Params:
    """The configuration of a mapping with the members of an update. Raises `ApiError`."""
    _check_allowed(source, params)
    configuration = {**current, **_chosen(params)}
    for member in _CLEARED_BY_EMPTY:
        if member in params and not _without_empty(params[member]):
            configuration.pop(member, None)
    for member in _KAFKA_CONFIGS & params.keys():
        configuration[member] = _same_group(current.get(member) or {}, params[member])
    if _without_empty(params.get("ProvisionedPollerConfig")):
        pollers = {
            **(current.get("ProvisionedPollerConfig") or {}),
            **params["ProvisionedPollerConfig"],
        }
        if not pollers.get("PollerGroupName"):
            pollers.pop("PollerGroupName", None)
        configuration["ProvisionedPollerConfig"] = pollers
    _check_rules(source, configuration)
    return configuration


def _same_group(current: Params, changes: Params) -> Params:
    """A Kafka configuration with the members of an update; the consumer group stays."""
    group = current.get("ConsumerGroupId")
    if changes.get("ConsumerGroupId", group) != group:
        raise invalid_parameter("ConsumerGroupId cannot be changed.")
    return {**current, **changes}


def _chosen(params: Params) -> dict[str, Any]:
    """What a request says of the configuration, as it is kept."""
    chosen = {
        name: value
        for name, value in params.items()
        if name not in _IDENTITY and not (name in _CLEARED_BY_EMPTY and not _without_empty(value))
    }
    if "StartingPositionTimestamp" in chosen:
        chosen["StartingPositionTimestamp"] = chosen["StartingPositionTimestamp"].timestamp()
    if "DestinationConfig" in chosen:
        chosen["DestinationConfig"] = {"OnFailure": {}, **chosen["DestinationConfig"]}
    return chosen


def _check_allowed(source: Source, params: Params) -> None:
    for member in params:
        if member not in PARAMETERS[source] and member not in _IDENTITY:
            raise invalid_parameter(
                f"Unsupported {member} parameter for given event source mapping type."
            )


def _check_start(source: Source, params: Params) -> None:
    own = params.get("SelfManagedKafkaEventSourceConfig") or {}
    if "StartingPosition" not in PARAMETERS[source] or own.get("ConsumptionMode") == "Queue":
        return
    position = params.get("StartingPosition", DEFAULTS[source].get("StartingPosition"))
    if position is None:
        raise invalid_parameter(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy"
            " constraint: Member must not be null."
        )
    if source is Source.DYNAMODB and position == "AT_TIMESTAMP":
        raise invalid_parameter(
            f"Unsupported starting position for arn type: {params['EventSourceArn']}"
        )
    if (position == "AT_TIMESTAMP") != ("StartingPositionTimestamp" in params):
        raise invalid_parameter(
            "StartingPositionTimestamp must be given if StartingPosition is AT_TIMESTAMP, and"
            " only then."
        )


def _check_rules(source: Source, configuration: Params) -> None:
    batch_size = configuration["BatchSize"]
    if source is Source.SQS_FIFO and batch_size > 10:
        raise invalid_parameter("BatchSize of a FIFO queue cannot be greater than 10.")
    window = configuration.get("MaximumBatchingWindowInSeconds", 0)
    if source is Source.SQS_FIFO and window:
        raise invalid_parameter(
            "Unsupported MaximumBatchingWindowInSeconds parameter for given event source mapping"
            " type."
        )
    if source is Source.SQS and batch_size > 10 and not window:
        raise invalid_parameter(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is"
            " greater than 10"
        )
    if "ScalingConfig" in configuration and "ProvisionedPollerConfig" in configuration:
        raise invalid_parameter(
            "ScalingConfig and ProvisionedPollerConfig cannot be configured together."
        )
    if 0 <= configuration.get("MaximumRecordAgeInSeconds", -1) < 60:
        raise invalid_parameter("MaximumRecordAgeInSeconds must be -1, or at least 60.")
    if configuration.get("TumblingWindowInSeconds") and configuration["ParallelizationFactor"] > 1:
        raise invalid_parameter("TumblingWindowInSeconds needs a ParallelizationFactor of 1.")
    if source.is_kafka and "ProvisionedPollerConfig" not in configuration:
        for member in _NEEDS_PROVISIONED:
            if configuration.get(member):
                raise invalid_parameter(
                    f"{member} is supported only with ProvisionedPollerConfig for this event"
                    " source."
                )
    _check_offered(configuration)
    if source is Source.MQ:
        _check_broker_access(configuration)
    _check_pollers(source, configuration.get("ProvisionedPollerConfig") or {})
    _check_filters(source, configuration.get("FilterCriteria") or {})
    _check_destination(source, configuration.get("DestinationConfig") or {})


def _check_offered(configuration: Params) -> None:
    """Refuse what AWS has and the platform has not."""
    for member in _KAFKA_CONFIGS:
        config = configuration.get(member) or {}
        if _without_empty(config.get("SchemaRegistryConfig")):
            raise invalid_parameter("Lambent does not offer schema registries.")
        if config.get("ConsumptionMode") == "Queue":
            raise invalid_parameter("Lambent does not offer Kafka's share groups.")
    for access in configuration.get("SourceAccessConfigurations") or ():
        kind = access.get("Type", "")
        if kind.startswith(("OAUTHBEARER", "IAM")):
            raise invalid_parameter(f"Lambent does not offer the authentication {kind}.")
        uri = access.get("URI", "")
        is_secret = kind != "VIRTUAL_HOST" and not kind.startswith("VPC_")
        if is_secret and not (has_right_partition(uri) and _SECRET.fullmatch(uri)):
            raise invalid_parameter(f"The URI of {kind} must be the ARN of a secret: '{uri}'.")


def _check_broker_access(configuration: Params) -> None:
    """Brokers let nobody in without user and password."""
    access = configuration.get("SourceAccessConfigurations")
    if not access:
        raise invalid_parameter("Required 'sourceAccessConfigurations' parameter is missing.")
    kinds = [one.get("Type") for one in access]
    for kind in kinds:
        if kind not in _BROKER_ACCESS:
            raise invalid_parameter(
                f"Unsupported source access configuration type {kind} for given event source"
                " mapping type."
            )
        if kinds.count(kind) > 1:
            raise invalid_parameter(f"Only one source access configuration can be {kind}.")
    if "BASIC_AUTH" not in kinds:
        raise invalid_parameter("Required source access configuration BASIC_AUTH is missing.")


def _check_pollers(source: Source, config: Params) -> None:
    low, high = (2, 2000) if source in (Source.SQS, Source.SQS_FIFO) else (1, 2000)
    fewest, most = config.get("MinimumPollers"), config.get("MaximumPollers")
    if fewest is not None and fewest < low:
        raise invalid_parameter(f"MinimumPollers must be at least {low} for this event source.")
    if most is not None and not max(low, fewest or low) <= most <= high:
        raise invalid_parameter(
            f"MaximumPollers must be between {max(low, fewest or low)} and {high}."
        )


def _check_filters(source: Source, criteria: Params) -> None:
    filters = criteria.get("Filters") or []
    if len(filters) > FILTERS_MAX:
        raise ApiError(
            "InvalidParameterValueException",
            f"FilterCriteria cannot have more than {FILTERS_MAX} filters.",
        )
    nested = DATA_KEYS[source] if source.is_stream else None
    for one in filters:
        if not is_pattern(one.get("Pattern", "null"), nested=nested):
            raise invalid_parameter("Invalid filter pattern definition.")


def _check_destination(source: Source, config: Params) -> None:
    if config.get("OnSuccess"):
        raise invalid_parameter(
            "Unsupported DestinationConfig parameter for given event source mapping type."
        )
    destination = (config.get("OnFailure") or {}).get("Destination", "")
    if not destination:
        return
    if destination.startswith("kafka://"):
        is_fine = source.is_kafka
    else:
        is_fine = has_right_partition(destination) and (destination.split(":")[2] in _DESTINATIONS)
    if not is_fine:
        raise invalid_parameter(f"The destination ARN {destination} is invalid.")


def _without_empty(value: Any) -> Any:
    """The value, falsy if nothing is in it."""
    if isinstance(value, Mapping):
        return {name: one for name, one in value.items() if one not in ([], {}, None)}
    return value
