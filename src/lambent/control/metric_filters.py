"""Metric filters of log groups: in the documents of the groups.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/MonitoringLogData.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control.log_groups import LogGroups
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.document import Body
from lambent.model.errors import ApiError
from lambent.model.resources import LogGroupKey
from lambent.telemetry.metric_filters import MetricFilter
from lambent.telemetry.patterns import compile_pattern, compile_value

METRIC_FILTERS = "metricFilters"
_FILTERS_MAX = 100
_DIMENSIONS_MAX = 3

Entry = Mapping[str, Any]


class MetricFilters:
    """Use cases of metric filters."""

    def __init__(self, groups: LogGroups, clock: Clock) -> None:
        self._groups = groups
        self._clock = clock

    async def put(self, group: LogGroupKey, params: Mapping[str, Any]) -> None:
        """PutMetricFilter. Raises `ApiError`."""
        pattern, transformations = params["filterPattern"], params["metricTransformations"]
        compile_pattern(pattern)
        for each in transformations:
            _check(pattern, each)
        name = params["filterName"]
        entry = {
            "filterPattern": pattern,
            "metricTransformations": transformations,
            "creationTime": int(self._clock.now() * 1000),
        }

        def change(body: Body) -> Body:
            filters = {**body.get(METRIC_FILTERS, {}), name: entry}
            if len(filters) > _FILTERS_MAX:
                raise ApiError(
                    "LimitExceededException",
                    f"Resource limit exceeded: {_FILTERS_MAX} metric filters.",
                )
            return {**body, METRIC_FILTERS: filters}

        await self._groups.require(group)
        await self._groups.change(group, change)

    async def delete(self, group: LogGroupKey, name: str) -> None:
        """DeleteMetricFilter."""

        def change(body: Body) -> Body:
            filters = dict(body.get(METRIC_FILTERS, {}))
            if filters.pop(name, None) is None:
                raise ApiError(
                    "ResourceNotFoundException", "The specified metric filter does not exist."
                )
            return {**body, METRIC_FILTERS: filters}

        await self._groups.require(group)
        await self._groups.change(group, change)

    async def of(self, scope: Scope, group: LogGroupKey | None) -> Sequence[Entry]:
        """DescribeMetricFilters: of one group or of all, by name."""
        if group is not None:
            await self._groups.require(group)
        return [
            {"filterName": name, "logGroupName": group_name, **entry}
            for group_name, body in sorted((await self._groups.settings(scope)).items())
            if group is None or group.name == group_name
            for name, entry in sorted(body.get(METRIC_FILTERS, {}).items())
        ]

    async def all(self) -> Sequence[MetricFilter]:
        """Those of all accounts, to be applied."""
        return [
            MetricFilter.of(key, name, entry["filterPattern"], transformation)
            for key, body in await self._groups.all_settings()
            for name, entry in body.get(METRIC_FILTERS, {}).items()
            for transformation in entry["metricTransformations"]
        ]


def _check(pattern: str, transformation: Mapping[str, Any]) -> None:
    """Raises `InvalidParameterException`."""
    dimensions = transformation.get("dimensions") or {}
    value = transformation["metricValue"]
    if transformation["metricNamespace"].startswith("AWS/"):
        raise _invalid("A namespace of a metric filter does not begin with AWS/.")
    if len(dimensions) > _DIMENSIONS_MAX:
        raise _invalid(f"A metric filter has at most {_DIMENSIONS_MAX} dimensions.")
    if dimensions and transformation.get("defaultValue") is not None:
        raise _invalid("A metric filter has either dimensions or a default value.")
    if not value.startswith("$"):
        try:
            float(value)
        except ValueError as error:
            raise _invalid(f"metricValue {value} is neither a number nor a field.") from error
    selectors = [*dimensions.values(), *([value] if value.startswith("$") else ())]
    for selector in selectors:
        compile_value(pattern, selector)


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)
