"""What an event source mapping can be configured with: the rules that are not in the service model.
Rules that all kinds of sources share are here, those of one kind in `model/sources/`."""

import re
from collections.abc import Mapping
from typing import Any

from lambent.model.arn import Arn, has_right_partition
from lambent.model.errors import ApiError, invalid_parameter
from lambent.model.filters import is_pattern
from lambent.model.sources.kind import Params, SourceKind
from lambent.model.sources.registry import identify

FILTERS_MAX = 10
_POLLERS_MAX = 2000
_RECORD_AGE_S_MIN = 60
_CLEARED_BY_EMPTY = ("FilterCriteria", "ScalingConfig", "ProvisionedPollerConfig", "MetricsConfig")
_SECRET = re.compile(
    r"arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[\w/+=.@-]+", re.ASCII
)
_IDENTITY = frozenset({"EventSourceArn", "FunctionName", "UUID", "Tags", "Enabled"})
"""Members of a request that are not part of the configuration."""


def find_source(params: Params) -> tuple[SourceKind, str]:
    """The kind of source that a CreateEventSourceMapping request names, and the source's id.

    Raises `InvalidParameterValueException`.
    """
    arn = Arn.try_parse(params.get("EventSourceArn", ""))
    if arn is not None and arn.service == "rds":
        raise invalid_parameter("Lambent does not offer Amazon DocumentDB as an event source.")
    found = identify(params)
    if found is None:
        raise invalid_parameter("Unrecognized event source.")
    return found


def configure(kind: SourceKind, source_id: str, params: Params, *, uuid: str) -> Params:
    """The configuration of a new mapping. Raises `ApiError`."""
    _check_allowed(kind, params)
    for member in kind.required:
        if not params.get(member):
            raise invalid_parameter(f"{member} is required for this event source.")
    chosen = _chosen(params)
    if kind.group_member:
        chosen[kind.group_member] = {"ConsumerGroupId": uuid, **chosen.get(kind.group_member, {})}
    configuration = {**kind.defaults, **chosen}
    kind.check(source_id, configuration)
    if "StartingPosition" in kind.parameters:
        _check_start(configuration)
    _check_rules(kind, configuration)
    return configuration


def reconfigure(kind: SourceKind, source_id: str, current: Params, params: Params) -> Params:
    """The configuration of a mapping with the members of an update. Raises `ApiError`."""
    _check_allowed(kind, params)
    configuration = {**kind.defaults, **current, **_chosen(params)}
    for member in _CLEARED_BY_EMPTY:
        if member in params and not _without_empty(params[member]):
            configuration.pop(member, None)
    if kind.group_member in params:
        configuration[kind.group_member] = _same_group(
            current.get(kind.group_member) or {}, params[kind.group_member]
        )
    if _without_empty(params.get("ProvisionedPollerConfig")):
        pollers = {
            **(current.get("ProvisionedPollerConfig") or {}),
            **params["ProvisionedPollerConfig"],
        }
        if not pollers.get("PollerGroupName"):
            pollers.pop("PollerGroupName", None)
        configuration["ProvisionedPollerConfig"] = pollers
    kind.check(source_id, configuration)
    _check_rules(kind, configuration)
    return configuration


def _same_group(current: Params, changes: Params) -> Params:
    """The member that contains the consumer group after an update, which must not change the
    group."""
    group = current.get("ConsumerGroupId")
    if changes.get("ConsumerGroupId", group) != group:
        raise invalid_parameter("ConsumerGroupId cannot be changed.")
    return {**current, **changes}


def _chosen(params: Params) -> dict[str, Any]:
    """The members of a request that configure the mapping, in their stored form."""
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


def _check_allowed(kind: SourceKind, params: Params) -> None:
    for member in params:
        if member not in kind.parameters and member not in _IDENTITY:
            raise invalid_parameter(
                f"Unsupported {member} parameter for given event source mapping type."
            )


