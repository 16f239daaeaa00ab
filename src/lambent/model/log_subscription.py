"""Subscription filters of log groups."""

from typing import NamedTuple

from lambent.model.resources import LogGroupKey


class LogSubscription(NamedTuple):
    """Which lines of a group a function receives."""

    group: LogGroupKey
    name: str
    pattern: str
    function_arn: str
