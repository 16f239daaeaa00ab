"""What every environment on this worker shares."""

import dataclasses
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from anyio.abc import TaskGroup

from lambent.kit.clock import Clock
from lambent.kit.http.server import HttpServer
from lambent.kit.turns import Turn, Turns
from lambent.model.credentials import Credentials
from lambent.model.function import FunctionVersion
from lambent.node.environment.snapshots import Snapshots
from lambent.node.languages.launch import LaunchSpec
from lambent.node.settings import WorkerSettings
from lambent.sandbox.ports import Box, Sandboxes
from lambent.telemetry.ports import Logs

NetworkServices = Callable[[Box], AbstractAsyncContextManager[None]]
"""Serves a box's way out: egress and name resolution."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NodeContext:
    """See the module."""

    settings: WorkerSettings
    sandboxes: Sandboxes
    logs: Logs
    clock: Clock
    launch: Callable[[FunctionVersion], AbstractAsyncContextManager[LaunchSpec]]
    """Lays out code and runtime of a function, which stay for as long as the context lasts; raises
    `ApiError` if its runtime is missing."""
    endpoint: Callable[[], HttpServer]
    """Makes a server for the platform's API inside a box."""
    network: NetworkServices
    credentials: Callable[[FunctionVersion], Credentials]
    """Temporary credentials of a function's execution role, which outlive any environment."""
    starts: Turns
    """Who may have a box built: the launcher builds a few at a time."""
    snapshots: Snapshots
    """Of versions that were initialised when they were published."""
    tasks: TaskGroup
    """For what runs beside the environments, and ends by itself or with the worker finally."""

    def ask_to_start(self, function: FunctionVersion) -> Turn:
        """A turn to have a box built, fair to other accounts and functions."""
        key = function.key
        return self.starts.ask(key.account, f"{key.region}:{key.name}")
