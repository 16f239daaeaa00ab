"""Brokers that AWS does not offer: NATS JetStream and MQTT. You choose their ARNs, and
the setting `polling.brokers` has their addresses. `Queues` has the subject, or the topic filter.
"""

from lambent.model.errors import invalid_parameter
from lambent.model.sources.kind import (
    COMMON_PARAMETERS,
    REGION_AND_ACCOUNT,
    FilterRules,
    Params,
    SourceKind,
    check_access,
    named_by_arn,
)

MQTT_BATCH_MAX = 100
_PARAMETERS = COMMON_PARAMETERS | {
    "Queues",
    "SourceAccessConfigurations",
    "DestinationConfig",
    "BisectBatchOnFunctionError",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "FunctionResponseTypes",
}
_ACCESS = ("BASIC_AUTH", "CLIENT_CERTIFICATE_TLS_AUTH", "SERVER_ROOT_CA_CERTIFICATE")
_CONFLICT = (
    'An event source mapping with event source ("{source}") and function ("{function_arn}")'
    " already exists."
)
_FILTERS = FilterRules(data_key="data", admits_mismatch=True)


def _check_access(_arn: str, members: Params) -> None:
    check_access(members, _ACCESS)


def _check_mqtt(arn: str, members: Params) -> None:
    _check_access(arn, members)
    if members.get("BatchSize", 0) > MQTT_BATCH_MAX:
        raise invalid_parameter(
            f"The BatchSize of a mapping for MQTT can be {MQTT_BATCH_MAX} at most: a broker sends"
            " no more messages without an acknowledgement."
        )


NATS = SourceKind(
    name="nats",
    driver="lambent.polling.sources.nats.driver",
    identify=named_by_arn(rf"nats:{REGION_AND_ACCOUNT}:stream/[\w-]{{1,255}}"),
    parameters=_PARAMETERS | {"StartingPosition", "StartingPositionTimestamp"},
    defaults={"BatchSize": 100, "StartingPosition": "TRIM_HORIZON"},
    check=_check_access,
    filters=_FILTERS,
    service="NATS",
    actions=("nats:Consume",),
    conflict=_CONFLICT,
)

MQTT = SourceKind(
    name="mqtt",
    driver="lambent.polling.sources.mqtt.driver",
    identify=named_by_arn(rf"mqtt:{REGION_AND_ACCOUNT}:broker/[\w.-]{{1,255}}"),
    parameters=_PARAMETERS,
    defaults={"BatchSize": MQTT_BATCH_MAX},
    required=("Queues",),
    check=_check_mqtt,
    filters=_FILTERS,
    service="MQTT",
    actions=("mqtt:Subscribe",),
    conflict=_CONFLICT,
)
