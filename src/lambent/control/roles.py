"""What the control plane asks about execution roles, where policies decide, and about what they are
to be used for."""

from collections.abc import Awaitable, Callable, Sequence

from lambent.model.arn import AccountId
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.mapping import Source

CheckRole = Callable[[str, AccountId], Awaitable[None]]
"""Raises `ApiError` if a function of the account may not have the role with this ARN."""
CheckTarget = Callable[[FunctionKey, str, str, str], Awaitable[None]]
"""Raises `ApiError` unless the role of a function, by ARN, may deliver to a target, by ARN; to a
bucket, objects whose keys begin so."""
CheckSource = Callable[[Source, str, Sequence[str], FunctionVersion], Awaitable[None]]
"""Raises `ApiError` unless a source, by ARN or bootstrap servers, with secrets, by ARN, can be read
for a function."""
