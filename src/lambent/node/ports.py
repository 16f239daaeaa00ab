"""What a node needs from the rest of the platform.

A node knows no database and no other room of the platform; it reaches the rest only through these
six ports.
"""

import socket
from collections.abc import Callable, Set
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from lambent.model.arn import AccountId, Region, Scope
from lambent.model.credentials import Credentials
from lambent.model.function import FunctionKey, FunctionVersion
from lambent.telemetry.traces.store import Recorded


class PackageStore(Protocol):
    """Deployment packages, by the hex SHA-256 of their bytes."""

    async def read(self, key: str) -> bytes:
        """A whole package. Raises OSError if it cannot be read."""
        ...

    async def needed(self) -> Set[str]:
        """The keys of all packages that a version of a function or layer refers to. Raises if they
        cannot be read now."""
        ...


class CredentialSource(Protocol):
    """Credentials of execution roles."""

    def credentials(self, function: FunctionVersion) -> Credentials:
        """Temporary credentials of a function's role. They outlive any environment."""
        ...


TakeOver = Callable[[socket.socket, int], None]
"""Serves a connection that was accepted elsewhere, by the port that the client has chosen: TLS on
443."""


class ApiEndpoint(Protocol):
    """The platform's own API, for programs in a box."""

    def serve(
        self, listener: socket.socket, admits: Callable[[socket.socket], bool]
    ) -> AbstractAsyncContextManager[TakeOver]:
        """Serve a listening socket for as long as the context lasts, and connections that the
        result receives. Connections to the socket that `admits` denies are refused."""
        ...


class TraceSink(Protocol):
    """The trace store, for what functions send."""

    def record(self, scope: Scope, recorded: Recorded) -> bool:
        """Keep it for an account and Region; returns whether there is room. Never waits."""
        ...


class MetricSink(Protocol):
    """The metrics of functions."""

    def add(self, name: str, key: FunctionKey, value: float) -> None:
        """Add a value of a metric of `AWS/Lambda`. Never waits."""
        ...


class LogStream(Protocol):
    """The log of one execution environment. Appends are buffered; nothing blocks."""

    def append(self, timestamp_ms: int, message: bytes) -> None:
        """Add one log event: UTF-8 text, stored with a newline at its end, as in AWS. The time is
        in epoch milliseconds; 0 means now, which no event can be later than. Events of more than
        256 KiB are cut into chunks; an empty one is dropped."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether more is buffered than should be: the caller stops reading the function's pipes
        until there is room again."""
        ...

    def write_now(self) -> bool:
        """Write what is buffered to the file, if that is possible at once; returns whether it
        is."""
        ...

    def when_written(self, then: Callable[[], None]) -> None:
        """Call `then`, which must not raise, when everything appended so far is in the file and
        outlives the process: nearly always at once, else soon."""
        ...

    def close(self) -> None:
        """No more events will come; what is buffered still reaches the disk."""
        ...


class LogSink(Protocol):
    """The log store, for writers."""

    def open_stream(self, account: AccountId, region: Region, group: str, stream: str) -> LogStream:
        """Create group and stream if they do not exist, and append to the stream."""
        ...
