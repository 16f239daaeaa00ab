"""Statistics by name, and periods of time, as requests ask for them.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

import datetime

from lambent.model.errors import ApiError
from lambent.telemetry.series.statistics import PLAIN, is_statistic


def check_statistic(name: str, parameter: str) -> None:
    """Raises `InvalidParameterValue` for a statistic that does not exist or is not offered."""
    if not is_statistic(name):
        raise invalid(
            f"The value {name} for parameter {parameter} is not supported. Use one of"
            f" {', '.join(PLAIN)}, a percentile such as p99, or a trimmed statistic such as"
            " tm90, TC(:100), IQM or PR(:300)."
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
