"""Fixtures that the scenarios share are in `tests/platforms.py`."""

from tests.platforms import (
    ACCOUNT,
    PYTHON,
    ROLE,
    Platform,
    deploy,
    invoke,
    lambda_client,
    log_of,
    platform,
    start_platform,
    wait_active,
    wait_for,
    zip_of,
)

from .functions_api import client, connect, endpoint, name
from .http_session import browser
from .java_classes import classes, compiled
from .strict_services import strict

__all__ = [
    "ACCOUNT",
    "PYTHON",
    "ROLE",
    "Platform",
    "browser",
    "classes",
    "client",
    "compiled",
    "connect",
    "deploy",
    "endpoint",
    "invoke",
    "lambda_client",
    "log_of",
    "name",
    "platform",
    "start_platform",
    "strict",
    "wait_active",
    "wait_for",
    "zip_of",
]
