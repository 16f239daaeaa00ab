"""Settings of identities."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    """Settings of the `identity` room."""

    session_s: float = 43_200.0
    """Lifetime of the temporary credentials of an environment, in seconds. Default: 12 hours;
    environments are replaced before that (`scheduling.environment_age_max_s`)."""
