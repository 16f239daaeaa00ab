"""Which runtime identifiers a function may be created with.

AWS refuses the ones it has retired. Here those are refused that nothing can run any more. The
others are accepted: the owner of the machine decides which interpreters it still has, and a runtime
whose interpreter is missing says so when it is deployed with `lambent` and when it is invoked.
"""

from collections.abc import Sequence

from lambent.model.errors import invalid_parameter

RETIRED = frozenset(
    {
        *("dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1", "go1.x"),
        *("nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "nodejs10.x"),
        *("nodejs12.x", "nodejs14.x", "python2.7", "python3.6", "python3.7", "ruby2.5"),
    }
)


def check_runtime(runtime: str, known: Sequence[str]) -> None:
    """Accept a runtime identifier. `known` are all identifiers of the service model.

    Raises `InvalidParameterValueException` if it is none of them, or retired.
    """
    if runtime in RETIRED:
        raise invalid_parameter(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating"
            " AWS Lambda functions. We recommend you use a supported runtime while creating or"
            " updating functions."
        )
    if runtime not in known:
        offered = [runtime for runtime in known if runtime not in RETIRED]
        raise invalid_parameter(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum"
            f" value set: [{', '.join(offered)}] or be a valid ARN"
        )
