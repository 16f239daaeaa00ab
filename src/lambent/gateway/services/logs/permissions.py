"""What each operation of CloudWatch Logs needs permission for."""

from collections.abc import Mapping, Sequence

from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import (
    NOTHING,
    TAG_KEYS,
    TAGS,
    Difference,
    Needs,
    Resource,
    each,
)
from lambent.gateway.services.logs.insights import names_of_query
from lambent.model.resources import LogGroupKey, log_group_of, parse_log_group


async def _log_groups(asked: Asked) -> Sequence[Target]:
    account, region = asked.scope
    return [Target(f"arn:aws:logs:{region}:{account}:log-group::log-stream:", account, ("*",))]


async def _log_group(asked: Asked) -> Sequence[Target]:
    return [_log_target(asked, "")]


async def _followed_groups(asked: Asked) -> Sequence[Target]:
    keys = [
        parse_log_group(None, each, asked.scope) for each in asked.params["logGroupIdentifiers"]
    ]
    return [Target(f"{key.arn}:log-stream:", key.scope.account, (key.arn,)) for key in keys]


async def _queried_groups(asked: Asked) -> Sequence[Target]:
    keys = [LogGroupKey(asked.scope, name) for name in names_of_query(asked.params, asked.scope)]
    return [Target(f"{key.arn}:log-stream:", key.scope.account, (key.arn,)) for key in keys]


async def _log_group_or_all(asked: Asked) -> Sequence[Target]:
    return await (_log_group if asked.params.get("logGroupName") else _log_groups)(asked)


async def _log_stream(asked: Asked) -> Sequence[Target]:
    return [_log_target(asked, asked.params["logStreamName"])]


def _log_target(asked: Asked, stream: str) -> Target:
    """A stream, or all of a group: `log-group:NAME:*` in a policy means both, and so does
    `log-group:NAME`."""
    group = log_group_of(asked.params, asked.scope)
    return Target(f"{group.arn}:log-stream:{stream}", group.scope.account, (group.arn,))


_GROUP = Resource(("log-group",), _log_group)
_OF_GROUPS = (
    *("DeleteLogGroup", "PutRetentionPolicy", "DeleteRetentionPolicy", "UntagLogGroup"),
    *("ListTagsForResource", "ListTagsLogGroup", "PutSubscriptionFilter"),
    *("DeleteSubscriptionFilter", "DescribeSubscriptionFilters", "PutMetricFilter"),
    *("DeleteMetricFilter", "CreateLogStream", "GetLogGroupFields"),
    "PutLogGroupDeletionProtection",
)
_OF_STREAMS = ("GetLogEvents", "PutLogEvents", "DeleteLogStream")
_OF_ALL = (
    *("GetQueryResults", "StopQuery", "DescribeQueries", "GetLogRecord", "ListLogGroups"),
    *("TestMetricFilter", "PutQueryDefinition", "DescribeQueryDefinitions"),
    "DeleteQueryDefinition",
)

PERMISSIONS: Mapping[str, Needs] = {
    **each("logs", ("DescribeLogGroups",), Resource((), _log_groups)),
    **each("logs", ("DescribeLogStreams", "FilterLogEvents"), Resource(("log-group",), _log_group)),
    **each("logs", _OF_GROUPS, _GROUP),
    **each("logs", ("CreateLogGroup", "TagLogGroup", "TagResource"), _GROUP, *TAGS),
    **each("logs", ("UntagResource",), _GROUP, TAG_KEYS),
    **each("logs", _OF_ALL, NOTHING),
    **each("logs", ("StartQuery",), Resource(("log-group",), _queried_groups)),
    **each("logs", ("StartLiveTail",), Resource(("log-group",), _followed_groups)),
    **each("logs", ("DescribeMetricFilters",), Resource(("log-group",), _log_group_or_all)),
    **each(
        "logs",
        ("GetLogEvents", "PutLogEvents", "DeleteLogStream"),
        Resource(("log-stream",), _log_stream),
    ),
}
_NO_SUCH = "There are only groups and streams."
DIFFERENCES = (
    *(
        Difference(f"resource {kind}", False, _NO_SUCH)
        for kind in (
            *("anomaly-detector", "delivery", "delivery-destination", "delivery-source"),
            *("destination", "lookup-table", "scheduled-query"),
        )
    ),
    Difference(
        "key aws:TagKeys", False, "Its keys are not tags in the model.", ("logs:UntagLogGroup",)
    ),
)
RESOURCE_NAMES = (
    ("log-group", "`arn:aws:logs:REGION:ACCOUNT:log-group:NAME`, and `:*`"),
    ("log-stream", "the same and `:log-stream:STREAM`"),
)
