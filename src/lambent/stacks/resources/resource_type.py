"""What the engine knows of a type of resource."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from lambent.identity.authorizer import Caller
from lambent.model.errors import ApiError

Properties = Mapping[str, Any]
"""Evaluated properties of a resource, as the template spells them."""


class Made(NamedTuple):
    """A resource that exists."""

    physical_id: str
    """Shown as PhysicalResourceId."""
    attributes: Mapping[str, Any]
    """What `Fn::GetAtt` returns, by name; `Outer.Inner` for nested ones."""
    ref: str | None = None
    """What `Ref` returns; None if it is the physical id."""
    hidden: tuple[str, ...] = ()
    """Names of attributes that are secrets."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a handler needs to know about the resource that it works on."""

    caller: Caller
    """Whose rights decide; its scope is the account and region of the stack."""
    stack_id: str
    stack_name: str
    logical_id: str
    name: str
    """A name for the resource that is unique and stays the same when the step is repeated:
    `<stack>-<logical id>-<12 characters>`, as long as AWS makes it. A type shortens it."""
    token: str
    """The same for what has an idempotency token or a tag instead of a name."""
    tags: Mapping[str, str]
    """Of the stack, with `aws:cloudformation:…`, which are not sent to APIs."""
    operation: str = ""
    """Names the operation of the stack that the step is a part of."""
    creation_policy: Any = None
    """CreationPolicy of the resource, as the template has it."""
    is_repeated: bool = False
    """Whether the step may have been done before, since its wish is older than this attempt. Only
    then a resource with a name of the template's, or like this one, is taken for the step's."""


class Unfinished(ApiError):
    """A resource was made and cannot be used. It is to be deleted."""

    def __init__(self, error: ApiError, made: Made) -> None:
        super().__init__(error.code, error.message, status=error.status)
        self.made = made


def name_taken(type: str, name: str) -> ApiError:
    """Another resource has the name that was chosen."""
    message = f"Resource of type '{type}' with identifier '{name}' already exists."
    return ApiError("AlreadyExists", message, status=409)


class ResourceType(Protocol):
    """One type. Every method may be repeated: what was done already is found and taken."""

    name: str
    """`AWS::SQS::Queue`."""

    def check(self, properties: Properties) -> None:
        """Check names of properties before anything is made. Unknown values stand as `UNKNOWN`.
        Raises `ApiError`."""

    def replaces(self, old: Properties, new: Properties) -> frozenset[str]:
        """The properties whose change needs a new resource; empty for an update in place. Values
        may be `UNKNOWN`."""

    def custom_name(self, properties: Properties) -> str | None:
        """The name that the template chose; None if the name is generated. A resource with a name
        of its own cannot be replaced under that name."""

    async def exists(self, step: Step, properties: Properties) -> bool:
        """Whether the name that the template chose is taken. It is asked before the step is
        written; what a repeated step finds under the name is then its own. Raises `ApiError`."""

    async def create(self, step: Step, properties: Properties) -> Made:
        """Make the resource, or take the one that this step has made before, and wait until it can
        be used. Raises `ApiError`; `Unfinished` if it was made and then something went wrong."""

    async def find(self, step: Step, properties: Properties) -> Made | None:
        """What a step in doubt has made; None if it has made nothing. Raises `ApiError`."""

    async def update(self, step: Step, made: Made, old: Properties, new: Properties) -> Made:
        """Change the resource in place. Raises `ApiError`."""

    async def delete(self, step: Step, made: Made, properties: Properties) -> None:
        """Delete the resource; that it is gone already is success. Raises `ApiError`."""

    async def read(self, step: Step, made: Made, properties: Properties) -> Made | None:
        """The resource with its attributes now; None if it does not exist."""
