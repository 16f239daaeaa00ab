"""What user pools need from outside: functions to call, keys of KMS, and mail to send."""

from collections.abc import Mapping
from typing import Protocol

from lambent.control.cognito.pool import Pool
from lambent.kit.encrypted_message import DataKey
from lambent.model.arn import Scope


class FunctionUnusable(Exception):
    """A function could not be called, or did not respond in time; the message says why."""


class FunctionRaised(Exception):
    """A function has failed; the message is the one of its error."""


class CallFunction(Protocol):
    """Calls a function of a pool."""

    async def __call__(self, pool: Pool, arn: str, event: bytes) -> bytes:
        """What the function returns. Raises `FunctionUnusable`, `FunctionRaised`."""
        ...


class QueueEvent(Protocol):
    """Puts an event for a function of a pool into the queue of asynchronous invocations."""

    async def __call__(self, pool: Pool, arn: str, event: bytes) -> None:
        """Returns when the event is on disk. Raises `FunctionUnusable`."""
        ...


class KeyUnusable(Exception):
    """A key of KMS encrypts nothing; the message says why."""


class MakeDataKey(Protocol):
    """Has KMS make data keys."""

    async def __call__(self, scope: Scope, key_arn: str, context: Mapping[str, str]) -> DataKey:
        """A new data key of 32 bytes, with an encryption context. Raises `KeyUnusable`."""
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
