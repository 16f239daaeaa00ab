"""What the kinds of APIs work with."""

import dataclasses

import anyio.abc

from lambent.aws.client import AwsClient
from lambent.identity.authorizer import Authorizer
from lambent.identity.service_roles import ServiceRoles
from lambent.kit.clock import Clock
from lambent.triggers.apis.access_logs import AccessLogs
from lambent.triggers.apis.authorizers.issuers import Issuers
from lambent.triggers.apis.calls import FunctionCalls
from lambent.triggers.apis.outbound import Outbound
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
    outbound: Outbound
    issuers: Issuers
    aws: AwsClient
    roles: ServiceRoles
