"""Subscription filters and metric filters."""

from collections.abc import Mapping

from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.gateway.services.logs.errors import group_of, invalid
from lambent.gateway.services.logs.rooms import LogsRooms
from lambent.gateway.services.logs.tokens import page_of, with_token
from lambent.kit.computing import computed
from lambent.telemetry.patterns import compile_extraction

_TRIED_MAX = 256 * 1024
"""Characters that TestMetricFilter looks at."""


async def put_subscription_filter(rooms: LogsRooms, call: Call) -> Members:
    """PutSubscriptionFilter."""
    await rooms.groups.subscribe(group_of(call), call.params)
    return {}


async def delete_subscription_filter(rooms: LogsRooms, call: Call) -> Members:
    """DeleteSubscriptionFilter."""
    await rooms.groups.unsubscribe(group_of(call), call.params["filterName"])
    return {}


async def describe_subscription_filters(rooms: LogsRooms, call: Call) -> Members:
    """DescribeSubscriptionFilters: a group has so few that they are on one page."""
    prefix, group = call.params.get("filterNamePrefix", ""), group_of(call)
    filters = await rooms.groups.filters(group)
    return {
        "subscriptionFilters": [
            {"filterName": name, "logGroupName": group.name, **entry}
            for name, entry in sorted(filters.items())
            if name.startswith(prefix)
        ]
    }


async def put_metric_filter(rooms: LogsRooms, call: Call) -> Members:
    """PutMetricFilter."""
    for member in ("applyOnTransformedLogs", "fieldSelectionCriteria", "emitSystemFieldDimensions"):
        if call.params.get(member):
            raise invalid(f"Lambent does not offer {member}: leave it out.")
    await rooms.metric_filters.put(group_of(call), call.params)
    return {}


async def delete_metric_filter(rooms: LogsRooms, call: Call) -> Members:
    """DeleteMetricFilter."""
    await rooms.metric_filters.delete(group_of(call), call.params["filterName"])
    return {}


async def describe_metric_filters(rooms: LogsRooms, call: Call) -> Members:
    """DescribeMetricFilters: those of a group, or of all, perhaps only those of a metric."""
    params = call.params
    metric = params.get("metricName"), params.get("metricNamespace")
    if (metric[0] is None) != (metric[1] is None):
        raise invalid("Specify metricName and metricNamespace together.")
    group = group_of(call) if params.get("logGroupName") else None
    found = [
        each
        for each in await rooms.metric_filters.of(call.scope, group)
        if each["filterName"].startswith(params.get("filterNamePrefix", ""))
        and (metric[0] is None or metric in _metrics_of(each))
    ]
    page, token = page_of(
        found, params, 50, lambda each: f"{each['logGroupName']}:{each['filterName']}"
    )
    return with_token({"metricFilters": page}, token)


async def check_metric_filter(rooms: LogsRooms, call: Call) -> Members:
    """TestMetricFilter."""
    extract = compile_extraction(call.params["filterPattern"])
    messages = call.params["logEventMessages"]
    if sum(map(len, messages)) > _TRIED_MAX:
        raise invalid(f"The messages have more than {_TRIED_MAX} characters.")
    found = await computed(lambda: [extract(message) for message in messages])
    return {
        "matches": [
            {"eventNumber": number, "eventMessage": message, "extractedValues": values}
            for number, (message, values) in enumerate(zip(messages, found, strict=True), start=1)
            if values is not None
        ]
    }


def _metrics_of(entry: Members) -> list[tuple[str, str]]:
    return [
        (each["metricName"], each["metricNamespace"]) for each in entry["metricTransformations"]
    ]


OPERATIONS: Mapping[str, Operation[LogsRooms]] = {
    "PutSubscriptionFilter": put_subscription_filter,
    "DeleteSubscriptionFilter": delete_subscription_filter,
    "DescribeSubscriptionFilters": describe_subscription_filters,
    "PutMetricFilter": put_metric_filter,
    "DeleteMetricFilter": delete_metric_filter,
    "DescribeMetricFilters": describe_metric_filters,
    "TestMetricFilter": check_metric_filter,
}
