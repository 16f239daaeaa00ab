"""What user pools need from outside: functions to call, and mail to send."""

from typing import Protocol

from lambent.control.cognito.pool import Pool


class FunctionUnusable(Exception):
    """A function could not be called, or did not respond in time; the message says why."""


class FunctionRaised(Exception):
    """A function has failed; the message is the one of its error."""


class CallFunction(Protocol):
    """Calls a function of a pool."""

    async def __call__(self, pool: Pool, arn: str, event: bytes) -> bytes:
        """What the function returns. Raises `FunctionUnusable`, `FunctionRaised`."""
        ...


class Mail(Protocol):
    """Sends mail."""

    @property
    def is_configured(self) -> bool:
        """Whether there is a server to send it with."""
        ...

    def send(self, pool: Pool, address: str, subject: str, html: str) -> None:
        """Send a message in the background. Failures are logged. Raises `ApiError` if too many
        messages wait."""
        ...