def _check_start(configuration: Params) -> None:
    position = configuration.get("StartingPosition")
    if position is None:
        raise invalid_parameter(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy"
            " constraint: Member must not be null."
        )
    if (position == "AT_TIMESTAMP") != ("StartingPositionTimestamp" in configuration):
        raise invalid_parameter(
            "StartingPositionTimestamp must be given if StartingPosition is AT_TIMESTAMP, and"
            " only then."
        )


def _check_rules(kind: SourceKind, configuration: Params) -> None:
    if "ScalingConfig" in configuration and "ProvisionedPollerConfig" in configuration:
        raise invalid_parameter(
            "ScalingConfig and ProvisionedPollerConfig cannot be configured together."
        )
    if 0 <= configuration.get("MaximumRecordAgeInSeconds", -1) < _RECORD_AGE_S_MIN:
        raise invalid_parameter(
            f"MaximumRecordAgeInSeconds must be -1, or at least {_RECORD_AGE_S_MIN}."
        )
    if configuration.get("TumblingWindowInSeconds") and configuration["ParallelizationFactor"] > 1:
        raise invalid_parameter("TumblingWindowInSeconds needs a ParallelizationFactor of 1.")
    _check_access(configuration)
    _check_pollers(kind, configuration.get("ProvisionedPollerConfig") or {})
    _check_filters(kind, configuration.get("FilterCriteria") or {})
    _check_destination(kind, configuration.get("DestinationConfig") or {})


def _check_access(configuration: Params) -> None:
    for access in configuration.get("SourceAccessConfigurations") or ():
        access_type = access.get("Type", "")
        if access_type.startswith(("OAUTHBEARER", "IAM")):
            raise invalid_parameter(f"Lambent does not offer the authentication {access_type}.")
        uri = access.get("URI", "")
        is_secret = access_type != "VIRTUAL_HOST" and not access_type.startswith("VPC_")
        if is_secret and not (has_right_partition(uri) and _SECRET.fullmatch(uri)):
            raise invalid_parameter(
                f"The URI of {access_type} must be the ARN of a secret: '{uri}'."
            )


def _check_pollers(kind: SourceKind, config: Params) -> None:
    lowest = kind.pollers_min
    fewest, most = config.get("MinimumPollers"), config.get("MaximumPollers")
    if fewest is not None and fewest < lowest:
        raise invalid_parameter(f"MinimumPollers must be at least {lowest} for this event source.")
    lowest = max(lowest, fewest or lowest)
    if most is not None and not lowest <= most <= _POLLERS_MAX:
        raise invalid_parameter(f"MaximumPollers must be between {lowest} and {_POLLERS_MAX}.")


def _check_filters(kind: SourceKind, criteria: Params) -> None:
    filters = criteria.get("Filters") or []
    if len(filters) > FILTERS_MAX:
        raise ApiError(
            "InvalidParameterValueException",
            f"FilterCriteria cannot have more than {FILTERS_MAX} filters.",
        )
    nested = kind.filters.data_key if kind.filters.is_always_json else None
    for entry in filters:
        if not is_pattern(entry.get("Pattern", "null"), nested=nested):
            raise invalid_parameter("Invalid filter pattern definition.")


def _check_destination(kind: SourceKind, config: Params) -> None:
    if config.get("OnSuccess"):
        raise invalid_parameter(
            "Unsupported DestinationConfig parameter for given event source mapping type."
        )
    destination = (config.get("OnFailure") or {}).get("Destination", "")
    if not destination:
        return
    scheme, separator, _ = destination.partition("://")
    if separator:
        is_allowed = scheme + separator in kind.destinations
    else:
        is_allowed = (
            has_right_partition(destination) and Arn.parse(destination).service in kind.destinations
        )
    if not is_allowed:
        raise invalid_parameter(f"The destination ARN {destination} is invalid.")


def _without_empty(value: Any) -> Any:
    """The value; if it is a mapping, without empty members, so that it is falsy if all are
    empty."""
    if isinstance(value, Mapping):
        return {name: member for name, member in value.items() if member not in ([], {}, None)}
    return value
