"""Facts of requests of Alexa."""

NAME = "echo-api.amazon.com"
"""What the certificate that signs requests is for."""
TOLERANCE_S = 150.0
"""How far the time of a request may be from now."""


def local_address(hook_id: str) -> str:
    """The address that a request names if it is signed with the key of a hook for local use.
    Nothing is there."""
    return f"https://s3.amazonaws.com/echo.api/lambent/{hook_id}.pem"
