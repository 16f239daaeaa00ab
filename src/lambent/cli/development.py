"""`lambent dev`: a deployment that follows the files, with the logs of its functions."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from lambent.cli.addresses import functions_of, stack_addresses
from lambent.cli.bucket import open_bucket
from lambent.cli.client import open_client
from lambent.cli.log_lines import LinePrinter
from lambent.cli.logs import POLL_S, FollowedLog
from lambent.cli.output import CliError, print_error, print_note
from lambent.cli.stack_commands import (
    deploy_template,
    print_addresses,
    source_states,
    stack_name,
    watched_functions,
)
from lambent.cli.stacks import Stack
from lambent.cli.watch import Watched, watch


class Deployed(NamedTuple):
    """What a deployment has made."""

    functions: Sequence[str]
    """The functions whose logs are printed."""
    watched: Sequence[Watched]
    """Those whose code is here."""
    delete: str
    """The command that deletes it."""


def deploy_stack(
    template: Path, stack: str | None, parameters: dict[str, str], endpoint: str
) -> Deployed:
    """Deploy a template or a project, and print its addresses. Raises `CliError`."""
    known = source_states(template)
    deploy_template(template, stack, parameters, endpoint, is_confirmed=True, as_json=False)
    name = stack_name(template, stack)
    with open_client("cloudformation", endpoint) as client:
        resources = Stack(client, name).resources()
    print_addresses(
        [
            {"resource": resource, "address": address}
            for resource, address in stack_addresses(resources, endpoint)
        ]
    )
    watched = watched_functions(name, known, endpoint)
    return Deployed(functions_of(resources), watched, f"lambent delete {name} --stack")


def develop(deploy: Callable[[], Deployed], file: Path, endpoint: str) -> None:
    """Deploy, and again whenever a file changes that says what is deployed; update code and print
    logs meanwhile. Returns on Ctrl-C; what was deployed stays. Raises `CliError` if the first
    deployment fails."""
    written = _changed_at(file)
    deployed = deploy()
    with open_client("lambda", endpoint) as client, open_client("logs", endpoint) as logs:
        tail = _Tail(logs)

        def is_stale() -> bool:
            tail.print_new()
            return _changed_at(file) not in (None, written)

        try:
            while True:
                tail.follow(deployed.functions)
                bucket = partial(open_bucket, endpoint)
                watch(client, bucket, deployed.watched, print_note, is_stale)
                written = _changed_at(file)
                try:
                    deployed = deploy()
                except CliError as error:
                    print_error(str(error))
        except KeyboardInterrupt:
            print_note(f"what was deployed stays; `{deployed.delete}` deletes it")


def _changed_at(file: Path) -> int | None:
    """When a file was changed; None if there is none, or while it is replaced."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return None


class _Tail:
    """Prints what functions log, each with its name."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._logs: dict[str, FollowedLog] = {}
        self._lines = LinePrinter()
        self._next = 0.0

    def follow(self, functions: Sequence[str]) -> None:
        """Print the logs of these functions, from now on or as before."""
        self._logs = {
            name: self._logs.get(name)
            or FollowedLog(self._client, f"/aws/lambda/{name}", since_s=0)
            for name in functions
        }
        for name in functions:
            self._lines.expect(name)

    def print_new(self) -> None:
        """Print new events, at most twice a second."""
        if time.monotonic() < self._next:
            return
        for name, log in self._logs.items():
            for event in log.new_events():
                self._lines.print(name, event)
        self._next = time.monotonic() + POLL_S
