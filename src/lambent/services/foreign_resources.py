"""The resources of requests for other services: from parameters to ARNs.

A name becomes an ARN only if it identifies one resource. An operation that names nothing is
about `*` only if AWS lists it without a resource; for every other one the resource is unknown.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lambent.model.arn import Arn, Scope

Params = Mapping[str, Any]
UNKNOWN = "*" * 2048
"""Stands for an unknown name: only a wildcard in a policy matches it."""


class About(NamedTuple):
    """The resource of a request."""

    arn: str
    action: str | None = None
    """The action without the service, if it differs from the operation's name."""
    is_unsure: bool = False
    """Whether `arn` has an `UNKNOWN` part."""


class RequestedResources(NamedTuple):
    """A request for another service."""

    service: str
    operation: str
    params: Params
    scope: Scope

    def arn(self, resource: str, account: str = "") -> str:
        """The ARN of a resource of the service."""
        account, region = account or self.scope.account, self.scope.region
        return f"arn:aws:{self.service}:{region}:{account}:{resource}"


Find = Callable[[RequestedResources], Sequence[About] | None]
"""Returns None if the resources are not certain."""

_NAME = r"[\w.-]{1,256}"
_ARN = re.compile(r"arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:([0-9]{12})?:[\w+=,.@:/-]{1,1024}", re.ASCII)
_QUEUE_URL = re.compile(r"https?://[^/?#]+/([0-9]{12})/([\w-]{1,80}(?:\.fifo)?)", re.ASCII)
_SECRET = re.compile(r"secret:[\w/+=.@-]+-[A-Za-z0-9]{6}", re.ASCII)
_KEY = re.compile(r"(?:key/)?((?:mrk-)?[0-9a-f-]{32,36})")
_PARAMETER = re.compile(r"/?([\w./-]{1,1024}?)(?::[\w.-]+)?", re.ASCII)


def arn_of(request: RequestedResources, value: object) -> str | None:
    """The ARN of a resource of the service; None if a value is invalid."""
    if not isinstance(value, str) or _ARN.fullmatch(value) is None:
        return None
    arn = Arn.try_parse(value)
    is_own = arn is not None and arn.service == request.service and arn.is_in_partition_of("")
    return value if is_own else None


def named(**forms: str) -> Find:
    """Operations on a resource that a parameter names, by name or by ARN: `TableName="table/{}"`;
    only by ARN if the form begins with `=`. A request must have exactly one of the parameters."""

    def find(request: RequestedResources) -> Sequence[About] | None:
        given = [name for name in forms if request.params.get(name) is not None]
        if len(given) != 1:
            return None
        value, form = request.params[given[0]], forms[given[0]]
        arn = arn_of(request, value)
        if arn is not None:
            is_one = re.fullmatch(_shape(form.removeprefix("=")), Arn.parse(arn).resource, re.ASCII)
            return [About(arn)] if is_one else None
        is_name = isinstance(value, str) and re.fullmatch(_NAME, value, re.ASCII)
        return [About(request.arn(form.format(value)))] if is_name and form[0] != "=" else None

    return find


def _shape(form: str) -> str:
    """The pattern of an ARN's resource part, so that the server of the request reads the same name;
    `{:}` may contain colons."""
    escaped = re.escape(form)
    return escaped.replace(re.escape("{}"), _NAME).replace(re.escape("{:}"), r"[\w.:-]{1,256}")


def nothing(_asked: RequestedResources) -> Sequence[About]:
    """Operations that AWS lists without a resource."""
    return [About("*")]


def unsure(form: str) -> Find:
    """Operations on one resource of a form, which the request does not name."""

    def find(request: RequestedResources) -> Sequence[About]:
        return [About(request.arn(form.replace("{}", UNKNOWN)), is_unsure=True)]

    return find


def _queue(request: RequestedResources) -> Sequence[About] | None:
    params = request.params
    match = _QUEUE_URL.fullmatch(str(params.get("QueueUrl")))
    if "QueueName" in params or match is None:
        return None
    return [About(request.arn(match[2], match[1]))]


def _named_queue(request: RequestedResources) -> Sequence[About] | None:
    name, owner = request.params.get("QueueName"), request.params.get("QueueOwnerAWSAccountId", "")
    is_name = isinstance(name, str) and re.fullmatch(_NAME, name, re.ASCII)
    if "QueueUrl" in request.params or not is_name or not re.fullmatch(r"[0-9]{12}|", str(owner)):
        return None
    return [About(request.arn(str(name), str(owner)))]


def _published(request: RequestedResources) -> Sequence[About] | None:
    """A topic, or a phone number, which is not a resource."""
    if "PhoneNumber" in request.params:
        has_topic = "TopicArn" in request.params or "TargetArn" in request.params
        return None if has_topic else nothing(request)
    return named(TopicArn="={}", TargetArn="={}")(request)


def _items(request: RequestedResources) -> Sequence[About] | None:
    """Of a table, or of one of its indexes."""
    found = named(TableName="table/{}")(request)
    index = request.params.get("IndexName")
    if found is None or index is None:
        return found
    if not isinstance(index, str) or re.fullmatch(_NAME, index, re.ASCII) is None:
        return None
    return [About(f"{found[0].arn}/index/{index}")]


def _tables(request: RequestedResources) -> Sequence[About] | None:
    """Of several tables, each a member of `RequestItems`."""
    tables = request.params.get("RequestItems")
    if not isinstance(tables, dict) or not tables:
        return None
    return _each_table(request, [(name, None) for name in tables])


