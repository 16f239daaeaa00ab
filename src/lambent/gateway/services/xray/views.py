"""Traces and services as the API shows them."""

import datetime
from collections import Counter
from collections.abc import Mapping
from typing import Any

from lambent.gateway.call import Members
from lambent.telemetry.traces.facts import Trace, Value, annotations_of
from lambent.telemetry.traces.graphs import CLIENT, Service, Statistics
from lambent.telemetry.traces.trees import Node

_HTTP = {
    "url": "HttpURL",
    "status": "HttpStatus",
    "method": "HttpMethod",
    "useragent": "UserAgent",
    "clientip": "ClientIp",
}


def summary_view(trace: Trace, account: str) -> Members:
    """A trace as GetTraceSummaries shows it."""
    facts = trace.facts
    nodes = dict.fromkeys(visit.node for visit in trace.visits)
    members: dict[str, Any] = {
        "Id": trace.id,
        "StartTime": _moment(trace.start),
        "MatchedEventTime": _moment(trace.start),
        "Duration": facts.duration,
        "ResponseTime": facts.response_time,
        "HasFault": facts.has_fault,
        "HasError": facts.has_error,
        "HasThrottle": facts.has_throttle,
        "IsPartial": facts.is_partial,
        "Http": {
            _HTTP[name]: int(value) if name == "status" else value
            for name, value in facts.http.items()
        },
        "Annotations": _annotations(trace, account),
        "Users": [{"UserName": user, "ServiceIds": []} for user in facts.users],
        "ServiceIds": [_service_id(node, account) for node in nodes],
        "ResourceARNs": [{"ARN": arn} for arn in facts.resources],
        "Revision": 1,
    }
    if trace.root is not None:
        members["EntryPoint"] = _service_id(Node(facts.name, facts.type), account)
    return members


def _annotations(trace: Trace, account: str) -> Mapping[str, Any]:
    found: dict[str, list[Any]] = {}
    for segment in trace.segments:
        service = _service_id(Node(segment["name"], str(segment.get("origin") or "")), account)
        for key, value in annotations_of(segment):
            shown = {"AnnotationValue": _annotation(value), "ServiceIds": [service]}
            if shown not in (values := found.setdefault(key, [])):
                values.append(shown)
    return found


def _annotation(value: Value) -> Members:
    if isinstance(value, bool):
        return {"BooleanValue": value}
    return {"StringValue": value} if isinstance(value, str) else {"NumberValue": value}


def _service_id(node: Node, account: str) -> Members:
    members = {"Name": node.name, "Names": [node.name], "AccountId": account}
    return {**members, "Type": node.type} if node.type else members


def service_view(service: Service, account: str) -> Members:
    """A node of a service graph, with the edges to those it calls."""
    statistics, is_client = service.statistics, service.node.type == CLIENT
    members: dict[str, Any] = {
        "ReferenceId": service.number,
        "Name": service.node.name,
        "Names": [service.node.name],
        "Type": service.node.type or "remote",
        "State": "unknown" if is_client else "active",
        "Edges": [
            {"ReferenceId": number, "EdgeType": "link", "Aliases": [], **_counted(edge)}
            for number, edge in service.edges.items()
        ],
    }
    if is_client:
        times = list(service.edges.values())
        members["StartTime"] = _moment(min(edge.start for edge in times))
        members["EndTime"] = _moment(max(edge.end for edge in times))
        return members
    members |= {"AccountId": account, "DurationHistogram": _histogram(statistics.durations)}
    if service.is_root:
        members["Root"] = True
    return {**members, **_counted(statistics)}


def _counted(statistics: Statistics) -> Members:
    errors = statistics.errors + statistics.throttles
    return {
        "StartTime": _moment(statistics.start),
        "EndTime": _moment(statistics.end),
        "SummaryStatistics": {
            "OkCount": statistics.ok,
            "ErrorStatistics": {
                "ThrottleCount": statistics.throttles,
                "OtherCount": statistics.errors,
                "TotalCount": errors,
            },
            "FaultStatistics": {
                "OtherCount": statistics.faults,
                "TotalCount": statistics.faults,
            },
            "TotalCount": statistics.count,
            "TotalResponseTime": statistics.total_s,
        },
        "ResponseTimeHistogram": _histogram(statistics.durations),
    }


def _histogram(durations: Counter[float]) -> list[Members]:
    return [{"Value": value, "Count": durations[value]} for value in sorted(durations)]


def _moment(epoch_s: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(epoch_s, datetime.UTC)
