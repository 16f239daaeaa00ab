"""What X-Ray's operations need."""

import dataclasses

from lambent.control.sampling_rules import SamplingRules
from lambent.telemetry.traces.all_traces import AllTraces
from lambent.telemetry.traces.store import TraceStore


@dataclasses.dataclass(frozen=True, slots=True)
class XRayRooms:
    """See the module."""

    traces: TraceStore
    all_traces: AllTraces
    rules: SamplingRules
