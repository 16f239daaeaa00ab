"""What an operation needs permission for, as data: actions on resources, with condition keys."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from lambent.gateway.permissions.asked import Asked, Target

Values = Mapping[str, Sequence[str]]
"""By key in lower case; without the keys that the request does not have."""


@dataclasses.dataclass(frozen=True, slots=True)
class Resource:
    """A kind of resource that operations are about."""

    types: tuple[str, ...]
    """AWS's names of the types; none if the request is about no resource in particular."""
    find: Callable[[Asked], Awaitable[Sequence[Target]]]
    """Returns the resources of a request. Raises `ApiError` for names that are none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """A condition key: what policies may ask of a request besides action and resource.

    `aws:ResourceTag` and what is known of the caller come with every request and are added by the
    authorizer.
    """

    name: str
    find: Callable[[Asked], Awaitable[Values]]


@dataclasses.dataclass(frozen=True, slots=True)
class Need:
    """One permission that an operation needs."""

    action: str
    """`lambda:GetFunction`."""
    resource: Resource
    keys: tuple[Key, ...] = ()
    only_with: str | None = None
    """Needed if the request has this member."""
    shows: str | None = None
    """Needed to see this member of the output; without it the rest is returned."""


Needs = tuple[Need, ...]


class Difference(NamedTuple):
    """One way in which a service's permissions differ from AWS's list."""

    what: str
    """`action`, `resource` or `key`, and its name."""
    is_ours: bool
    """Whether it is asked for here and not listed by AWS; else the other way round."""
    why: str
    actions: tuple[str, ...] = ()
    """Of which actions; of all if empty."""


def each(service: str, names: Sequence[str], resource: Resource, *keys: Key) -> dict[str, Needs]:
    """Operations that need the permission of their own name and no other."""
    return {name: (Need(f"{service}:{name}", resource, keys),) for name in names}


def some(key: str, values: Sequence[str] | None) -> Values:
    """The values of a key, none if there are none."""
    return {key: values} if values else {}


async def _nothing(asked: Asked) -> Sequence[Target]:
    return [Target("*", asked.scope.account)]


async def _request_tags(asked: Asked) -> Values:
    found: dict[str, list[str]] = {}
    for name, value in _tags(asked).items():
        found.setdefault(f"aws:requesttag/{name.lower()}", []).append(value)
    return found


async def _tag_keys(asked: Asked) -> Values:
    params = asked.params
    names = params.get("TagKeys") or params.get("tagKeys") or list(_tags(asked))
    return some("aws:tagkeys", names)


def _tags(asked: Asked) -> Mapping[str, str]:
    """The tags in a request: Lambda's are an object, IAM's a list."""
    tags = asked.params.get("Tags") or asked.params.get("tags") or {}
    if isinstance(tags, Mapping):
        return tags
    return {tag["Key"]: tag["Value"] for tag in tags}


NOTHING = Resource((), _nothing)
"""Of operations that are about no resource in particular: `*`."""
TAG_KEYS = Key("aws:TagKeys", _tag_keys)
TAGS = (Key("aws:RequestTag/${TagKey}", _request_tags), TAG_KEYS)
