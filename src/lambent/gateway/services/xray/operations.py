"""The operations of X-Ray that are offered."""

from collections.abc import Mapping

from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.gateway.services.xray.putting import put_telemetry_records, put_trace_segments
from lambent.gateway.services.xray.reading import (
    batch_get_traces,
    get_service_graph,
    get_trace_graph,
    get_trace_summaries,
)
from lambent.gateway.services.xray.rooms import XRayRooms


async def _create_rule(rooms: XRayRooms, call: Call) -> Members:
    return await rooms.rules.create(call.scope, call.params)


async def _update_rule(rooms: XRayRooms, call: Call) -> Members:
    return await rooms.rules.update(call.scope, call.params)


async def _delete_rule(rooms: XRayRooms, call: Call) -> Members:
    return await rooms.rules.delete(call.scope, call.params)


async def _rules(rooms: XRayRooms, call: Call) -> Members:
    return await rooms.rules.list(call.scope, call.params)


async def _targets(rooms: XRayRooms, call: Call) -> Members:
    return await rooms.rules.targets(call.scope, call.params)


OPERATIONS: Mapping[str, Operation[XRayRooms]] = {
    "PutTraceSegments": put_trace_segments,
    "PutTelemetryRecords": put_telemetry_records,
    "GetTraceSummaries": get_trace_summaries,
    "BatchGetTraces": batch_get_traces,
    "GetTraceGraph": get_trace_graph,
    "GetServiceGraph": get_service_graph,
    "CreateSamplingRule": _create_rule,
    "UpdateSamplingRule": _update_rule,
    "DeleteSamplingRule": _delete_rule,
    "GetSamplingRules": _rules,
    "GetSamplingTargets": _targets,
}
