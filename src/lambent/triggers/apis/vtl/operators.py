"""Operators with two sides, as Velocity 1.7 computes them: what makes no sense is null or false."""

from lambent.triggers.apis.vtl.budget import Budget, TemplateError
from lambent.triggers.apis.vtl.values import (
    Value,
    are_equal,
    checked_number,
    is_number,
    to_text,
)


def operate(operator: str, left: Value, right: Value, budget: Budget) -> Value:
    """The value of an operation, or None. Raises `TemplateError`."""
    match operator:
        case "==":
            return are_equal(left, right, budget)
        case "!=":
            return not are_equal(left, right, budget)
        case "+" if isinstance(left, str) or isinstance(right, str):
            return to_text(left, budget) + to_text(right, budget)
    if not is_number(left) or not is_number(right):
        return False if operator in _COMPARISONS else None
    if operator in _COMPARISONS:
        return _compare(operator, left, right)
    try:
        return checked_number(_compute(operator, left, right))
    except OverflowError:
        raise TemplateError("A number is too large.") from None


_COMPARISONS = ("<", "<=", ">", ">=")


def _compare(operator: str, left: Value, right: Value) -> bool:
    match operator:
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
    return bool(left >= right)


def _compute(operator: str, left: Value, right: Value) -> Value:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    if right == 0:
        return None
    if isinstance(left, float) or isinstance(right, float):
        return left / right if operator == "/" else _remainder(left, right)
    quotient = abs(left) // abs(right)  # Java rounds towards zero
    if (left < 0) != (right < 0):
        quotient = -quotient
    return quotient if operator == "/" else left - quotient * right


def _remainder(left: float, right: float) -> float:
    remainder = abs(left) % abs(right)
    return -remainder if left < 0 else remainder
