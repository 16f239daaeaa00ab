"""Statistics by name, and periods of time, as requests ask for them.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

import datetime
import re

from lambent.model.errors import ApiError
from lambent.telemetry.series.distribution import Distribution

_PERCENTILE = re.compile(r"p(100|\d{1,2}(?:\.\d{1,10})?)")
_PLAIN = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")


def statistic(values: Distribution, name: str) -> float | None:
    """A statistic of values; None if it is a percentile that cannot be known. `check_statistic` has
    accepted the name."""
    match name:
        case "SampleCount":
            return values.count
        case "Average":
            return values.average
        case "Sum":
            return values.sum
        case "Minimum":
            return values.min
        case "Maximum":
            return values.max
    return values.percentile(float(name[1:]))


def check_statistic(name: str, parameter: str) -> None:
    """Raises `InvalidParameterValue` for a statistic that does not exist or is not offered."""
    if name not in _PLAIN and _PERCENTILE.fullmatch(name) is None:
        raise invalid(
            f"The value {name} for parameter {parameter} is not supported. Use one of"
            f" {', '.join(_PLAIN)} or a percentile such as p99."
        )


def check_times(start: datetime.datetime, end: datetime.datetime, period_s: int) -> None:
    """Raises `InvalidParameterValue` unless `start` is before `end` and the period is a multiple of
    a minute."""
    if start >= end:
        raise invalid("The parameter StartTime must be less than the parameter EndTime.")
    if period_s % 60:
        raise invalid(
            f"The value {period_s} for parameter Period is not supported: metrics are kept by the"
            " minute. Use a multiple of 60."
        )


def missing(message: str) -> ApiError:
    """400, which clients see as `MissingParameter`."""
    return ApiError("MissingRequiredParameterException", message)


def invalid(message: str) -> ApiError:
    """400, which clients see as `InvalidParameterValue`."""
    return ApiError("InvalidParameterValueException", message)


def at(moment: float) -> datetime.datetime:
    """Epoch seconds as the API's timestamp."""
    return datetime.datetime.fromtimestamp(moment, datetime.UTC)
