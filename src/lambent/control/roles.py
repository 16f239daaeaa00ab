"""Checks of execution roles, and of what a function uses them for, that control gets from the
assembly."""

from collections.abc import Awaitable, Callable

from lambent.model.function import FunctionKey, FunctionVersion
from lambent.model.mapping import EventSourceMapping

CheckRole = Callable[[str, str], Awaitable[None]]
"""Raises `ApiError` if a function of the account may not have the role with this ARN."""
CheckTarget = Callable[[FunctionKey, str, str, str], Awaitable[None]]
"""Raises `ApiError` unless the role of a function, by ARN, may deliver to a target, by ARN; to a
bucket, objects whose keys begin so."""
CheckSource = Callable[[EventSourceMapping, FunctionVersion], Awaitable[None]]
"""Raises `ApiError` unless a mapping's source exists and the function's role may read it."""
