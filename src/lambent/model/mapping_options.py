"""What a mapping is configured to do, as a typed value. Only this file reads the members of the API
for their meaning; the database and the API's responses keep them as they are.
"""

import dataclasses
from typing import Any

from lambent.model.sources.kind import Params, SourceKind

_CALLS_OF_POLLER = 10
"""Concurrent batches of a provisioned poller, as in AWS."""


@dataclasses.dataclass(frozen=True, slots=True)
class SourceAccess:
    """One way to authenticate, see
    https://docs.aws.amazon.com/lambda/latest/api/API_SourceAccessConfiguration.html
    """

    type: str
    uri: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MappingOptions:
    """Where reading starts, how records become batches, and what happens to those that fail."""

    starting_position: str
    starting_at: float | None
    """For `AT_TIMESTAMP`; epoch seconds."""
    topics: tuple[str, ...]
    queues: tuple[str, ...]
    consumer_group: str
    access: tuple[SourceAccess, ...]
    filters: tuple[str, ...]
    """Patterns, JSON. Empty admits every record."""
    batch_size: int
    window_s: float
    """How long to wait for a batch to fill; 0 means not at all."""
    factor: int
    """Concurrent batches of one part of the source."""
    tumbling_s: int
    """Length of tumbling windows; 0 means none."""
    reports_failures: bool
    """Whether the function reports which records of a batch failed."""
    bisects: bool
    """Whether a failed batch is split in two."""
    retries_max: int | None
    """None means no limit."""
    age_max_s: float | None
    """Records older than this are discarded. None means no limit."""
    on_failure: str
    """The destination for records that are discarded; empty means none."""
    concurrency_max: int | None
    """Concurrent batches of the mapping. None means that the mapping sets no limit."""
    pollers_min: int
    """Requests that wait for messages of a queue even when none come."""
    counts_events: bool
    """Whether the mapping has metrics of its own: numbers of records."""
    counts_errors: bool
    """Whether it has metrics of its own of what fails."""
    shows_lag: bool
    """Whether it has metrics of how many records wait."""

    @classmethod
    def parse(cls, kind: SourceKind, members: Params) -> "MappingOptions":
        """The options that a mapping's members stand for, AWS's defaults included."""
        found = {**kind.defaults, **members}
        destinations = found.get("DestinationConfig") or {}
        on_failure = (destinations.get("OnFailure") or {}).get("Destination", "")
        retries_max = _limit(found.get("MaximumRetryAttempts"))
        if on_failure and retries_max is None:
            retries_max = kind.retries_before_destination
        groups = (found.get("MetricsConfig") or {}).get("Metrics") or ()
        pollers = found.get("ProvisionedPollerConfig") or {}
        return cls(
            starting_position=found.get("StartingPosition", "TRIM_HORIZON"),
            starting_at=found.get("StartingPositionTimestamp"),
            topics=tuple(found.get("Topics") or ()),
            queues=tuple(found.get("Queues") or ()),
            consumer_group=(found.get(kind.group_member) or {}).get("ConsumerGroupId", ""),
            access=tuple(
                SourceAccess(entry.get("Type", ""), entry.get("URI", ""))
                for entry in found.get("SourceAccessConfigurations") or ()
            ),
            filters=tuple(
                entry.get("Pattern", "null")
                for entry in (found.get("FilterCriteria") or {}).get("Filters") or ()
            ),
            batch_size=found["BatchSize"],
            window_s=found.get("MaximumBatchingWindowInSeconds", kind.window_s),
            factor=found.get("ParallelizationFactor", 1),
            tumbling_s=found.get("TumblingWindowInSeconds", 0),
            reports_failures="ReportBatchItemFailures"
            in (found.get("FunctionResponseTypes") or ()),
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
            counts_events="EventCount" in groups,
            counts_errors="ErrorCount" in groups,
            shows_lag="KafkaMetrics" in groups,
        )


def _limit(value: Any) -> int | None:
    """-1 stands for no limit."""
    return None if value is None or value < 0 else int(value)
