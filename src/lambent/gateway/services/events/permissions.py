"""What each operation of EventBridge needs permission for."""

from collections.abc import Callable, Mapping, Sequence

from lambent.control.events.naming import (
    connection_arn,
    destination_arn,
    find_bus,
    parse_events_arn,
    rule_arn,
    validation,
)
from lambent.gateway.permissions.asked import Asked, Target
from lambent.gateway.permissions.needs import (
    NOTHING,
    TAG_KEYS,
    TAGS,
    Difference,
    Key,
    Need,
    Needs,
    Resource,
    Values,
    each,
)
from lambent.gateway.permissions.passed_roles import passing_to
from lambent.model.arn import Arn, Scope
from lambent.model.events.targets import ACTIONS, BUS, EVENTS, LOG_GROUP, kind_of, resource_of

_RULES = ("rule-on-custom-event-bus", "rule-on-default-event-bus")


def _bus(member: str) -> Resource:
    async def find(asked: Asked) -> Sequence[Target]:
        bus = find_bus(asked.scope, asked.params.get(member))
        return [Target(bus.arn, bus.scope.account)]

    return Resource(("event-bus",), find)


async def _buses_of_entries(asked: Asked) -> Sequence[Target]:
    """One for each event, with what conditions ask of it."""
    found = []
    for entry in asked.params["Entries"]:
        bus = find_bus(asked.scope, entry.get("EventBusName"))
        context = {
            key: [entry[member]]
            for key, member in (("events:source", "Source"), ("events:detail-type", "DetailType"))
            if entry.get(member)
        }
        found.append(Target(bus.arn, bus.scope.account, context=context))
    return found


def _rule_in(asked: Asked, member: str) -> tuple[str, str]:
    bus = find_bus(asked.scope, asked.params.get("EventBusName"))
    return rule_arn(bus.scope, bus.name, asked.params[member]), bus.scope.account


def _rule(member: str) -> Resource:
    async def find(asked: Asked) -> Sequence[Target]:
        return [Target(*_rule_in(asked, member))]

    return Resource(_RULES, find)


async def _rule_of_targets(asked: Asked) -> Sequence[Target]:
    """The rule once for each target, with what conditions ask of it."""
    arn, owner = _rule_in(asked, "Rule")
    return [
        Target(arn, owner, context={"events:targetarn": [target["Arn"]]})
        for target in asked.params["Targets"]
    ]


async def _by_arn(asked: Asked) -> Sequence[Target]:
    text = asked.params["ResourceARN"]
    named = parse_events_arn(text)
    if named is None:
        raise validation("Parameter ResourceARN is not valid.")
    return [Target(text, named.bus.scope.account)]


async def _in_each_target(_: Asked) -> Values:
    """The values come with the resources."""
    return {}


async def _of_a_caller(_: Asked) -> Values:
    return {"events:eventbusinvocation": ["false"]}


async def _passed_roles(asked: Asked) -> Sequence[str]:
    params = asked.params
    of_targets = [target.get("RoleArn") for target in params.get("Targets", ())]
    return [role for role in (params.get("RoleArn"), *of_targets) if role]


async def _about_rule(asked: Asked) -> Values:
    member = "Rule" if "Rule" in asked.params else "Name"
    return {"iam:associatedresourcearn": [_rule_in(asked, member)[0]]}


def _sent_without_role(kind: str, type: str) -> Need:
    """The queues, topics and so on that events are sent to without a role: their policies are not
    known here, so the caller must be allowed to send there."""

    async def find(asked: Asked) -> Sequence[Target]:
        found = []
        for target in asked.params["Targets"]:
            if target.get("RoleArn"):
                continue
            queue = (target.get("DeadLetterConfig") or {}).get("Arn")
            for text in (target["Arn"], queue):
                arn = Arn.try_parse(text) if text else None
                if arn is not None and kind_of(arn) == kind:
                    found.append(Target(resource_of(str(arn), asked.params["Rule"]), arn.account))
        return found

    return Need(ACTIONS[kind], Resource((type,), find))


def _named(type: str, arn_of: Callable[[Scope, str], str]) -> Resource:
    """A connection or API destination by its name. Policies may leave out the last part of its
    ARN, as AWS's list does."""

    async def find(asked: Asked) -> Sequence[Target]:
        arn = arn_of(asked.scope, asked.params["Name"])
        return [Target(arn, asked.scope.account, (arn.rpartition("/")[0],))]

    return Resource((type,), find)


async def _connection_of_destination(asked: Asked) -> Sequence[Target]:
    text = asked.params.get("ConnectionArn")
    arn = Arn.try_parse(text) if text else None
    if arn is None:
        return []
    return [Target(str(arn), arn.account, (str(arn).rpartition("/")[0],))]


_CONNECTION = _named("connection", connection_arn)
_DESTINATION = _named("api-destination", destination_arn)
_PASSING = passing_to(EVENTS, _passed_roles, _about_rule)
_TAGGED = Resource(("event-bus", *_RULES), _by_arn)


