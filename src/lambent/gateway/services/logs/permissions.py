"""What each operation of CloudWatch Logs needs permission for."""

from collections.abc import Mapping, Sequence

from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import Needs, Resource, each
from lambent.model.resources import parse_log_group


async def _log_groups(asked: Asked) -> Sequence[Target]:
    account, region = asked.scope
    return [Target(f"arn:aws:logs:{region}:{account}:log-group::log-stream:", account, ("*",))]


async def _log_group(asked: Asked) -> Sequence[Target]:
    return [_log_target(asked, "")]


async def _log_stream(asked: Asked) -> Sequence[Target]:
    return [_log_target(asked, asked.params["logStreamName"])]


def _log_target(asked: Asked, stream: str) -> Target:
    """A stream, or all of a group: `log-group:NAME:*` in a policy means both, and so does
    `log-group:NAME`."""
    params = asked.params
    group = parse_log_group(
        params.get("logGroupName"), params.get("logGroupIdentifier"), asked.scope
    )
    return Target(f"{group.arn}:log-stream:{stream}", group.scope.account, (group.arn,))


PERMISSIONS: Mapping[str, Needs] = {
    **each("logs", ("DescribeLogGroups",), Resource((), _log_groups)),
    **each("logs", ("DescribeLogStreams", "FilterLogEvents"), Resource(("log-group",), _log_group)),
    **each("logs", ("GetLogEvents",), Resource(("log-stream",), _log_stream)),
}
RESOURCE_NAMES = (
    ("log-group", "`arn:aws:logs:REGION:ACCOUNT:log-group:NAME`, and `:*`"),
    ("log-stream", "the same and `:log-stream:STREAM`"),
)