def _transacted(request: RequestedResources) -> Sequence[About] | None:
    """Of several tables, each with the permission of its own operation."""
    items = request.params.get("TransactItems")
    if not isinstance(items, list) or not items:
        return None
    wanted = []
    for item in items:
        if not isinstance(item, dict) or len(item) != 1:
            return None
        [(verb, action)] = item.items()
        if verb not in ("Get", "Put", "Update", "Delete", "ConditionCheck"):
            return None
        if not isinstance(action, dict):
            return None
        wanted.append((action.get("TableName"), f"{verb}Item"))
    return _each_table(request, wanted)


def _each_table(
    request: RequestedResources, wanted: Sequence[tuple[object, str | None]]
) -> Sequence[About] | None:
    found = []
    for name, action in dict.fromkeys(wanted) if _are_texts(wanted) else ():
        about = named(TableName="table/{}")(request._replace(params={"TableName": name}))
        if about is None:
            return None
        found.append(about[0]._replace(action=action))
    return found or None


def _are_texts(wanted: Sequence[tuple[object, str | None]]) -> bool:
    return all(isinstance(name, str) for name, _ in wanted)


def _key(request: RequestedResources) -> Sequence[About] | None:
    """A key by its id or ARN; an alias, or the key of a ciphertext, may be any key."""
    value = request.params.get("KeyId")
    if value is None and request.operation != "Decrypt":
        return None
    if value is None or (isinstance(value, str) and value.startswith("alias/")):
        return unsure("key/{}")(request)
    arn = arn_of(request, value)
    resource = Arn.parse(arn).resource if arn is not None else value
    match = _KEY.fullmatch(resource) if isinstance(resource, str) else None
    if match is None:
        is_alias = arn is not None and resource.startswith("alias/")
        return unsure("key/{}")(request) if is_alias else None
    return [About(arn or request.arn(f"key/{match[1]}"))]


def _secret(request: RequestedResources) -> Sequence[About] | None:
    """A secret by its full ARN; for a name, the last characters of the ARN are unknown."""
    value = request.params.get("SecretId")
    arn = arn_of(request, value)
    if arn is not None and _SECRET.fullmatch(Arn.parse(arn).resource):
        return [About(arn)]
    name = value if arn is None else Arn.parse(arn).resource.removeprefix("secret:")
    if not isinstance(name, str) or re.fullmatch(r"[\w/+=.@-]{1,512}", name, re.ASCII) is None:
        return None
    return [About(request.arn(f"secret:{name}-??????"), is_unsure=True)]


def _new_secret(request: RequestedResources) -> Sequence[About] | None:
    """A new secret: no other one has its name."""
    name = request.params.get("Name")
    if not isinstance(name, str) or re.fullmatch(r"[\w/+=.@-]{1,512}", name, re.ASCII) is None:
        return None
    return [About(request.arn(f"secret:{name}"))]


def _parameter(request: RequestedResources) -> Sequence[About] | None:
    value = request.params.get("Name", request.params.get("Path"))
    return _each_parameter(request, [value])


def _parameters(request: RequestedResources) -> Sequence[About] | None:
    values = request.params.get("Names")
    return _each_parameter(request, values) if isinstance(values, list) else None


def _each_parameter(
    request: RequestedResources, values: Sequence[object]
) -> Sequence[About] | None:
    """Parameters by name, with a version or a label, or by ARN."""
    found = []
    for value in values:
        arn = arn_of(request, value)
        name = value if arn is None else Arn.parse(arn).resource.removeprefix("parameter")
        match = _PARAMETER.fullmatch(name) if isinstance(name, str) else None
        if match is None or (arn is not None and ":parameter/" not in arn):
            return None
        wanted = request.arn(f"parameter/{match[1]}", "" if arn is None else Arn.parse(arn).account)
        if arn is not None and Arn.parse(wanted)[:4] != Arn.parse(arn)[:4]:
            return None
        found.append(About(wanted))
    return found or None


def _buses(request: RequestedResources) -> Sequence[About] | None:
    """The buses that events are put on."""
    entries = request.params.get("Entries")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return None
    found: list[About] = []
    for name in dict.fromkeys(str(entry.get("EventBusName") or "default") for entry in entries):
        about = named(Name="event-bus/{}")(request._replace(params={"Name": name}))
        if about is None:
            return None
        found += about
    return found or None


def rule(parameter: str) -> Find:
    """Operations on a rule, of the default bus or of a named one."""

    def find(request: RequestedResources) -> Sequence[About] | None:
        bus = request.params.get("EventBusName") or "default"
        on_bus = named(Name="event-bus/{}")(request._replace(params={"Name": bus}))
        if on_bus is None:
            return None
        name = on_bus[0].arn.partition(":event-bus/")[2]
        form = "rule/{}" if name == "default" else f"rule/{name}/{{}}"
        return named(Name=form)(request._replace(params={"Name": request.params.get(parameter)}))

    return find


QUEUE, NAMED_QUEUE, PUBLISHED = _queue, _named_queue, _published
ITEMS, TABLES, TRANSACTED = _items, _tables, _transacted
KEY, SECRET, NEW_SECRET, BUSES = _key, _secret, _new_secret, _buses
PARAMETER, PARAMETERS = _parameter, _parameters
