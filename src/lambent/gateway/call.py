"""What an operation receives, and what it returns."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from lambent.identity.authorizer import Caller
from lambent.model.arn import Scope
from lambent.model.errors import ApiError

Members = Mapping[str, Any]
"""Input or output members by API name. Blobs are bytes, timestamps are datetimes; absent members
are absent."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One parsed and validated API request."""

    params: Members
    scope: Scope
    request_id: str
    caller: Caller
    endpoint: str
    """How the caller reached the platform, `http://127.0.0.1:5262`: what links begin with."""
    hidden: Mapping[str, ApiError] = dataclasses.field(default_factory=dict)
    """Output members that the caller may not see, and why."""


MISSING_NODES = "x-lambent-missing-nodes"
"""Beside the output members: the numbers of nodes whose part of the output is missing. The response
names them in a header of this name."""


def without_nodes(output: Members, missing: Sequence[int]) -> Members:
    """An output that has nothing of some nodes."""
    return {**output, MISSING_NODES: missing} if missing else output


def missing_header(output: Members) -> Sequence[tuple[str, str]]:
    """The header that names the nodes of which an output has nothing."""
    missing: Sequence[int] = output.get(MISSING_NODES, ())
    return [(MISSING_NODES, ", ".join(map(str, missing)))] if missing else []


OperationHandler = Callable[[Call], Awaitable[Members]]
"""Serves one operation: returns output members by API name, raises `ApiError`."""
