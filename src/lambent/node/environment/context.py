"""What every environment of a node shares."""

import dataclasses
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from anyio.abc import TaskGroup

from lambent.kit.clock import Clock
from lambent.kit.turns import Turn, Turns
from lambent.model.function import FunctionVersion
from lambent.node.environment.snapshots import Snapshots
from lambent.node.languages.launch import LaunchSpec
from lambent.node.ports import (
    ApiEndpoint,
    CredentialSource,
    LogSink,
    MetricSink,
    TakeOver,
    TraceSink,
)
from lambent.node.settings import WorkerSettings
from lambent.sandbox.ports import Box, Sandboxes, Traffic

NetworkServices = Callable[[Box, str, TakeOver], AbstractAsyncContextManager[Traffic]]
"""Serves the network of an account's box: egress and name resolution. Connections to the platform
by the usual ports of HTTP are passed on. Yields what is counted of its traffic."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NodeContext:
    """See the module."""

    settings: WorkerSettings
    sandboxes: Sandboxes
    logs: LogSink
    metrics: MetricSink
    clock: Clock
    launch: Callable[[FunctionVersion], AbstractAsyncContextManager[LaunchSpec]]
    """Lays out code and runtime of a function, for as long as the context lasts. Raises `ApiError`
    if its runtime is missing."""
    api: ApiEndpoint
    network: NetworkServices
    roles: CredentialSource
    starts: Turns
    """Turns to have a box built: the launcher builds a few at a time."""
    snapshots: Snapshots
    """Of versions that were initialised when they were published."""
    traces: TraceSink | None = None
    """Without one, boxes have no port for traces."""
    tasks: TaskGroup
    """For what runs beside the environments, and ends by itself or with the worker finally."""

    def ask_to_start(self, function: FunctionVersion) -> Turn:
        """A turn to have a box built, fair to other accounts and functions."""
        key = function.key
        return self.starts.ask(key.account, f"{key.region}:{key.name}")
