"""Errors that calls of AWS services raise: `ClientError` when the service refuses, `BotoCoreError`
when there is no usable response. Other rooms take them from here; botocore stays in this room."""

from botocore.exceptions import BotoCoreError, ClientError

__all__ = ["BotoCoreError", "ClientError"]
