"""Functions that call themselves, on whatever way, without end.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
"""

from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey


def recursive(key: FunctionKey) -> ApiError:
    """400 `RecursiveInvocationException`: the chain ends here."""
    return ApiError(
        "RecursiveInvocationException",
        f"Lambda detected the function {key.name} being invoked in a recursive loop with other"
        " Amazon Web Services resources and stopped it.",
        status=400,
    )
