"""What the kinds of APIs work with."""

import dataclasses
from collections.abc import Callable

import anyio.abc

from lambent.aws.client import AwsClient
from lambent.identity.authorizer import Authorizer, Caller
from lambent.identity.service_roles import ServiceRoles
from lambent.kit.clock import Clock
from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError
from lambent.telemetry.traces.store import TraceStore
from lambent.triggers.apis.access_logs import AccessLogs
from lambent.triggers.apis.authorizers.issuers import Issuers
from lambent.triggers.apis.calls import FunctionCalls
from lambent.triggers.apis.outbound import Outbound
from lambent.triggers.apis.throttling import Throttles

Serve = Callable[[Exchange, Caller, Callable[[ApiError], None]], None]
"""Serves a request for the AWS service that the caller names, as this caller. The callback gets the
error if the service cannot be reached; its refusals are responses."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ApiContext:
    """See the module."""

    calls: FunctionCalls
    authorizer: Authorizer
    throttles: Throttles
    access_logs: AccessLogs
    traces: TraceStore
    clock: Clock
    tasks: anyio.abc.TaskGroup
    """For requests that cannot be served at once."""
    outbound: Outbound
    issuers: Issuers
    aws: AwsClient
    roles: ServiceRoles
    serve: Serve
