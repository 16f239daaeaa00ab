"""A kind of event source, as one value: everything about it that needs no I/O.

Each kind has a file in this package and one line in `registry.py`. Its driver, which reads such a
source, is a package of `polling/sources/`. `docs/adding-an-event-source.md` shows how to add one.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from lambent.model.arn import has_right_partition
from lambent.model.errors import invalid_parameter

Params = Mapping[str, Any]
"""Members of the API."""

COMMON_PARAMETERS = frozenset(
    {
        "Enabled",
        "BatchSize",
        "FilterCriteria",
        "KMSKeyArn",
        "MetricsConfig",
        "MaximumBatchingWindowInSeconds",
    }
)
"""Members that every kind takes."""
AWS_DESTINATIONS = frozenset({"sqs", "sns", "s3"})
"""Services that take on-failure records of every kind that has destinations."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FilterRules:
    """How filters see the records of a kind. `model/filtering.py` has the table."""

    data_key: str
    """The key that patterns use for the data of a record."""
    metadata_key: str = ""
    """The member of a record whose own members a pattern may name at its top level."""
    is_always_json: bool = False
    """Whether the data is always a JSON object: the API refuses a pattern for text."""
    admits_mismatch: bool = False
    """Whether a record passes if it is text and the pattern is for JSON, or the reverse."""


def _nothing_more(_source_id: str, _members: Params) -> None:
    """Such a kind has no rules of its own."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceKind:
    """One kind of event source. There is one instance of each."""

    name: str
    """The name in the database."""
    driver: str
    """The module with the kind's `DRIVER`, a `polling.drivers.SourceDriver`. It is imported when a
    mapping first needs it."""

    # How a request names a source.
    identify: Callable[[Params], str | None]
    """Returns the source's id (ARN, or bootstrap servers) if a CreateEventSourceMapping request
    names a source of this kind, else None. Raises `ApiError` if the request is incomplete."""
    has_arn: bool = True

    # What a mapping can be configured with.
    parameters: frozenset[str]
    """Members of CreateEventSourceMapping that the kind takes."""
    defaults: Params
    """Members that a mapping shows without being asked for them."""
    required: tuple[str, ...] = ()
    """Members that a request must have."""
    check: Callable[[str, Params], None] = _nothing_more
    """Rules of this kind alone, for a source id and a mapping's members, defaults included. Raises
    `InvalidParameterValueException`."""
    group_member: str = ""
    """The member that has the `ConsumerGroupId`."""
    pollers_min: int = 1
    """The smallest number for `MinimumPollers`."""
    destinations: frozenset[str] = AWS_DESTINATIONS
    """Where on-failure records may go: services of AWS, and schemes such as `kafka://`."""
    filters: FilterRules
    window_s: float = 0.0
    """The batching window, if a mapping has none."""
    is_window_per_batch: bool = False
    """Whether a window begins with the first record of its batch, rather than at the end of the
    previous batch."""
    retries_before_destination: int | None = None
    """Limit of retries if a mapping has a destination and no limit. None means no limit."""

    # What the execution role and the function need.
    service: str = ""
    """The service's name in refusals."""
    actions: tuple[str, ...] = ()
    """What the role must be allowed to do to the source."""
    function_timeout_max_s: int | None = None

    # How a mapping shows what happens.
    conflict: str
    """Refusal of a second mapping for the same source and function. `{source}`, `{function}`,
    `{function_arn}` and `{topics}` are replaced."""
    state_reason: str = "USER_INITIATED"
    """The `StateTransitionReason` while nothing is wrong."""
    shows_success: bool = True
    """Whether `LastProcessingResult` also shows success, not just problems."""
    is_ordered: bool = True
    """Whether a changed mapping must wait until the earlier poller has ended."""
    has_iterator_age: bool = False
    """Whether there is a metric `IteratorAge`."""


def check_access(members: Params, understood: Collection[str]) -> list[str]:
    """The types of the mapping's SourceAccessConfigurations, which must be among `understood` and
    each there once. Raises `InvalidParameterValueException`."""
    types = [entry.get("Type") for entry in members.get("SourceAccessConfigurations") or ()]
    for access_type in types:
        if access_type not in understood:
            raise invalid_parameter(
                f"Unsupported source access configuration type {access_type} for given event"
                " source mapping type."
            )
        if types.count(access_type) > 1:
            raise invalid_parameter(f"Only one source access configuration can be {access_type}.")
    return types


def named_by_arn(pattern: str) -> Callable[[Params], str | None]:
    """`SourceKind.identify` of a kind whose `EventSourceArn` matches `pattern` after the partition,
    such as `sqs:REGION:ACCOUNT:NAME`."""
    matches = re.compile(rf"arn:aws[a-z-]*:{pattern}").fullmatch

    def identify(params: Params) -> str | None:
        if params.get("SelfManagedEventSource") is not None:
            return None
        arn: str = params.get("EventSourceArn", "")
        return arn if has_right_partition(arn) and matches(arn) else None

    return identify


REGION_AND_ACCOUNT = r"[a-z0-9-]+:\d{12}"
"""For patterns of ARNs."""
