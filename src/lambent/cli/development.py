"""`lambent dev`: a deployment that follows the files, with the logs of its functions."""

import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lambent.cli.addresses import functions_of, stack_addresses
from lambent.cli.bucket import open_bucket
from lambent.cli.client import open_client
from lambent.cli.logs import POLL_S, FollowedLog
from lambent.cli.output import CliError, console, print_error, print_note
from lambent.cli.stack_commands import (
    deploy_template,
    print_addresses,
    stack_name,
    watched_functions,
)
from lambent.cli.stacks import Stack
from lambent.cli.watch import Watched, watch

_COLOURS = ("cyan", "magenta", "yellow", "green", "blue")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What could change the terminal: a function decides what it logs."""
_FRAMES = ("START ", "END ", "REPORT ", "INIT_START ")


def develop(template: Path, stack: str | None, parameters: dict[str, str], endpoint: str) -> None:
    """Deploy a template or a project, and again when it changes; print its addresses and logs.
    Returns on Ctrl-C; the stack stays. Raises `CliError` if the first deployment fails."""
    name = stack_name(template, stack)
    deploy = partial(deploy_template, template, stack, parameters, endpoint)
    written = template.stat().st_mtime_ns
    deploy(is_confirmed=True, as_json=False)
    try:
        while True:
            with open_client("cloudformation", endpoint) as client:
                resources = Stack(client, name).resources()
            print_addresses(
                [
                    {"resource": resource, "address": address}
                    for resource, address in stack_addresses(resources, endpoint)
                ]
            )
            watched = watched_functions(template, stack, endpoint)
            changed = partial(_has_changed, template, written)
            _follow(functions_of(resources), watched, endpoint, changed)
            written = template.stat().st_mtime_ns
            try:
                deploy(is_confirmed=True, as_json=False)
            except CliError as error:
                print_error(str(error))
    except KeyboardInterrupt:
        print_note(f"the stack {name} stays; `lambent delete {name} --stack` deletes it")


def develop_function(function: Watched, endpoint: str) -> None:
    """The same for one function that is deployed."""
    name = function.function
    try:
        _follow([name], [function], endpoint, lambda: False)
    except KeyboardInterrupt:
        print_note(f"the function {name} stays; `lambent delete {name}` deletes it")


def _follow(
    functions: Sequence[str],
    watched: Sequence[Watched],
    endpoint: str,
    until: Callable[[], bool],
) -> None:
    """Update and print logs until `until` says so."""
    with open_client("lambda", endpoint) as client, open_client("logs", endpoint) as logs:
        tail = _Tail([FollowedLog(logs, function, since_s=0) for function in functions])

        def is_done() -> bool:
            tail.print_new()
            return until()

        watch(client, partial(open_bucket, endpoint), watched, print_note, is_done)


def _has_changed(template: Path, written: int) -> bool:
    try:
        return template.stat().st_mtime_ns != written
    except OSError:
        return False  # It is being replaced.


class _Tail:
    """Prints what functions log, each with its name."""

    def __init__(self, logs: Sequence[FollowedLog]) -> None:
        self._logs = logs
        self._width = max((len(log.function) for log in logs), default=0)
        self._out = console()
        self._next = 0.0

    def print_new(self) -> None:
        """Print new events, at most twice a second."""
        if time.monotonic() < self._next:
            return
        for number, log in enumerate(self._logs):
            for event in log.new_events():
                self._print(log.function, _COLOURS[number % len(_COLOURS)], event)
        self._next = time.monotonic() + POLL_S

    def _print(self, function: str, colour: str, event: dict[str, Any]) -> None:
        from rich.text import Text

        at = time.strftime("%H:%M:%S", time.localtime(event["timestamp"] / 1000))
        for line in event["message"].rstrip("\n").split("\n"):
            line = _CONTROLS.sub("�", line)
            style = "dim" if line.startswith(_FRAMES) else ""
            style = "red" if "[ERROR]" in line or "\tERROR\t" in line else style
            name = (f"{function:<{self._width}} ", colour)
            self._out.print(Text.assemble((f"{at} ", "dim"), name, (line, style)))
