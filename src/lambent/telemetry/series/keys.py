"""What a metric is known by, as in CloudWatch.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
"""

from collections.abc import Mapping
from typing import NamedTuple

from lambent.model.arn import Scope

Dimensions = tuple[tuple[str, str], ...]
"""Names and values, sorted by name. Each combination is a metric of its own."""


class MetricKey(NamedTuple):
    """One metric."""

    scope: Scope
    namespace: str
    """For example `AWS/Lambda`."""
    name: str
    dimensions: Dimensions
    unit: str
    """A `StandardUnit` of the API, for example `Milliseconds`, or `None`."""


def dimensions_of(values: Mapping[str, str]) -> Dimensions:
    """In the order that keys have."""
    return tuple(sorted(values.items()))
