"""Which runtime identifiers a function may be created with: all of the service model.

AWS refuses the ones it has retired. Here they are accepted: whoever owns the machine decides what
still runs on it, and a runtime whose interpreter is missing says so when it is invoked.
"""

from collections.abc import Sequence

from lambent.model.errors import invalid_parameter


def check_runtime(runtime: str, known: Sequence[str]) -> None:
    """Accept a runtime identifier. `known` are all identifiers of the service model.

    Raises `InvalidParameterValueException` if it is none of them.
    """
    if runtime not in known:
        raise invalid_parameter(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum"
            f" value set: [{', '.join(known)}] or be a valid ARN"
        )
