"""What an operation receives, and what it returns."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
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


OperationHandler = Callable[[Call], Awaitable[Members]]
"""Serves one operation: returns output members by API name, raises `ApiError`."""
