"""What a mapping's configuration says, in our units."""

import dataclasses
from typing import Any

from lambent.model.filtering import Criteria
from lambent.model.mapping import EventSourceMapping, Source

EVENT_BYTES_MAX = 6 * 1024 * 1024
"""Of an event; a batch ends before it would be larger."""
_WINDOW_S_DEFAULT = 0.5
"""Of brokers and Kafka."""
_RETRIES_BEFORE_DESTINATION = 10
"""Kafka's mappings that retry without end and have a destination tell it after as many."""

_CALLS_OF_POLLER = 10
"""Batches that a provisioned poller has under way at most, as in AWS."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How records become batches, and what happens to those that fail."""

    batch_size: int
    window_s: float
    """How long a batch may be waited for; 0: not at all."""
    window_waits: bool
    """Whether a window begins when the first record of the batch has come, and not when the last
    batch has ended."""
    factor: int
    """Batches of one part that may be under way at a time."""
    tumbling_s: float
    """Length of tumbling windows; 0: none."""
    criteria: Criteria | None
    """None lets everything pass."""
    reports_failures: bool
    """Whether functions say which records of a batch failed."""
    bisects: bool
    retries_max: int | None
    """None: no limit."""
    age_max_s: float | None
    """None: no limit."""
    on_failure: str
    """Where records of batches that were given up go; empty: nowhere."""
    concurrency_max: int | None
    """Batches of the whole mapping under way at a time; None: no limit of its own."""
    pollers_min: int
    """Requests that wait for messages of a queue even when nothing comes."""
    counts_events: bool
    """Whether metrics of the mapping were asked for."""


def options_of(mapping: EventSourceMapping) -> Options:
    """The options of a mapping, AWS's defaults included."""
    found = mapping.configuration
    source = mapping.source
    on_failure = ((found.get("DestinationConfig") or {}).get("OnFailure") or {}).get(
        "Destination", ""
    )
    retries_max = _limit(found.get("MaximumRetryAttempts"))
    if source.is_kafka and on_failure and retries_max is None:
        retries_max = _RETRIES_BEFORE_DESTINATION
    pollers = found.get("ProvisionedPollerConfig") or {}
    is_prompt = source.is_stream or source in (Source.SQS, Source.SQS_FIFO)
    return Options(
        batch_size=found.get("BatchSize", 100),
        window_s=found.get(
            "MaximumBatchingWindowInSeconds", 0.0 if is_prompt else _WINDOW_S_DEFAULT
        ),
        window_waits=source is Source.MQ,
        factor=found.get("ParallelizationFactor", 1),
        tumbling_s=found.get("TumblingWindowInSeconds", 0),
        criteria=Criteria.compile(source, found.get("FilterCriteria")),
        reports_failures="ReportBatchItemFailures" in (found.get("FunctionResponseTypes") or ()),
        bisects=bool(found.get("BisectBatchOnFunctionError")),
        retries_max=retries_max,
        age_max_s=_limit(found.get("MaximumRecordAgeInSeconds")),
        on_failure=on_failure,
        concurrency_max=(
            pollers["MaximumPollers"] * _CALLS_OF_POLLER
            if "MaximumPollers" in pollers
            else (found.get("ScalingConfig") or {}).get("MaximumConcurrency")
        ),
        pollers_min=pollers.get("MinimumPollers", 2) if pollers else 1,
        counts_events="EventCount" in ((found.get("MetricsConfig") or {}).get("Metrics") or ()),
    )


def _limit(value: Any) -> int | None:
    """-1 stands for no limit."""
    return None if value is None or value < 0 else int(value)
