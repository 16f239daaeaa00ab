"""Defines AWS services, as data. Each folder in `services/` has a `ServiceDefinition`.

The service's model says how requests look and which constraints apply. The definition adds what no
model contains: the operations that are offered, the permissions that each needs, and where AWS is
known to differ from its model.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from lambent.gateway.call import Call, Members, OperationHandler
from lambent.gateway.models import ServiceModel, load_model
from lambent.gateway.permissions.needs import Difference, Needs
from lambent.gateway.protocols.protocol import Router, WireProtocol
from lambent.gateway.protocols.registry import protocols_of
from lambent.model.errors import ApiError
from lambent.model.limits import REQUEST_BYTES_MAX

Rooms = TypeVar("Rooms")

Operation = Callable[[Rooms, Call], Awaitable[Members]]
"""Serves one operation with the rooms it needs. Returns output members by API name, raises
`ApiError`."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimit:
    """How large the body of a request may be, and the error for a larger one."""

    bytes_max: int = REQUEST_BYTES_MAX
    code: str = "RequestEntityTooLargeException"
    operation: str | None = None
    """What the error calls the operation, if not by its name."""
    members: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def error(self, operation: str) -> ApiError:
        """The error, with status 413."""
        return ApiError(
            self.code,
            f"Request must be smaller than {self.bytes_max} bytes for the"
            f" {self.operation or operation} operation",
            status=413,
            members=self.members,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What docs/reference/api-coverage.md says of a service, apart from names of operations."""

    note: str = ""
    """One or two sentences about what is offered and what is not."""
    stored: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    """By operation, input members that are stored and shown and have no effect yet."""
    refused: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    """By operation, input members that are refused with an error that says why."""
    is_listed: bool = False
    """Whether the page has a row for each operation, rather than a list of names."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDefinition(Generic[Rooms]):
    """One AWS service. A request is for it if its signature names `signing_name`; an unsigned one
    if it has the form that the service's protocols and model make unique: a path of its operations,
    `X-Amz-Target` with its prefix, or a form with its API version."""

    name: str
    """botocore's name of the service: `lambda`, `cloudwatch`, `apigatewayv2`."""
    operations: Mapping[str, Operation[Rooms]]
    """The operations that are offered, by name."""
    direct: frozenset[str] = frozenset()
    """Further operations, which write their responses themselves and without a task. Their
    handlers are registered with `Gateway.register_direct`. They cannot be dispatched."""
    permissions: Mapping[str, Needs]
    """The permissions that each offered operation needs; empty if every caller may use it."""
    body_limits: Mapping[str, BodyLimit] = dataclasses.field(default_factory=dict)
    """By operation, where it is not `REQUEST_BYTES_MAX`."""
    failure_code: str = "InternalFailure"
    """The code of errors that are the platform's fault."""
    unoffered_code: str = "InvalidParameterValueException"
    """The code of errors for operations that are not offered."""
    takes_session_tokens: bool = True
    """Whether the credentials of GetSessionToken may call it. IAM refuses them, as in AWS."""
    router: Callable[[ServiceModel], Router] | None = None
    """Finds its operations, if the protocol's own way does not. Only signed requests are for such a
    service: their signature names it."""
    is_replaceable: bool = False
    """Whether it is only offered if no other server of the service is configured."""
    differences: tuple[Difference, ...] = ()
    """How `permissions` differ from AWS's list, for docs/reference/permissions.md."""
    resource_names: tuple[tuple[str, str], ...] = ()
    """Kinds of resources and how policies name them, for the same page."""
    coverage: Coverage = Coverage()

    @property
    def model(self) -> ServiceModel:
        """The service's model."""
        return load_model(self.name)

    @property
    def signing_name(self) -> str:
        """The service's name in signatures. Two services may share it: both API Gateways do."""
        return str(self.model.signing_name)

    @property
    def protocols(self) -> Sequence[WireProtocol]:
        """The protocols it speaks."""
        return protocols_of(self.model)

    @property
    def offered(self) -> frozenset[str]:
        """The names of all operations that are offered."""
        return frozenset(self.operations) | self.direct

    def bind(self, rooms: Rooms) -> Mapping[str, OperationHandler]:
        """The operations with the rooms they need, as `Gateway.register` takes them."""
        return {name: partial(handle, rooms) for name, handle in self.operations.items()}


AnyService = ServiceDefinition[Any]