def _tagged(resource: Resource) -> Resource:
    return Resource(_TAGGED.types, resource.find)


_SENT = (
    *(("sqs", "queue"), ("sns", "topic"), ("kinesis", "stream"), ("states", "statemachine")),
    *(("firehose", "deliverystream"), (BUS, "event-bus"), (LOG_GROUP, "log-stream")),
)
"""Kinds of targets, and AWS's types of resources."""

PERMISSIONS: Mapping[str, Needs] = {
    "CreateEventBus": (
        Need("events:CreateEventBus", _bus("Name"), TAGS),
        Need("events:TagResource", _tagged(_bus("Name")), TAGS, only_with="Tags"),
    ),
    **each("events", ("DeleteEventBus", "DescribeEventBus", "UpdateEventBus"), _bus("Name")),
    **each(
        "events",
        (
            *("ListEventBuses", "ListRuleNamesByTarget", "ListRules", "PutPermission"),
            *("RemovePermission", "TestEventPattern"),
        ),
        NOTHING,
    ),
    **each("events", ("DeleteRule", "DescribeRule", "DisableRule", "EnableRule"), _rule("Name")),
    "PutRule": (
        Need("events:PutRule", _rule("Name"), TAGS),
        Need("events:TagResource", _tagged(_rule("Name")), TAGS, only_with="Tags"),
        _PASSING,
    ),
    **each("events", ("ListTargetsByRule", "RemoveTargets"), _rule("Rule")),
    "PutTargets": (
        Need(
            "events:PutTargets",
            Resource(_RULES, _rule_of_targets),
            (Key("events:TargetArn", _in_each_target),),
        ),
        _PASSING,
        *(_sent_without_role(*each) for each in _SENT),
    ),
    "PutEvents": (
        Need(
            "events:PutEvents",
            Resource(("event-bus",), _buses_of_entries),
            (
                Key("events:source", _in_each_target),
                Key("events:detail-type", _in_each_target),
                Key("events:eventBusInvocation", _of_a_caller),
            ),
        ),
    ),
    **each(
        "events",
        (
            *("CreateConnection", "UpdateConnection", "DeauthorizeConnection"),
            *("DescribeConnection", "DeleteConnection"),
        ),
        _CONNECTION,
    ),
    "CreateApiDestination": (
        Need("events:CreateApiDestination", _DESTINATION),
        Need("events:CreateApiDestination", Resource(("connection",), _connection_of_destination)),
    ),
    **each("events", ("UpdateApiDestination", "DeleteApiDestination"), _DESTINATION),
    "DescribeApiDestination": (Need("events:DescribeApiDestination", _DESTINATION),),
    **each("events", ("ListConnections", "ListApiDestinations"), NOTHING),
    **each("events", ("ListTagsForResource",), _TAGGED),
    **each("events", ("TagResource",), _TAGGED, *TAGS),
    **each("events", ("UntagResource",), _TAGGED, TAG_KEYS),
}

_NOT_KNOWN = "No service manages rules here, and a rule is made in its own account."
_UNREAD = "The parts of a rule's pattern are no condition keys here."
_UNKNOWN_EVENTS = "PutTargets names the bus; which events its rule will send there is not known."
_UNKNOWN_POLICIES = (
    "The policies of queues, topics, streams and the like are not known here. Where a target"
    " has no role, the caller who names it needs the permission."
)
DIFFERENCES = (
    Difference(
        "resource connection",
        False,
        "Which connection a destination has is not looked up.",
        ("events:DescribeApiDestination",),
    ),
    *(
        Difference(f"key events:{name}", False, _NOT_KNOWN)
        for name in ("creatorAccount", "ManagedBy")
    ),
    *(
        Difference(f"key events:{name}", False, _UNREAD, ("events:PutRule",))
        for name in (
            *("detail-type", "source", "detail.userIdentity.principalId", "detail.service"),
            "detail.eventTypeCode",
        )
    ),
    *(
        Difference(f"key events:{name}", False, _UNKNOWN_EVENTS, ("events:PutEvents",))
        for name in ("detail-type", "source", "eventBusInvocation")
    ),
    *(
        Difference(f"action {ACTIONS[kind]}", True, _UNKNOWN_POLICIES, (ACTIONS[kind],))
        for kind, _ in _SENT
    ),
)
RESOURCE_NAMES = (
    ("event-bus", "`arn:aws:events:REGION:ACCOUNT:event-bus/NAME`"),
    ("connection", "`arn:aws:events:REGION:ACCOUNT:connection/NAME`"),
    ("api-destination", "`arn:aws:events:REGION:ACCOUNT:api-destination/NAME`"),
    ("rule-on-default-event-bus", "`arn:aws:events:REGION:ACCOUNT:rule/NAME`"),
    ("rule-on-custom-event-bus", "`arn:aws:events:REGION:ACCOUNT:rule/BUS/NAME`"),
)
