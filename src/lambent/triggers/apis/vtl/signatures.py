"""What tables of methods are made of: signatures, keys and positions."""

from collections.abc import Callable, Sequence

from lambent.triggers.apis.vtl.budget import Budget, TemplateError
from lambent.triggers.apis.vtl.values import Value

Arguments = Sequence[Value]
Method = Callable[[Budget, Value, Arguments], Value]


class NoSuchMethodError(Exception):
    """The arguments are of other types than the method's: Java does not find the method."""


def position(items: Sequence[Value], index: int) -> int:
    """An index of a list or text. Raises `TemplateError` if it has none."""
    if not 0 <= index < len(items):
        raise TemplateError(f"The index {index} is outside a list of {len(items)} items.")
    return index


def key_of(value: Value) -> Value:
    """A key of a map. Raises `TemplateError` for a value that cannot be one."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise TemplateError("A key of a map must be a text, a number or a boolean.")


def typed(arguments: Arguments, *signature: type | tuple[type, ...]) -> None:
    """Raises `NoSuchMethodError` unless the arguments are of these types."""
    if len(arguments) != len(signature) or not all(map(isinstance, arguments, signature)):
        raise NoSuchMethodError
    for value, expected in zip(arguments, signature, strict=True):
        if expected is int and isinstance(value, bool):
            raise NoSuchMethodError


def plain(function: Callable[..., Value], *signature: type | tuple[type, ...]) -> Method:
    """A method that needs no budget beyond reading its target."""

    def method(budget: Budget, target: Value, arguments: Arguments) -> Value:
        typed(arguments, *signature)
        if isinstance(target, str):
            budget.read(len(target))
        return function(target, *arguments)

    return method
