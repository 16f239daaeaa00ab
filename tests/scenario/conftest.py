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

from .functions_api import client, connect, endpoint, name

__all__ = [
    "ACCOUNT",
    "PYTHON",
    "ROLE",
    "Platform",
    "client",
    "connect",
    "deploy",
    "endpoint",
    "invoke",
    "lambda_client",
    "name",
    "platform",
    "start_platform",
    "wait_active",
    "wait_for",
    "zip_of",
]
