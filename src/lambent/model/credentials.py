"""What a client needs to sign requests."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Temporary credentials."""

    access_key_id: str
    secret_access_key: str = dataclasses.field(repr=False)
    session_token: str = dataclasses.field(repr=False)
    expires_at: float
    """Epoch seconds."""
