"""The operations of CloudWatch that are offered."""

import base64
import dataclasses
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from lambent.control.alarms.alarms import Alarms
from lambent.gateway.call import Call, Members, without_nodes
from lambent.gateway.definitions import Operation
from lambent.gateway.services.cloudwatch.putting import put_metric_data
from lambent.gateway.services.cloudwatch.reading import get_metric_data, get_metric_statistics
from lambent.gateway.services.cloudwatch.statistics import invalid
from lambent.model.arn import Scope
from lambent.telemetry.series.all_metrics import AllMetrics
from lambent.telemetry.series.keys import MetricKey
from lambent.telemetry.series.store import MetricStore

_PAGE = 500
_RECENT_S = 3 * 3600


async def list_metrics(metrics: AllMetrics, call: Call) -> Members:
    """ListMetrics: those with values in the last two weeks, 500 a page."""
    params = call.params
    since = metrics.now() - _RECENT_S if params.get("RecentlyActive") else 0.0
    reading = metrics.reading()
    after = _read_token(params.get("NextToken"), call.scope)
    found: list[MetricKey] = []
    while len(found) <= _PAGE:
        known = await reading.list(call.scope, since=since, after=after, limit=_PAGE)
        found += [key for key in known if _matches(key, params)]
        if len(known) < _PAGE:
            break
        after = known[-1]
    page = found[:_PAGE]
    members: dict[str, Any] = {
        "Metrics": [
            {
                "Namespace": key.namespace,
                "MetricName": key.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in key.dimensions],
            }
            for key in page
        ]
    }
    if len(found) > _PAGE:
        members["NextToken"] = _token_of(page[-1])
    return without_nodes(members, reading.missing)


@dataclasses.dataclass(frozen=True, slots=True)
class CloudWatchRooms:
    """What the operations use."""

    metrics: MetricStore
    all_metrics: AllMetrics
    alarms: Alarms


UseCase = Callable[[Scope, Members], Awaitable[Members]]


def _on_metrics(run: Operation[MetricStore]) -> Operation[CloudWatchRooms]:
    async def operation(rooms: CloudWatchRooms, call: Call) -> Members:
        return await run(rooms.metrics, call)

    return operation


def _on_all_metrics(run: Operation[AllMetrics]) -> Operation[CloudWatchRooms]:
    async def operation(rooms: CloudWatchRooms, call: Call) -> Members:
        return await run(rooms.all_metrics, call)

    return operation


def _use(choose: Callable[[Alarms], UseCase]) -> Operation[CloudWatchRooms]:
    async def operation(rooms: CloudWatchRooms, call: Call) -> Members:
        return await choose(rooms.alarms)(call.scope, call.params)

    return operation


OPERATIONS: Mapping[str, Operation[CloudWatchRooms]] = {
    "PutMetricData": _on_metrics(put_metric_data),
    "GetMetricData": _on_all_metrics(get_metric_data),
    "GetMetricStatistics": _on_all_metrics(get_metric_statistics),
    "ListMetrics": _on_all_metrics(list_metrics),
    "PutMetricAlarm": _use(lambda alarms: alarms.put_metric),
    "PutCompositeAlarm": _use(lambda alarms: alarms.put_composite),
    "DescribeAlarms": _use(lambda alarms: alarms.describe),
    "DescribeAlarmsForMetric": _use(lambda alarms: alarms.describe_for_metric),
    "DescribeAlarmHistory": _use(lambda alarms: alarms.describe_history),
    "DeleteAlarms": _use(lambda alarms: alarms.delete),
    "SetAlarmState": _use(lambda alarms: alarms.set_state),
    "EnableAlarmActions": _use(lambda alarms: alarms.enable_actions),
    "DisableAlarmActions": _use(lambda alarms: alarms.disable_actions),
    "TagResource": _use(lambda alarms: alarms.change_tags),
    "UntagResource": _use(lambda alarms: alarms.change_tags),
    "ListTagsForResource": _use(lambda alarms: alarms.list_tags),
}


def _matches(key: MetricKey, params: Mapping[str, Any]) -> bool:
    """Whether a metric fits the filters: a dimension without a value fits any value."""
    if params.get("Namespace", key.namespace) != key.namespace:
        return False
    if params.get("MetricName", key.name) != key.name:
        return False
    wanted: Sequence[Mapping[str, str]] = params.get("Dimensions") or ()
    dimensions = dict(key.dimensions)
    return all(
        dimension["Name"] in dimensions
        and dimension.get("Value", dimensions[dimension["Name"]]) == dimensions[dimension["Name"]]
        for dimension in wanted
    )


def _token_of(last: MetricKey) -> str:
    """The token of the page after a metric."""
    return base64.urlsafe_b64encode(json.dumps(last[1:]).encode()).decode()


def _read_token(token: str | None, scope: Scope) -> MetricKey | None:
    if token is None:
        return None
    try:
        namespace, name, dimensions, unit = json.loads(base64.urlsafe_b64decode(token))
        texts = [namespace, name, unit, *(text for pair in dimensions for text in pair)]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("not texts")
        pairs = tuple((key, value) for key, value in dimensions)
    except (ValueError, TypeError, RecursionError) as error:
        raise invalid("The value for parameter NextToken is invalid.") from error
    return MetricKey(scope, namespace, name, pairs, unit)
