"""What the control plane asks about execution roles, where policies decide."""

from collections.abc import Awaitable, Callable

from lambent.model.function import FunctionKey

CheckRole = Callable[[str, str], Awaitable[None]]
"""Raises `ApiError` if a function of the account may not have the role with this ARN."""
CheckTarget = Callable[[FunctionKey, str, str], Awaitable[None]]
"""Raises `ApiError` unless the role of a function, by ARN, may deliver to a target, by ARN."""
