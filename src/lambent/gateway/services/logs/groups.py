"""Log groups: create, delete, describe, keep, protect, tag."""

from collections.abc import Mapping

from lambent.gateway.call import Call, Members, without_nodes
from lambent.gateway.definitions import Operation
from lambent.gateway.services.logs.errors import group_of, invalid
from lambent.gateway.services.logs.rooms import LogsRooms
from lambent.gateway.services.logs.tokens import page_of, with_token
from lambent.gateway.services.logs.views import group_view
from lambent.model.resources import LogGroupKey, parse_log_group
from lambent.telemetry.all_logs import Groups

_STANDARD = "STANDARD"


async def describe_log_groups(rooms: LogsRooms, call: Call) -> Members:
    """DescribeLogGroups."""
    params = call.params
    prefix, part = params.get("logGroupNamePrefix"), params.get("logGroupNamePattern")
    if prefix and part:
        raise invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive.")
    identifiers = params.get("logGroupIdentifiers")
    names = None
    if identifiers:
        names = {parse_log_group(None, each, call.scope).name for each in identifiers}
    all_groups, missing = await _groups(rooms, call)
    groups = [
        group
        for group in all_groups
        if group.name.startswith(prefix or "")
        and (part or "") in group.name
        and (names is None or group.name in names)
    ]
    page, token = page_of(groups, params, 50, lambda group: group.name)
    settings = await rooms.groups.settings(call.scope)
    views = [group_view(group, call.scope, settings.get(group.name, {})) for group in page]
    return without_nodes(with_token({"logGroups": views}, token), missing)


async def list_log_groups(rooms: LogsRooms, call: Call) -> Members:
    """ListLogGroups. A pattern is up to five texts, prefixes if they begin with `^`."""
    params = call.params
    for member in ("dataSources", "fieldIndexNames"):
        if params.get(member):
            raise invalid(f"Lambent does not offer {member}: leave it out.")
    patterns = params.get("logGroupNamePattern", "").split("|")
    wanted = params.get("logGroupTags") or ()
    tags = await rooms.groups.tags_of_all(call.scope) if wanted else {}
    all_groups, missing = await _groups(rooms, call)
    groups = [
        group
        for group in all_groups
        if any(_fits(group.name, pattern) for pattern in patterns)
        and all(_has_tag(tags.get(group.name, {}), each) for each in wanted)
    ]
    page, token = page_of(groups, params, 1000, lambda group: group.name, default=50)
    views = [
        {
            "logGroupName": group.name,
            "logGroupArn": LogGroupKey(call.scope, group.name).arn,
            "logGroupClass": _STANDARD,
        }
        for group in page
    ]
    return without_nodes(with_token({"logGroups": views}, token), missing)


async def _groups(rooms: LogsRooms, call: Call) -> Groups:
    if call.params.get("logGroupClass", _STANDARD) != _STANDARD:
        return Groups((), ())
    accounts = call.params.get("accountIdentifiers")
    if accounts and call.scope.account not in accounts:
        return Groups((), ())
    return await rooms.logs.describe_groups(*call.scope)


def _fits(name: str, pattern: str) -> bool:
    return name.startswith(pattern[1:]) if pattern.startswith("^") else pattern in name


def _has_tag(tags: Mapping[str, str], wanted: Members) -> bool:
    value, values = tags.get(wanted["key"]), wanted.get("values")
    return value is not None and (not values or value in values)


async def create_log_group(rooms: LogsRooms, call: Call) -> Members:
    """CreateLogGroup. Members that have no effect here are refused."""
    params = call.params
    if params.get("logGroupClass", _STANDARD) != _STANDARD:
        raise invalid("Lambent offers log groups of the class STANDARD.")
    if params.get("kmsKeyId"):
        raise invalid("Lambent does not offer kmsKeyId of log groups: leave it out.")
    is_protected = bool(params.get("deletionProtectionEnabled"))
    await rooms.groups.create(group_of(call), params.get("tags") or {}, is_protected=is_protected)
    return {}


async def delete_log_group(rooms: LogsRooms, call: Call) -> Members:
    """DeleteLogGroup."""
    await rooms.groups.delete(group_of(call))
    return {}


async def keep_log_group(rooms: LogsRooms, call: Call) -> Members:
    """PutRetentionPolicy, DeleteRetentionPolicy."""
    await rooms.groups.keep_for(group_of(call), call.params.get("retentionInDays"))
    return {}


async def protect_log_group(rooms: LogsRooms, call: Call) -> Members:
    """PutLogGroupDeletionProtection."""
    is_protected = call.params["deletionProtectionEnabled"]
    await rooms.groups.protect(group_of(call), is_protected=is_protected)
    return {}


async def tag(rooms: LogsRooms, call: Call) -> Members:
    """TagResource, UntagResource, TagLogGroup, UntagLogGroup, whose `tags` may be keys."""
    tags = call.params.get("tags") or {}
    removed = [*(call.params.get("tagKeys") or ()), *(tags if isinstance(tags, list) else ())]
    await rooms.groups.tag(group_of(call), {} if isinstance(tags, list) else tags, removed)
    return {}


async def list_tags(rooms: LogsRooms, call: Call) -> Members:
    """ListTagsForResource, ListTagsLogGroup."""
    return {"tags": await rooms.groups.tags(group_of(call))}


OPERATIONS: Mapping[str, Operation[LogsRooms]] = {
    "DescribeLogGroups": describe_log_groups,
    "ListLogGroups": list_log_groups,
    "CreateLogGroup": create_log_group,
    "DeleteLogGroup": delete_log_group,
    "PutRetentionPolicy": keep_log_group,
    "DeleteRetentionPolicy": keep_log_group,
    "PutLogGroupDeletionProtection": protect_log_group,
    "TagResource": tag,
    "UntagResource": tag,
    "ListTagsForResource": list_tags,
    "TagLogGroup": tag,
    "UntagLogGroup": tag,
    "ListTagsLogGroup": list_tags,
}
