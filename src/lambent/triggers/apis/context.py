"""What the kinds of APIs work with."""

import dataclasses

import anyio.abc

from lambent.identity.authorizer import Authorizer
from lambent.kit.clock import Clock
from lambent.triggers.apis.access_logs import AccessLogs
from lambent.triggers.apis.calls import FunctionCalls
from lambent.triggers.apis.throttling import Throttles


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ApiContext:
    """See the module."""

    calls: FunctionCalls
    authorizer: Authorizer
    throttles: Throttles
    access_logs: AccessLogs
    clock: Clock
    tasks: anyio.abc.TaskGroup
    """For requests that cannot be served at once."""
