"""Operations on distributions, invalidations, policies and functions."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from lambent.control.cloudfront.distributions import Distributions
from lambent.control.cloudfront.functions import Functions
from lambent.control.cloudfront.invalidations import Invalidations
from lambent.control.cloudfront.policies import KINDS, Policies
from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.model.arn import Scope
from lambent.model.document import Body
from lambent.model.errors import ApiError


class TestFunction(Protocol):
    """Runs a stage of a function with an event; `triggers.edge.function_tests` does."""

    async def __call__(self, scope: Scope, name: str, stage: Body, event: bytes) -> Members:
        """The members of `TestResult`, but for the summary. Raises `ApiError`."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class CloudFrontRooms:
    """What the operations use."""

    distributions: Distributions
    invalidations: Invalidations
    policies: Mapping[str, Policies]
    """By kind."""
    functions: Functions
    test: TestFunction | None
    """None on a control plane without a data plane."""


async def _test_function(rooms: CloudFrontRooms, call: Call) -> Members:
    summary, stage = await rooms.functions.tested(call.scope, call.params)
    if rooms.test is None:
        raise ApiError("UnsupportedOperation", "This platform runs no functions.")
    result = await rooms.test(call.scope, call.params["Name"], stage, call.params["EventObject"])
    return {"TestResult": {"FunctionSummary": summary, **result}}


UseCase = Callable[[Scope, Members], Awaitable[Members]]


def _use(choose: Callable[[CloudFrontRooms], UseCase]) -> Operation[CloudFrontRooms]:
    async def operation(rooms: CloudFrontRooms, call: Call) -> Members:
        return await choose(rooms)(call.scope, call.params)

    return operation


def _of_kind(name: str) -> Mapping[str, Operation[CloudFrontRooms]]:
    """The operations on one kind of policies."""
    noun, plural = KINDS[name].noun, KINDS[name].plural
    return {
        f"Create{noun}": _use(lambda rooms: rooms.policies[name].create),
        f"Get{noun}": _use(lambda rooms: rooms.policies[name].get),
        f"Get{noun}Config": _use(lambda rooms: rooms.policies[name].get_config),
        f"Update{noun}": _use(lambda rooms: rooms.policies[name].update),
        f"Delete{noun}": _use(lambda rooms: rooms.policies[name].delete),
        f"List{plural}": _use(lambda rooms: rooms.policies[name].list),
    }


OPERATIONS: Mapping[str, Operation[CloudFrontRooms]] = {
    "CreateDistribution": _use(lambda rooms: rooms.distributions.create),
    "CreateDistributionWithTags": _use(lambda rooms: rooms.distributions.create_with_tags),
    "GetDistribution": _use(lambda rooms: rooms.distributions.get),
    "GetDistributionConfig": _use(lambda rooms: rooms.distributions.get_config),
    "UpdateDistribution": _use(lambda rooms: rooms.distributions.update),
    "DeleteDistribution": _use(lambda rooms: rooms.distributions.delete),
    "ListDistributions": _use(lambda rooms: rooms.distributions.list),
    "TagResource": _use(lambda rooms: rooms.distributions.tag),
    "UntagResource": _use(lambda rooms: rooms.distributions.untag),
    "ListTagsForResource": _use(lambda rooms: rooms.distributions.list_tags),
    "CreateInvalidation": _use(lambda rooms: rooms.invalidations.create),
    "GetInvalidation": _use(lambda rooms: rooms.invalidations.get),
    "ListInvalidations": _use(lambda rooms: rooms.invalidations.list),
    "CreateFunction": _use(lambda rooms: rooms.functions.create),
    "DescribeFunction": _use(lambda rooms: rooms.functions.describe),
    "GetFunction": _use(lambda rooms: rooms.functions.get),
    "UpdateFunction": _use(lambda rooms: rooms.functions.update),
    "PublishFunction": _use(lambda rooms: rooms.functions.publish),
    "DeleteFunction": _use(lambda rooms: rooms.functions.delete),
    "ListFunctions": _use(lambda rooms: rooms.functions.list),
    "TestFunction": _test_function,
    **{name: operation for kind in KINDS for name, operation in _of_kind(kind).items()},
}
