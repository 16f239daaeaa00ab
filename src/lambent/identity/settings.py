"""What an operator may choose about identities."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    """Settings of the `identity` room."""

    session_s: float = 43_200.0
    """Seconds that the temporary credentials of a function's environment are valid. Default: 12
    hours. Environments are replaced earlier (`scheduling.environment_age_max_s`)."""
