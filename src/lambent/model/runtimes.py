"""Which runtime identifiers a function may be created with.

The identifiers themselves come from the service model (the gateway hands them over); here is
only what the model does not say: which of them AWS has retired.
"""

import re
from collections.abc import Sequence

from lambent.model.errors import invalid_parameter

_RETIRED = re.compile(
    r"nodejs|nodejs(4\.3|4\.3-edge|6\.10|8\.10)|nodejs1[0-8]\.x|java8|python2\.7|python3\.[6-9]"
    r"|dotnetcore.*|dotnet6|go1\.x|ruby2\.[57]|provided"
)


def check_runtime(runtime: str, known: Sequence[str]) -> None:
    """Accept a runtime identifier. `known` are all identifiers of the service model.

    Raises `InvalidParameterValueException` if it is unknown or no longer supported.
    """
    if runtime not in known:
        raise invalid_parameter(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum"
            f" value set: [{', '.join(known)}] or be a valid ARN"
        )
    if _RETIRED.fullmatch(runtime):
        raise invalid_parameter(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating"
            " AWS Lambda functions. We recommend you use a supported runtime while creating or"
            " updating functions."
        )
