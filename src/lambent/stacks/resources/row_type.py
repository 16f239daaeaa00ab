"""The form of a row: what the driver has to know of a type of resource.

Properties whose names equal a member of an operation's input, or differ from it in the first
letter's case, are copied. A row lists only what is different. Strings are templates, which
`expressions.py` explains.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from lambent.stacks.resources.resource_type import Properties, Step

Prepare = Callable[[Properties, Step], dict[str, Any]]
"""Rewrites properties before anything is copied from them, where an API has its own mind. Pure, so
that old and new properties can be compared. Raises `ApiError`."""


WHOLE = "..."
"""Instead of a member: a structure whose members are those of the input."""


class Op(NamedTuple):
    """An operation and the members of its input that are not copied from properties. A name with
    dots is the path of a member of members."""

    name: str
    members: Mapping[str, Any]
    copies: bool
    """Whether properties are copied."""


def op(name: str, /, **members: Any) -> Op:
    """An operation with the properties that it takes, and these members."""
    return Op(name, members, copies=True)


def only(name: str, whole: str = "", /, **members: Any) -> Op:
    """An operation with the row's keys and these members alone. `whole` is the template of a
    structure all of whose members are taken."""
    return Op(name, {WHOLE: whole, **members} if whole else members, copies=False)


class Name(NamedTuple):
    """The property with the name of the resource, generated if the template has none."""

    property: str
    maximum: int
    is_lower: bool = False
    suffix: Callable[[Properties], str] = lambda _: ""
    """What a generated name must end with."""
    is_alphanumeric: bool = False
    parent: str = ""
    """The property with the parent in which the name is unique."""
    is_shared: bool = False
    """Whether several resources may have the name, so that it does not prevent a replacement."""


class Wait(NamedTuple):
    """When a resource can be used: the response of `read` has one of these values at each path.
    A path without a value is ready."""

    ready: Mapping[str, tuple[Any, ...]]
    failed: tuple[Any, ...] = ()
    """Values that end the wait: the resource will never be ready."""
    reason: str = ""
    """Path of what explains a failure."""


class Path(NamedTuple):
    """A value of patch operations."""

    value: str
    kind: str = "text"
    """`text` is replaced, by nothing in the end; an `entry` of a map is added, replaced and
    removed; a `setting` is replaced and removed; an `item` of a list is added and removed by its
    value, and the path of the list ends before `#`."""
    whole: str = ""
    """The path that is removed instead, with all that is under it."""


class Patch(NamedTuple):
    """An update by patch operations."""

    op: Op
    paths: Callable[[Properties], Mapping[str, Path]]
    """All that can be patched, by path."""
    properties: tuple[str, ...]
    """From which `paths` come."""
    on_create: Callable[[Properties], Mapping[str, Path]] = lambda _: {}
    """What `create` does not set."""


class Find(NamedTuple):
    """How a resource is found again whose id the service chose."""

    list: Op
    items: str = ""
    """Path of the list in the response; empty if the response is the resource itself."""
    match: Mapping[str, Any] = {}
    """Templates by the path in an item: the item of this resource has all of these values."""
    physical: str = ""
    """The physical id from an item, if the item differs from the response of `create`."""


class Existing(NamedTuple):
    """Resources that exist, for an API that returns an old one if nothing has changed."""

    list: Op
    items: str
    path: str
    """Of the physical id in an item."""
    message: str
    """The error if the resource is one of these: a template of the response of `create`."""


class Retag(NamedTuple):
    """The operations that change tags, and the members that name the resource."""

    tag: str
    untag: str
    resource: Mapping[str, Any]


class Bag(NamedTuple):
    """A member of inputs that is a map, and the properties that are its entries, as texts."""

    member: str
    properties: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a resource with operations of its own."""

    of: tuple[str, ...]
    """The properties of the part; it exists if one of them has a value."""
    put: "Op | Several"
    remove: "Op | Several | None" = None
    with_: tuple[str, ...] = ()
    """Further properties whose change puts all elements again."""
    is_each: bool = False
    """Whether `of` is a list whose elements are put one by one."""
    key: str = ""
    """Path in an element that tells it from others; empty for the element itself."""
    is_deleted_first: bool = False
    """Whether the resource cannot be deleted while it has this part."""
    on_create: bool = True
    """Whether `create` leaves the part out."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A type of resource."""

    name: str
    service: str
    """As botocore names it."""
    create: Op | None
    """None if the resource consists of its parts."""
    physical: str
    """The physical id, from the response of `create` or an item of `find`."""
    ref: str = ""
    """What `Ref` returns, if it is not the physical id."""
    read: Op | None = None
    update: tuple[Op, ...] = ()
    """Each is called if its input changes."""
    reads_first: bool = False
    """Whether `update`, `delete` and the parts use the response of `read`: an API with ETags wants
    the current one, `{.ETag}`."""
    delete: Op | None = None
    """None if the resource goes with its parent, or stays."""
    keys: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Members that name the resource, for all operations but `create` that have them."""
    named: Name | None = None
    renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Members whose names differ, by property."""
    bag: Bag | None = None
    attributes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """From the response of `read`, or of `create` if there is no `read`."""
    secrets: tuple[str, ...] = ()
    """Attributes that are secrets: they are never shown."""
    created: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Attributes that only the response of `create` has."""
    tags: str = ""
    """The member for tags, or its path; empty if the resource has none."""
    tags_property: str = "Tags"
    retag: Retag | None = None
    is_marked: bool = False
    """Whether a tag has the step's token, by which `find` knows the resource."""
    is_idempotent: bool = False
    """Whether `create` succeeds if the resource exists, so that it must be looked for."""
    existing: Existing | None = None
    is_stored: bool = False
    """Whether the resource does nothing: it exists in its stack alone."""
    parts: tuple[Part, ...] = ()
    find: Find | None = None
    """None if the physical id follows from the properties, or if what a step in doubt left cannot
    be found: then it is made again."""
    wait: Wait | None = None
    waits_gone: bool = False
    """Whether a deleted resource stays visible for a while, and its name taken."""
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What an update sends for a property that the template no longer has."""
    prepare: Prepare | None = None
    fetch: "Fetch | None" = None
    patch: Patch | None = None
    resets: tuple[str, ...] = ()
    """Properties of a part that sets other properties, too: these are set again after it."""
    is_remade: bool = False
    """Whether an update deletes the resource and makes it again, with the same physical id."""
    before_delete: "Hook | None" = None
    after_update: "Hook | None" = None
    uses: frozenset[str] = frozenset()
    """Properties that `prepare` or `fetch` reads."""
    stored_only: frozenset[str] = frozenset()
    """Properties that are accepted and have no effect."""
    in_place: frozenset[str] = frozenset()
    """Properties that need a new resource only in some cases, and here never."""
    replacing: frozenset[str] = frozenset()
    """Properties that AWS changes in place, and here need a new resource."""
    note: str = ""
    """For the reference."""


Call = Callable[[str, str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Calls an operation: service, operation, input. Raises `ApiError`."""
Fetch = Callable[[Call, Properties, Properties | None], Awaitable[dict[str, Any]]]
"""Reads what properties refer to, before `prepare`; returns further properties. Receives the old
properties, too, in an update."""
PartHook = Callable[[Call, str, Properties, Any], Awaitable[None]]
"""Does what rows cannot say about a part: a resource's physical id, its properties, and the element
of the list that the part is about. May be repeated."""


class Several(NamedTuple):
    """What makes or removes a part by several operations."""

    does: PartHook
    operations: tuple[str, ...]
    """Those whose inputs it has to know."""


Hook = Callable[[Call, str, Properties], Awaitable[None]]
"""Does what rows cannot say about the resource with a physical id."""
