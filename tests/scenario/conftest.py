"""What the scenarios share is in `tests/platforms.py`."""

from tests.platforms import (
    ACCOUNT,
    PYTHON,
    ROLE,
    Platform,
    deploy,
    invoke,
    lambda_client,
    platform,
    start_platform,
    wait_active,
    wait_for,
    zip_of,
)

__all__ = [
    "ACCOUNT",
    "PYTHON",
    "ROLE",
    "Platform",
    "deploy",
    "invoke",
    "lambda_client",
    "platform",
    "start_platform",
    "wait_active",
    "wait_for",
    "zip_of",
]
