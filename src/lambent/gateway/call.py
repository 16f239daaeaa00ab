"""What an operation receives."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lambent.identity.authorizer import Caller
from lambent.model.arn import Scope
from lambent.model.errors import ApiError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One parsed and validated API request."""

    params: Mapping[str, Any]
    """Input members by API name, typed as botocore would give them: blobs are bytes, timestamps
    datetimes. Absent members are absent."""
    scope: Scope
    request_id: str
    caller: Caller
    endpoint: str
    """How the caller reached us, for example `http://127.0.0.1:5262`: the base of links."""
    hidden: Mapping[str, ApiError] = dataclasses.field(default_factory=dict)
    """Members of the answer that the caller may not see, and why."""


OperationHandler = Callable[[Call], Awaitable[Mapping[str, Any]]]
"""Serves one operation: gives output members by API name, raises `ApiError`. Each module in
`operations/` offers `operations(<rooms>) -> Mapping[str, OperationHandler]`."""
